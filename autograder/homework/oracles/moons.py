"""The two moons of problem 1, without scikit-learn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

N_TRAIN, N_VALIDATION, N_TEST = 24_000, 3_000, 3_000
NOISE = 0.05


def moons(n: int, noise: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Two interleaving half-circles of radius 1, shuffled, with Gaussian noise.

    The upper one is (cos t, sin t), the lower one (1 - cos t, 1/2 - sin t), t evenly spaced on
    [0, pi]; the lower one takes the odd point.

    Args:
        n: Number of points, >= 2.
        noise: Standard deviation of the noise in each coordinate.
        rng: Source of the order and the noise.

    Returns:
        (n, 2).

    Raises:
        ValueError: n is too small, or noise negative.

    Source: ``sklearn.datasets.make_moons``, which ``run_flow.py`` uses.
    """
    if n < 2:
        raise ValueError(f"n={n} must be >= 2")
    if not noise >= 0:
        raise ValueError(f"noise={noise} must be >= 0")
    upper = np.linspace(0.0, np.pi, n // 2)
    lower = np.linspace(0.0, np.pi, n - n // 2)
    points = np.concatenate(
        [
            np.stack([np.cos(upper), np.sin(upper)], axis=1),
            np.stack([1.0 - np.cos(lower), 0.5 - np.sin(lower)], axis=1),
        ]
    )
    shuffled = points[rng.permutation(n)]
    return shuffled + noise * rng.standard_normal((n, 2))


def standardised_split(
    seed: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Moons as in ``run_flow.py``: 30,000 points, standardised by all of them.

    Args:
        seed: Seed of the points; another seed gives fresh points of the same distribution.

    Returns:
        Train (24000, 2), validation (3000, 2) and test (3000, 2), float32.
    """
    data = moons(N_TRAIN + N_VALIDATION + N_TEST, NOISE, np.random.default_rng(seed))
    data = (data - data.mean(axis=0)) / data.std(axis=0)
    rows = data.astype(np.float32)
    end = N_TRAIN + N_VALIDATION
    return rows[:N_TRAIN], rows[N_TRAIN:end], rows[end:]
