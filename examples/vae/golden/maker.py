"""Make `golden.json`: fixed problems and the oracles' answers to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograder import Wrong
from vae import oracles
from vae.problems import GOLDEN, FixedElbo, FixedGaussian, exact

__all__ = ["GOLDEN", "make_golden"]

_SHAPES = ((1, 1), (2, 3), (2, 2, 3))  # of x, the smallest first
_IMAGES = ((1, 2), (3, 4))  # batch and pixels
_Z_DIM = 2


def make_golden(_mistakes: Sequence[Wrong]) -> dict[str, Any]:
    """Return the content of golden.json."""
    rng = np.random.default_rng(0)
    m, v = exact([1.0, -2.0, 0.5]), exact([0.25, 4.0, 9.0])
    densities = []
    for shape in _SHAPES:
        x, mean = (exact(np.round(rng.uniform(-2, 2, shape), 2)) for _ in range(2))
        one = FixedGaussian(x, mean, exact(np.round(rng.uniform(0.2, 4, shape), 2)))
        densities.append(
            {"x": one.x, "m": one.m, "v": one.v, "log_prob": oracles.log_normal(x, one.m, one.v)}
        )
    return {
        "about": "Made by `python -m autograder golden`; do not edit.",
        "sample_gaussian": {"m": m, "v": v, "mean": m, "spread": np.sqrt(v)},
        "log_normal": densities,
        "negative_elbo_bound": [_bound(rng, *sizes) for sizes in _IMAGES],
    }


def _bound(rng: np.random.Generator, batch: int, pixels: int) -> dict[str, Any]:
    """Networks whose q is the prior, and whose decoder ignores z."""
    weights = {
        "encoder.m_weight": np.zeros((_Z_DIM, pixels)),
        "encoder.m_bias": np.zeros(_Z_DIM),
        "encoder.v_weight": np.zeros((_Z_DIM, pixels)),
        "encoder.v_bias": np.zeros(_Z_DIM),
        "decoder.weight": np.zeros((pixels, _Z_DIM)),
        "decoder.bias": exact(np.round(rng.uniform(-3, 3, pixels), 2)),
    }
    x = rng.integers(0, 2, (batch, pixels)).astype(np.float64)
    bound = oracles.Bound(FixedElbo(weights, x), np.ones((batch, _Z_DIM)))
    kl = float(bound.closed_form.sum(axis=1).mean())
    return {"weights": weights, "x": x, "kl": kl, "rec": bound.rec}
