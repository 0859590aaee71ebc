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
    worst, name, most = 0.0, "", 1.0
    for axis, what in enumerate(_AXES):
        rows = np.moveaxis(noise, axis, -1).reshape(-1, noise.shape[axis])
        pairs = rows.shape[1] * (rows.shape[1] - 1) // 2
        correlation = statistics.largest_correlation(rows)
        allowed = statistics.correlation_bound(
            len(rows), pairs, statistics.FALSE_ALARM / len(_AXES)
        )
        # Noise that is shared along one axis looks dependent along the others, too, but less.
        if correlation > max(allowed, worst):
            worst, name, most = correlation, what, allowed
    if worst:
        raise CheckFailed(
            f"The noise of {function} for different {name} is not independent.",
            numbers=f"Largest correlation {worst:.3f} (allowed {most:.3f}); 1 is the same noise.",
        )


def _repeated_for(noise: Array) -> str:
    """The name of an axis along which noise repeats itself up to a factor, or ""."""
    for axis, name in enumerate(_AXES):
        with np.errstate(invalid="ignore", divide="ignore"):  # of constant columns
            correlations = np.corrcoef(np.moveaxis(noise, axis, 0).reshape(noise.shape[axis], -1))
        if (np.abs(np.triu(correlations, k=1)) > _SAME).any():
            return name
    return ""
