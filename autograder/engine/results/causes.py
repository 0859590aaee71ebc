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
        part: the part it is in, by the handout's number.
        text: the mistake by its name, or what is wrong.
        failed: the checks that fail for it, in their order; at least one.
        blocked: the checks that wait until it is fixed.
    """

    part: str
    text: str
    failed: list[Row]
    blocked: list[Row] = field(default_factory=list)


def causes_of(rows: Sequence[Row]) -> list[Cause]:
    """Group the checks that failed, in their order.

    Two checks of a part have the same cause when the same mistake gives the answers of both, when
    one refers to the other, or when both say the same.
    """
    found: dict[tuple[str, str], Cause] = {}
    by_number: dict[str, Cause] = {}
    for row in rows:
        if row.entry.verdict is not Verdict.FAILED:
            continue
        cause = by_number.get(row.entry.same_as)
        if cause is None:
            text = _what(row)
            key = (row.check.part, row.entry.mistake or text)
            cause = found.setdefault(key, Cause(row.check.part, text, []))
        cause.failed.append(row)
        by_number[row.check.number] = cause
    _add_blocked(list(found.values()), rows)
    return list(found.values())


def feedback_of(row: Row, rows: Sequence[Row]) -> str:
    """Return what a check says; an earlier check with the same cause is named, not repeated.

    Args:
        row: the check.
        rows: all checks in their order. Only those are named that every reader of this one sees.
    """
    said = row.entry.feedback
    if row.entry.verdict is not Verdict.FAILED or not said.strip():
        return said if said.strip() else ""
    for earlier in rows[: rows.index(row)]:
        if earlier.entry.verdict is not Verdict.FAILED or not row.check.may_tell_of(earlier.check):
            continue
        if not earlier.scored:  # advice comes last, whatever its number
            continue
        reference = f"Same cause as {earlier.check.number}."
        if earlier.entry.feedback == said:
            return reference
        hint = row.entry.hint
        if hint and said.endswith(hint) and _same_mistake(row, earlier):
            return said.removesuffix(hint) + reference
    return said


def _same_mistake(row: Row, earlier: Row) -> bool:
    same_hint = row.entry.hint == earlier.entry.hint
    return (
        row.entry.mistake is not None and row.entry.mistake == earlier.entry.mistake and same_hint
    )


def _what(row: Row) -> str:
    """Return the mistake's name, where it has one, else the first line of the feedback."""
    if row.entry.mistake is not None and row.entry.hint:
        return row.entry.hint
    return row.entry.feedback.strip().partition("\n")[0] or "Failed."


def _add_blocked(causes: Sequence[Cause], rows: Sequence[Row]) -> None:
    for row in rows:
        if row.entry.verdict is Verdict.BLOCKED:
            for cause in causes:
                numbers = {cause.part, *(failed.check.number for failed in cause.failed)}
                if numbers.intersection(row.entry.waits_for):
                    cause.blocked.append(row)
                    break
