"""Failed checks grouped by cause: a mistake is explained once, other checks refer to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from autograder.engine.grading.ledger import Verdict
from autograder.engine.grading.points import Row


@dataclass
class Cause:
    """One thing to fix.

    Args:
        part: the part's number in the assignment.
        text: the name of the mistake, or a sentence about it.
        failed: the checks that fail because of it, in their order; at least one.
        blocked: the checks that are blocked until it is fixed.
    """

    part: str
    text: str
    failed: list[Row]
    blocked: list[Row] = field(default_factory=list)


def causes_of(rows: Sequence[Row]) -> list[Cause]:
    """Group the checks that failed, in their order.

    Two checks have the same cause when one refers to the other (`Entry.same_as`), or when both are
    in the same part and have the same hint or, without one, the same mistake or first line.
    """
    failed = {row.check.number: row for row in rows if row.entry.verdict is Verdict.FAILED}
    causes: dict[tuple[str, str], Cause] = {}
    for row in failed.values():
        first = row
        while first.entry.same_as in failed:
            first = failed[first.entry.same_as]
        part, text = first.check.part, _text_of(first)
        # Two mistakes that give the same answers have the same hint.
        key = text if first.entry.hint else first.entry.mistake or text
        cause = causes.setdefault((part, key), Cause(part, text, []))
        cause.failed.append(row)
    for row in rows:
        if row.entry.verdict is Verdict.BLOCKED:
            for cause in causes.values():
                numbers = {cause.part, *(each.check.number for each in cause.failed)}
                if numbers.intersection(row.entry.waits_for):
                    cause.blocked.append(row)
                    break
    return list(causes.values())


def feedback_of(row: Row, rows: Sequence[Row]) -> str:
    """Return the feedback of a check; it refers to an earlier check with the same cause.

    A check refers only to checks that all its readers see.
    """
    feedback, hint = row.entry.feedback, row.entry.hint
    if not feedback.strip():
        return ""
    if row.entry.verdict is not Verdict.FAILED:
        return feedback
    for earlier in rows[: rows.index(row)]:
        if earlier.entry.verdict is not Verdict.FAILED or not row.check.may_tell_of(earlier.check):
            continue
        if not earlier.scored:  # advice is read last, whatever its number
            continue
        reference = f"Same cause as {earlier.check.number}."
        if earlier.entry.feedback == feedback:  # which may itself refer to a check
            return f"Same cause as {row.entry.same_as or earlier.check.number}."
        if (
            row.entry.mistake is not None
            and hint
            and hint == earlier.entry.hint
            and feedback.endswith(hint)
        ):
            return feedback.removesuffix(hint) + reference
    return feedback


def _text_of(row: Row) -> str:
    """Return the name of the mistake if there is one, else the first line of the feedback."""
    if row.entry.mistake is not None and row.entry.hint:
        return row.entry.hint
    return row.entry.feedback.strip().partition("\n")[0] or "Failed."
