"""Tests of the noise that a student drew: standard normal, independent, new in each call.

Each refuses a correct solution with a probability of 1e-10 at most.
"""

from __future__ import annotations

import numpy as np

from autograder import CheckFailed
from autograder.engine.judge import statistics
from vae.problems import Array

# Calls, examples and entries: 16 384 numbers. A uniform distribution with variance 1 is 0.057 away
# from the normal one in Kolmogorov's distance; 0.027 is allowed.
CALLS, BATCH, SIZE = 16, 64, 16
_SAME = 0.9  # a correlation that independent noise does not reach, even if few numbers differ
_AXES = ("calls", "examples", "entries of an example")


def check_normal(function: str, noise: Array) -> None:
    """Check that noise (calls, B, D) is standard normal.

    Raises:
        CheckFailed: it is not, or looks so because the same numbers are used many times.
    """
    allowed = statistics.FALSE_ALARM / 2
    distance = statistics.ks_distance_normal(noise)
    most = statistics.dkw_bound(noise.size, allowed)
    square = statistics.mean_square(noise)
    low, high = statistics.mean_square_bounds(noise.size, allowed)
    if distance > most or not low <= square <= high:
        if name := _repeated_for(noise):
            raise CheckFailed(f"The noise of {function} for different {name} is the same.")
        raise CheckFailed(
            f"The noise of {function}, (z - m) / sqrt(v), is not standard normal.",
            numbers=f"{noise.size} numbers: mean {noise.mean():.3f} (expected 0), mean square "
            f"{square:.3f} (expected 1, allowed {low:.3f} to {high:.3f}), distance from the normal "
            f"distribution {distance:.3f} (allowed {most:.3f}).",
        )


def check_independent(function: str, noise: Array) -> None:
    """Check that noise (calls, B, D) is drawn again for each call, example and entry.

    Raises:
        CheckFailed: it is not.
    """
    refused: dict[int, str] = {}
    for axis in range(noise.ndim):
        # The signs alone: a wrong scale is no dependence. The bound holds for them, too, because
        # E exp(t s) = cosh(t) <= (1 - t^2)^(-1/2), that of a product of normal numbers.
        rows = np.sign(np.moveaxis(noise, axis, -1).reshape(-1, noise.shape[axis]))
        pairs = rows.shape[1] * (rows.shape[1] - 1) // 2
        correlation = statistics.largest_correlation(rows)
        allowed = statistics.correlation_bound(
            len(rows), pairs, statistics.FALSE_ALARM / len(_AXES)
        )
        if correlation > allowed:
            refused[axis] = (
                f"Largest correlation of signs {correlation:.3f} (allowed {allowed:.3f})."
            )
    if refused:
        # Noise that is shared along one axis looks dependent along the others, too, but less.
        axis = max(refused, key=lambda each: _largest_coefficient(noise, each))
        raise CheckFailed(
            f"The noise of {function} for different {_AXES[axis]} is not independent.",
            numbers=refused[axis],
        )


def _repeated_for(noise: Array) -> str:
    """The name of an axis along which noise repeats itself up to a factor, or ""."""
    axis = max(range(noise.ndim), key=lambda each: _largest_coefficient(noise, each))
    return _AXES[axis] if _largest_coefficient(noise, axis) > _SAME else ""


def _largest_coefficient(noise: Array, axis: int) -> float:
    """The largest correlation coefficient of two slices of an axis, in absolute value."""
    with np.errstate(invalid="ignore", divide="ignore"):  # of constant slices
        coefficients = np.corrcoef(np.moveaxis(noise, axis, 0).reshape(noise.shape[axis], -1))
    return float(np.abs(np.nan_to_num(np.triu(coefficients, k=1))).max())
