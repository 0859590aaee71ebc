"""A check with its entry and its points; every part and the whole keep their sums."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict, not_run
from autograder.engine.grading.points import apportion

UNITS = 10_000  # points are counted in ten-thousandths, so that sums of them are exact


@dataclass(frozen=True)
class Row:
    """A check with what became of it, and its points in ten-thousandths."""

    check: PlannedCheck
    entry: Entry
    max_units: int

    @property
    def scored(self) -> bool:
        """Whether it carries points; advice does not."""
        return self.check.points is not None

    @property
    def units(self) -> int:
        """What was earned; only a pass earns everything."""
        if self.entry.verdict is Verdict.PASSED:
            return self.max_units
        return max(min(round(self.entry.share * self.max_units), self.max_units - 1), 0)


def rows_of(plan: Sequence[PlannedCheck], entries: Iterable[Entry]) -> list[Row]:
    """Join plan and ledger, rounding points so that every part and the whole keep their sums."""
    by_part: dict[str, list[PlannedCheck]] = {}
    for check in plan:
        by_part.setdefault(check.part, []).append(check)
    totals = [sum(map(_worth, checks), Fraction(0)) for checks in by_part.values()]
    max_units: dict[str, int] = {}
    for checks, total in zip(by_part.values(), apportion(totals, round(sum(totals))), strict=True):
        units = apportion([_worth(check) for check in checks], total)
        max_units.update(zip((check.check_id for check in checks), units, strict=True))
    found = {entry.check_id: entry for entry in entries}
    return [
        Row(check, found.get(check.check_id) or not_run(check), max_units[check.check_id])
        for check in plan
    ]


def by_part(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Group rows by their parts, in order."""
    parts = dict.fromkeys(row.check.part for row in rows)
    return [(part, [row for row in rows if row.check.part == part]) for part in parts]


def points(units: int) -> str:
    """Return ten-thousandths as points, without needless decimals."""
    return f"{units / UNITS:.4f}".rstrip("0").rstrip(".")


def _worth(check: PlannedCheck) -> Fraction:
    """Return a check's points in ten-thousandths, none for advice."""
    return Fraction(check.points or 0) * UNITS
