"""Whether each tolerance lies between the errors of correct and of incorrect solutions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autograder.engine.catalogue.audit import Row
from autograder.engine.grading.ledger import PlannedCheck, Verdict

# Right solutions must stay below the tolerance, and wrong ones that a check refuses must lie above
# it, by this factor each.
MARGIN = 4.0


@dataclass(frozen=True)
class ToleranceReport:
    """One check's tolerance: the errors met, as multiples of what is allowed.

    Args:
        number: the check.
        right: the greatest error of a right solution; `right_id` made it.
        wrong: the least error of a wrong solution that the check refused by comparing numbers;
            `wrong_id` made it. None when no wrong solution was refused so.
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
                f"{self.number}: the right solution {self.right_id} needs {self.right:.2g} of the "
                f"tolerance, at most {1 / MARGIN:g} is allowed"
            )
        if self.wrong is not None and self.wrong < MARGIN:
            return (
                f"{self.number}: the wrong solution {self.wrong_id} is off by only "
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
    verdicts = (Verdict.PASSED, Verdict.FAILED)
    found = []
    for row in rows:
        entry = row.entries.get(check.check_id)
        if (
            row.case.kind == kind
            and entry
            and entry.verdict in verdicts
            and entry.excess is not None
        ):
            found.append((entry.excess, row.case.id))
    return found
