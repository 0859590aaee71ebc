"""Points: a part's points shared out among its checks, and what each check earned of them.

Points have at most four decimals. They are added up as whole ten-thousandths, so sums are exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict, not_run

UNITS = 10_000  # of a point
# Shares are multiples of the coarsest of these that changes no share by more than a twentieth.
_STEPS = tuple(Fraction(1, n) for n in (2, 4, 10, 20, 100, 1_000, UNITS))
_MOST_CHANGED = Fraction(1, 20)


def share_out(points: float, weights: Sequence[float]) -> list[float]:
    """Share points out by weights.

    Weights that add up to the points are the shares. Otherwise shares are rounded, to steps that
    give equal shares to equal weights if there are such.

    Args:
        points: the sum of the shares, >= 0, with at most four decimals.
        weights: each above 0.
    """
    if sum(weights) == points and all(round(w, 4) == w for w in weights):
        return list(weights)
    whole = Fraction(repr(points))
    unit = whole / sum(map(Fraction, weights))
    exact = [unit * Fraction(weight) for weight in weights]
    # A sum that is no multiple of a step cannot be shared in such steps.
    rounded = [_round(exact, step) for step in _STEPS if whole % step == 0]
    close = [shares for shares in rounded if _are_close(shares, exact)]
    fair = [s for s in close if len(set(zip(weights, s, strict=True))) == len(set(weights))]
    return [float(share) for share in (*fair, *close, rounded[-1])[0]]


def _round(exact: Sequence[Fraction], step: Fraction) -> list[Fraction]:
    """Round shares to multiples of a step and keep their sum: up where most was cut off."""
    steps = [math.floor(share / step) for share in exact]
    by_rest = sorted(range(len(exact)), key=lambda i: steps[i] - exact[i] / step)
    for i in by_rest[: int(sum(exact) / step) - sum(steps)]:
        steps[i] += 1
    return [n * step for n in steps]


def _are_close(shares: Sequence[Fraction], exact: Sequence[Fraction]) -> bool:
    return all(
        abs(share - right) <= _MOST_CHANGED * right
        for share, right in zip(shares, exact, strict=True)
    )


@dataclass(frozen=True, eq=False)
class Row:
    """A check with its entry in the ledger and its points in ten-thousandths."""

    check: PlannedCheck
    entry: Entry

    @property
    def scored(self) -> bool:
        """Whether the check has points; advice has none."""
        return self.check.points is not None

    @property
    def max_units(self) -> int:
        """The most it can earn."""
        return round((self.check.points or 0) * UNITS)

    @property
    def units(self) -> int:
        """The part that was earned; only a pass earns everything."""
        if self.entry.verdict is Verdict.PASSED:
            return self.max_units
        return max(min(round(self.entry.share * self.max_units), self.max_units - 1), 0)


def rows_of(plan: Sequence[PlannedCheck], entries: Iterable[Entry]) -> list[Row]:
    """Join every check of a plan with its entry; a check without one was not run."""
    by_id = {entry.check_id: entry for entry in entries}
    return [Row(check, by_id.get(check.check_id) or not_run(check)) for check in plan]


def by_part(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Group rows by their parts, in order."""
    parts = dict.fromkeys(row.check.part for row in rows)
    return [(part, [row for row in rows if row.check.part == part]) for part in parts]


def format_points(units: int) -> str:
    """Return ten-thousandths as points, without needless decimals."""
    return f"{units / UNITS:.4f}".rstrip("0").rstrip(".")
