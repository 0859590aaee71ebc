"""Cases that the checks draw: sizes and a seed, whose arrays are drawn with numpy on first use.

Arrays are float64 with float32 numbers, so that the oracles and the student start from the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from hypothesis import strategies as st

from vae.problems import Array, exact

_LARGEST_LOGIT = 40.0


@dataclass(frozen=True)
class GaussianCase:
    """Means, variances of 0.1 to 10, points, and cotangents.

    Args:
        batch: B.
        size: D.
        seed: seed of the arrays.
    """

    batch: int
    size: int
    seed: int

    @property
    def m(self) -> Array:
        """Mean (B, D)."""
        return self._drawn["m"]

    @property
    def v(self) -> Array:
        """Variance (B, D)."""
        return self._drawn["v"]

    @property
    def x(self) -> Array:
        """Points (B, D), within a few standard deviations."""
        return self._drawn["x"]

    @property
    def bar(self) -> Array:
        """Cotangents (B, D), from 0.5 to 1.5."""
        return self._drawn["bar"]

    @cached_property
    def _drawn(self) -> Mapping[str, Array]:
        rng = np.random.default_rng((self.batch, self.size, self.seed))
        shape = (self.batch, self.size)
        m = rng.uniform(-2, 2, shape)
        v = 10 ** rng.uniform(-1, 1, shape)
        x = m + np.sqrt(v) * rng.standard_normal(shape)
        return _exact({"m": m, "v": v, "x": x, "bar": rng.uniform(0.5, 1.5, shape)})


@dataclass(frozen=True)
class ElboCase:
    """Drawn networks: logits of a few units, variances from about 0.1 to 10.

    Args:
        batch: B.
        z_dim: D.
        x_dim: X.
        seed: seed of the arrays.
        sure: whether the decoder is sure, with logits of 40, in half of the pixels wrongly.
    """

    batch: int
    z_dim: int
    x_dim: int
    seed: int
    sure: bool = False

    @property
    def weights(self) -> Mapping[str, Array]:
        """See `ElboProblem`."""
        return self._drawn[0]

    @property
    def x(self) -> Array:
        """Images (B, X)."""
        return self._drawn[1]

    @cached_property
    def _drawn(self) -> tuple[Mapping[str, Array], Array]:
        rng = np.random.default_rng((self.batch, self.z_dim, self.x_dim, self.seed))
        size, pixels = self.z_dim, self.x_dim
        wide = 1 / np.sqrt(pixels)
        x = rng.integers(0, 2, (self.batch, pixels)).astype(np.float64)
        bias = rng.uniform(-1, 1, pixels)
        if self.sure:
            bias = _LARGEST_LOGIT * rng.choice((-1.0, 1.0), pixels)
        weights = {
            "encoder.m_weight": wide * rng.standard_normal((size, pixels)),
            "encoder.m_bias": rng.uniform(0.5, 1.5, size),
            "encoder.v_weight": 0.5 * wide * rng.standard_normal((size, pixels)),
            "encoder.v_bias": rng.uniform(-1, 1, size),
            "decoder.weight": rng.uniform(0.5, 1.5, (pixels, size))
            * rng.choice((-1.0, 1.0), (pixels, size)),
            "decoder.bias": bias,
        }
        return _exact(weights), x


def gaussian_cases() -> st.SearchStrategy[GaussianCase]:
    """B 2..6, D 2..5."""
    return st.builds(GaussianCase, batch=st.integers(2, 6), size=st.integers(2, 5), seed=_seeds())


def elbo_cases() -> st.SearchStrategy[ElboCase]:
    """B 2..6, D 1..4, X 3..8."""
    return st.builds(
        ElboCase,
        batch=st.integers(2, 6),
        z_dim=st.integers(1, 4),
        x_dim=st.integers(3, 8),
        seed=_seeds(),
    )


def _seeds() -> st.SearchStrategy[int]:
    return st.integers(0, 2**32 - 1)


def _exact(arrays: Mapping[str, Array]) -> Mapping[str, Array]:
    return {name: exact(array) for name, array in arrays.items()}
