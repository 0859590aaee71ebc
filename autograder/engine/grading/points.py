"""Points shared out by weights: the sums are exact, and the shares are round numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

# Shares are multiples of the coarsest of these that changes no share by more than a twentieth.
_STEPS = tuple(Fraction(1, n) for n in (2, 4, 10, 20, 100, 1_000, 10_000))
_MOST_CHANGED = Fraction(1, 20)


def apportion(shares: Sequence[Fraction], total: int) -> list[int]:
    """Round shares to integers of the given sum, rounding up where most was cut off."""
    rounded = [math.floor(share) for share in shares]
    by_rest = sorted(range(len(shares)), key=lambda i: rounded[i] - shares[i])
    for i in by_rest[: total - sum(rounded)]:
        rounded[i] += 1
    return rounded


def share_out(points: float, weights: Sequence[float]) -> list[float]:
    """Share points out by weights.

    Weights that add up to the points are the shares. Otherwise shares are rounded, to steps that
    give equal shares to equal weights if there are such.

    Args:
        points: the sum of the shares, >= 0.
        weights: each above 0.
    """
    if sum(weights) == points:
        return list(weights)
    whole = Fraction(repr(points))
    unit = whole / sum(map(Fraction, weights))
    exact = [unit * Fraction(weight) for weight in weights]
    # A sum that is no multiple of a step cannot be shared in such steps.
    steps = [step for step in _STEPS if whole % step == 0]
    rounded = [
        [step * n for n in apportion([share / step for share in exact], int(whole / step))]
        for step in steps
    ]
    close = [shares for shares in rounded if _are_close(shares, exact)]
    fair = [s for s in close if len(set(zip(weights, s, strict=True))) == len(set(weights))]
    return [float(share) for share in (*fair, *close, *rounded[-1:], exact)[0]]


def _are_close(shares: Sequence[Fraction], exact: Sequence[Fraction]) -> bool:
    return all(
        abs(share - right) <= _MOST_CHANGED * right
        for share, right in zip(shares, exact, strict=True)
    )
