"""The changes between two gradings of a submission: points, and the checks behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autograder.engine.batch.store import Record, points_of, title_of, verdict_of
from autograder.engine.grading.ledger import Verdict

GONE, CAME, POINTS, SHARES, FEEDBACK = "gone", "new", "points", "shares", "feedback"


@dataclass(frozen=True)
class CheckChange:
    """One check with another result.

    Scores are None for advice and for a missing check, whose verdict is "".
    """

    number: str
    name: str
    old_score: float | None
    new_score: float | None
    max_score: float | None
    old_verdict: str
    new_verdict: str
    old_text: str
    new_text: str

    @property
    def part(self) -> str:
        """The part that the check belongs to."""
        return self.number.rpartition(".")[0]

    @property
    def reads_the_same(self) -> bool:
        """Whether the student reads the same as before, apart from points."""
        if "" in (
            self.old_verdict,
            self.new_verdict,
        ):  # added or removed: nothing to read if it passed
            return {self.old_verdict, self.new_verdict} == {"", Verdict.PASSED.value}
        return (self.old_verdict, self.old_text) == (self.new_verdict, self.new_text)


@dataclass(frozen=True)
class Change:
    """One submission with another result.

    Args:
        key: see `store.Listed`.
        kind: "points" (of a part), "feedback" (only texts or verdicts), "shares" (only how a
            part's points are divided among its checks), "new" or "gone".
        old: points before; None without a grade.
        new: points now, likewise.
        checks: the changed checks.
        old_output: the text about the whole submission, if it changed and no check did.
        new_output: likewise.
    """

    key: str
    kind: str
    old: float | None
    new: float | None
    checks: tuple[CheckChange, ...]
    old_output: str = ""
    new_output: str = ""

    @property
    def delta(self) -> float:
        """The points gained (negative if lost); no grade counts as 0."""
        return round((self.new or 0.0) - (self.old or 0.0), 4)


def compare(key: str, old: Record | None, new: Record | None) -> Change | None:
    """Return the change, or None if there is none."""
    if old is None or new is None:
        if old is None and new is None:
            return None
        return Change(key, CAME if old is None else GONE, total_of(old), total_of(new), ())
    before, after = _by_number(old), _by_number(new)
    checks = tuple(
        change
        for number in sorted({*before, *after}, key=_order)
        if (change := _compare_check(number, before.get(number, {}), after.get(number, {})))
    )
    texts = (_output(old), _output(new))
    if not checks and texts[0] == texts[1]:
        return None
    if points_of(old) != points_of(new) or total_of(old) != total_of(new):
        kind = POINTS
    elif checks and all(c.reads_the_same and c.max_score is not None for c in checks):
        kind = SHARES
    else:
        kind = FEEDBACK
    return Change(key, kind, total_of(old), total_of(new), checks, *(() if checks else texts))


def total_of(record: Record | None) -> float | None:
    """Return the total points, or None without a grade."""
    if record is None or not record.results or record.refused:
        return None
    return round(sum(points_of(record).values()), 4)


def _compare_check(
    number: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> CheckChange | None:
    keys = ("score", "max_score", "output", "visibility")
    same = all(old.get(key) == new.get(key) for key in keys) and verdict_of(old) == verdict_of(new)
    if same and bool(old) == bool(new):
        return None
    there = new or old
    return CheckChange(
        number=number,
        name=title_of(there),
        old_score=old.get("score"),
        new_score=new.get("score"),
        max_score=there.get("max_score"),
        old_verdict=verdict_of(old),
        new_verdict=verdict_of(new),
        old_text=str(old.get("output", "")),
        new_text=str(new.get("output", "")),
    )


def _by_number(record: Record) -> dict[str, Mapping[str, Any]]:
    return {str(test.get("number", "")): test for test in record.tests}


def _output(record: Record) -> str:
    return str(record.results.get("output", ""))


def _order(number: str) -> tuple[int, ...]:
    return tuple(int(piece) if piece.isdigit() else 0 for piece in number.split("."))
