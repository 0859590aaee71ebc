"""The entropy of the Moons, by quadrature: no model can have a smaller expected loss."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from codebase.data import MOONS_NOISE

Array = npt.NDArray[np.float64]

_ARC_NODES = 400  # along each half circle; their distance is a sixth of the noise
_CELL = MOONS_NOISE / 4  # of the grid; the trapezoidal rule is exact to rounding on Gaussians
_MARGIN = 8 * MOONS_NOISE  # beyond which a Gaussian is below 1e-14 of its height


def log_density(points: Array) -> Array:
    """Return the log-density of the moons before they are standardised.

    A point lies with equal probability on the arc (cos t, sin t) or on (1 - cos t, 1/2 - sin t),
    t uniform on [0, pi], and has Gaussian noise on either coordinate. The integral over t is taken
    by the midpoint rule.

    Args:
        points: (N, 2).

    Returns:
        (N,), in nats.
    """
    t = (np.arange(_ARC_NODES) + 0.5) * math.pi / _ARC_NODES
    upper = np.stack([np.cos(t), np.sin(t)], axis=1)
    lower = np.stack([1 - np.cos(t), 0.5 - np.sin(t)], axis=1)
    centres = np.concatenate([upper, lower])  # (2 T, 2)
    logs = np.empty(len(points))
    for rows in np.array_split(np.arange(len(points)), max(1, len(points) // 2000)):
        squares = ((points[rows, None, :] - centres) ** 2).sum(axis=2)  # (rows, 2 T)
        exponents = -squares / (2 * MOONS_NOISE**2)
        highest = exponents.max(axis=1)
        logs[rows] = highest + np.log(np.exp(exponents - highest[:, None]).mean(axis=1))
    return logs - math.log(2 * math.pi * MOONS_NOISE**2)


def mean_and_deviation() -> tuple[Array, Array]:
    """Return mean and standard deviation of either coordinate, in closed form."""
    mean = np.array([0.5, 0.25])
    # E cos t = 0, E sin t = 2 / pi, E cos^2 t = E sin^2 t = 1 / 2.
    second = np.array([(0.5 + 1.5) / 2, (0.5 + 0.75 - 2 / math.pi) / 2])
    return mean, np.sqrt(second - mean**2 + MOONS_NOISE**2)


def standardised_entropy() -> float:
    """Return the differential entropy of the standardised moons in nats.

    H = -integral p log p, by the trapezoidal rule on a grid; standardising takes the logarithm of
    either deviation off it.
    """
    first = np.arange(-1 - _MARGIN, 2 + _MARGIN, _CELL)
    second = np.arange(-0.5 - _MARGIN, 1 + _MARGIN, _CELL)
    grid = np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)
    logs = log_density(grid)
    entropy = -float((np.exp(logs) * logs).sum()) * _CELL**2
    return entropy - float(np.log(mean_and_deviation()[1]).sum())


def best_loss(points: Array) -> float:
    """Return the loss of the true density on standardised points (N, 2), in nats per example.

    It scatters about the entropy; what a model has above it on the same points estimates the
    Kullback-Leibler divergence from the data to the model.
    """
    mean, deviation = mean_and_deviation()
    logs = log_density(points * deviation + mean) + np.log(deviation).sum()
    return -float(logs.mean())
