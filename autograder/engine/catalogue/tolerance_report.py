"""Whether each tolerance lies between the errors of correct and of incorrect solutions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autograder.engine.catalogue.audit import Row
from autograder.engine.grading.ledger import PlannedCheck, Verdict

# The errors of correct solutions must be smaller than the tolerance by this factor, and those of
# incorrect solutions that a check refuses larger.
MARGIN = 4.0


@dataclass(frozen=True)
class ToleranceReport:
    """The errors that one check measured, as multiples of its tolerance.

    Args:
        number: the check.
        right: the largest error of a correct solution, which is `right_id`.
        wrong: the smallest error of an incorrect solution, `wrong_id`, that the check refused by
            comparing numbers; None if there is none.
    """

    number: str
    right: float
    right_id: str
    wrong: float | None
    wrong_id: str

    @property
    def complaint(self) -> str:
        """What is wrong with the tolerance, or ""."""
        if self.right > 1 / MARGIN:
            return (
                f"{self.number}: the correct solution {self.right_id} needs {self.right:.2g} of "
                f"the tolerance, at most {1 / MARGIN:g} is allowed"
            )
        if self.wrong is not None and self.wrong < MARGIN:
            return (
                f"{self.number}: the incorrect solution {self.wrong_id} is off by only "
                f"{self.wrong:.2g} times the tolerance, at least {MARGIN:g} is required"
            )
        return ""


def tolerance_reports(rows: Sequence[Row], plan: Iterable[PlannedCheck]) -> list[ToleranceReport]:
    """Report on every check that compares numbers with a tolerance."""
    reports = []
    for check in plan:
        right = max(_errors(rows, check, "right"), default=None)
        if right is None:
            continue
        wrong = min((pair for pair in _errors(rows, check, "wrong") if pair[0] > 1), default=None)
        reports.append(
            ToleranceReport(
                check.number,
                *right,
                wrong=None if wrong is None else wrong[0],
                wrong_id="" if wrong is None else wrong[1],
            )
        )
    return reports


def _errors(rows: Sequence[Row], check: PlannedCheck, kind: str) -> list[tuple[float, str]]:
    entries = [(row, row.entries.get(check.check_id)) for row in rows if row.case.kind == kind]
    return [
        (entry.excess, row.case.id)
        for row, entry in entries
        if entry is not None
        and entry.verdict in (Verdict.PASSED, Verdict.FAILED)
        and entry.excess is not None
    ]
