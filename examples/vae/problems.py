"""Problems for the student's functions, and the fixed ones of `golden.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

GOLDEN = Path(__file__).parent / "checks" / "public" / "golden.json"


class GaussianProblem(Protocol):
    """A Gaussian with mean and variance, and points."""

    @property
    def x(self) -> Array: ...
    @property
    def m(self) -> Array: ...
    @property
    def v(self) -> Array: ...


class ElboProblem(Protocol):
    """Networks and a batch of binary images x (B, X).

    The encoder is m = x m_weight^T + m_bias, v = exp(x v_weight^T + v_bias); the decoder's logits
    are tanh(z) weight^T + bias. The keys of `weights` are "encoder.m_weight" and so on.
    """

    @property
    def weights(self) -> Mapping[str, Array]: ...
    @property
    def x(self) -> Array: ...
    @property
    def seed(self) -> int: ...


def exact(array: Any) -> Array:
    """Round to float32 numbers, and keep them as float64."""
    return np.asarray(array, dtype=np.float32).astype(np.float64)


@dataclass(frozen=True)
class FixedGaussian:
    """A Gaussian of `golden.json`, with points x (..., D)."""

    x: Array
    m: Array
    v: Array


@dataclass(frozen=True)
class FixedElbo:
    """Networks and images of `golden.json`."""

    weights: Mapping[str, Array]
    x: Array
    seed: int = 0


@dataclass(frozen=True)
class Golden:
    """Fixed problems, and the correct answers to them.

    Args:
        moments: for `sample_gaussian`: m and v (D,), and the `mean` and `spread` of z (D,).
        densities: for `log_normal`, with the log-density (...) of each.
        bounds: for `negative_elbo_bound`, with kl and rec. q is the prior, and the decoder ignores
            z: kl is 0 in closed form and as an estimate, and rec depends on no noise.
    """

    moments: Mapping[str, Array]
    densities: tuple[tuple[FixedGaussian, Array], ...] = field(default=())
    bounds: tuple[tuple[FixedElbo, float, float], ...] = field(default=())


def load_golden() -> Golden:
    """Read `golden.json`."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return Golden(
        moments=_arrays(golden["sample_gaussian"]),
        densities=tuple(
            (FixedGaussian(*(np.array(one[name]) for name in "xmv")), np.array(one["log_prob"]))
            for one in golden["log_normal"]
        ),
        bounds=tuple(
            (FixedElbo(_arrays(one["weights"]), np.array(one["x"])), one["kl"], one["rec"])
            for one in golden["negative_elbo_bound"]
        ),
    )


def _arrays(lists: Mapping[str, Any]) -> dict[str, Array]:
    return {name: np.array(values, dtype=np.float64) for name, values in lists.items()}
