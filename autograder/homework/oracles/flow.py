"""The flow of problem 1 in numpy float64: MADE, MAF and a stand-in for MADE.

As in the assignment, ``forward`` maps noise z to data x and ``inverse`` maps x to z. Every gradient
is written out by hand: nothing here shares code or autograd with a submission. Names ending in
``_bar`` are derivatives of some scalar with respect to the name before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias, TypeVar

import numpy as np

from autograder.homework.problems.flow_parameters import (
    Array,
    MadeParameters,
    MapParameters,
    TrainableParameters,
)

LayerGrads: TypeAlias = tuple[tuple[Array, Array], ...]

GradT_co = TypeVar("GradT_co", covariant=True)


# A diverged student model reaches these formulas too: NaN or -inf, but no warning.
_quiet = partial(np.errstate, over="ignore", invalid="ignore", divide="ignore")


class Invertible(Protocol):
    """One invertible layer of a MAF."""

    @property
    def input_size(self) -> int:
        """D, the number of columns."""

    def inverse(self, x: Array) -> tuple[Array, Array]:
        """x (B, D) to z (B, D) and log|det dz/dx| (B,)."""


class Block(Invertible, Protocol[GradT_co]):
    """One invertible layer of a MAF, and the derivatives of its inverse direction."""

    def inverse_vjp(self, x: Array, z_bar: Array, log_det_bar: Array) -> tuple[Array, GradT_co]:
        """Derivatives with respect to x (B, D) and to the parameters, summed over the batch."""


@dataclass(frozen=True, eq=False)
class MadeWeights(MadeParameters):
    """The parameters of one MADE with what they make of data; a ``Block``."""

    def inverse(self, x: Array) -> tuple[Array, Array]:
        """See ``made_inverse``."""
        return made_inverse(self, x)

    def inverse_vjp(self, x: Array, z_bar: Array, log_det_bar: Array) -> tuple[Array, LayerGrads]:
        """See ``made_inverse_vjp``."""
        return made_inverse_vjp(self, x, z_bar, log_det_bar)


@_quiet()
def pre_activations(weights: MadeWeights, x: Array) -> tuple[Array, ...]:
    """What each masked linear layer gives, before any ReLU; the last one is (mu, alpha).

    Returns:
        n_hidden + 1 arrays (B, H), then one (B, 2 D).
    """
    linear: list[Array] = []
    for weight, bias in weights.masked:
        inputs = np.maximum(linear[-1], 0.0) if linear else x
        linear.append(inputs @ weight.T + bias)
    return tuple(linear)


def conditioner(weights: MadeWeights, x: Array) -> tuple[Array, Array]:
    """mu and alpha (B, D) each, where mu_i and alpha_i see x_1 .. x_{i-1} only."""
    output = pre_activations(weights, x)[-1]
    size = weights.input_size
    return output[:, :size], output[:, size:]


def conditioner_vjp(
    weights: MadeWeights, x: Array, mu_bar: Array, alpha_bar: Array
) -> tuple[Array, LayerGrads]:
    """Derivatives of a scalar through ``conditioner``.

    Args:
        weights: The parameters.
        x: (B, D).
        mu_bar: (B, D), derivative of the scalar with respect to mu.
        alpha_bar: (B, D), the same for alpha.

    Returns:
        x_bar (B, D), and per layer the derivatives of the *unmasked* weight (so zero where the
        mask is) and of the bias, summed over the batch.
    """
    linear = pre_activations(weights, x)
    bar = np.concatenate([mu_bar, alpha_bar], axis=1)  # (B, 2 D)
    grads: list[tuple[Array, Array]] = []
    for index in reversed(range(len(linear))):
        inputs = np.maximum(linear[index - 1], 0.0) if index > 0 else x
        weight, _ = weights.masked[index]
        grads.append(((bar.T @ inputs) * weights.masks[index], bar.sum(axis=0)))
        bar = bar @ weight
        if index > 0:
            bar = bar * (linear[index - 1] > 0)
    return bar, tuple(reversed(grads))


@_quiet()
def made_forward(weights: MadeWeights, z: Array) -> tuple[Array, Array]:
    """x_i = mu_i + z_i exp(alpha_i), one column after the other.

    Returns:
        x (B, D) and alpha (B, D). The log-determinant of this direction is +sum(alpha); the
        assignment leaves its sign open.

    Source: assignment problem 1.
    """
    x = np.zeros_like(z)
    for column in range(z.shape[1]):
        mu, alpha = conditioner(weights, x)
        x[:, column] = mu[:, column] + z[:, column] * np.exp(alpha[:, column])
    return x, conditioner(weights, x)[1]


@_quiet()
def made_inverse(weights: MadeWeights, x: Array) -> tuple[Array, Array]:
    """z_i = (x_i - mu_i) / exp(alpha_i), all columns at once.

    Returns:
        z (B, D) and log_det = -sum(alpha) (B,).

    Source: assignment problem 1.
    """
    mu, alpha = conditioner(weights, x)
    return (x - mu) * np.exp(-alpha), -alpha.sum(axis=1)


@_quiet()
def made_inverse_vjp(
    weights: MadeWeights, x: Array, z_bar: Array, log_det_bar: Array
) -> tuple[Array, LayerGrads]:
    """Derivatives of a scalar through ``made_inverse``.

    Args:
        weights: The parameters.
        x: (B, D).
        z_bar: (B, D).
        log_det_bar: (B,).

    Returns:
        x_bar (B, D) and the derivatives of the layers, as ``conditioner_vjp`` gives them.
    """
    mu, alpha = conditioner(weights, x)
    shrink = np.exp(-alpha)
    mu_bar = -z_bar * shrink
    alpha_bar = -z_bar * (x - mu) * shrink - log_det_bar[:, None]
    through_net, grads = conditioner_vjp(weights, x, mu_bar, alpha_bar)
    return z_bar * shrink + through_net, grads


def made_inverse_jacobian(weights: MadeWeights, x: Array) -> Array:
    """dz_i / dx_j at each row: (B, D, D), lower triangular with exp(-alpha) on the diagonal."""
    rows: list[Array] = []
    for output in range(weights.input_size):
        z_bar = np.zeros_like(x)
        z_bar[:, output] = 1.0
        rows.append(made_inverse_vjp(weights, x, z_bar, np.zeros(len(x)))[0])
    return np.stack(rows, axis=1)


@dataclass(frozen=True, eq=False)
class TriangularGradient:
    """Derivatives of a ``TriangularMap``'s parameters, (D,) each; of ``lean`` (D - 1,)."""

    scale: Array
    bend: Array
    shift: Array
    lean: Array


@dataclass(frozen=True, eq=False)
class TriangularMap(MapParameters):
    """A known map that replaces ``MADE.inverse`` when 1.3 is graded; a ``Block``.

    z_i = scale_i x_i + bend_i tanh(x_i) + shift_i + lean_i tanh(x_{i-1}), increasing in its own
    column. It is not affine, so that its log-determinant differs from row to row, and each column
    depends on the one before, so that it cannot be asked about one column at a time.
    """

    def inverse(self, x: Array) -> tuple[Array, Array]:
        """See ``triangular_inverse``."""
        return triangular_inverse(self, x)

    def inverse_vjp(
        self, x: Array, z_bar: Array, log_det_bar: Array
    ) -> tuple[Array, TriangularGradient]:
        """Derivatives through ``triangular_inverse``: x_bar (B, D) and the parameters'."""
        bent = np.tanh(x)
        bent_slope = 1.0 - bent**2
        slope = self.scale + self.bend * bent_slope
        slope_bar = log_det_bar[:, None] / slope
        x_bar = z_bar * slope + slope_bar * self.bend * (-2.0 * bent * bent_slope)
        x_bar[:, :-1] += z_bar[:, 1:] * self.lean * bent_slope[:, :-1]
        return x_bar, TriangularGradient(
            scale=(z_bar * x + slope_bar).sum(axis=0),
            bend=(z_bar * bent + slope_bar * bent_slope).sum(axis=0),
            shift=z_bar.sum(axis=0),
            lean=(z_bar[:, 1:] * bent[:, :-1]).sum(axis=0),
        )


@_quiet()
def triangular_inverse(map_: TriangularMap, x: Array) -> tuple[Array, Array]:
    """z (B, D) and log_det = sum log(scale + bend (1 - tanh(x)^2)) (B,)."""
    bent = np.tanh(x)
    slope = map_.scale + map_.bend * (1.0 - bent**2)
    z = map_.scale * x + map_.bend * bent + map_.shift
    z[:, 1:] += map_.lean * bent[:, :-1]
    return z, np.log(slope).sum(axis=1)


AnyBlock: TypeAlias = MadeWeights | TriangularMap


@dataclass(frozen=True, eq=False)
class TrainableMap(TrainableParameters):
    """A flexible known map that is trained in place of a MADE; an ``Invertible``.

    z_i = softplus(slope_i) x_i + sum_k r_ik tanh(inner_ik . x + offset_ik), where a unit sees the
    variables before x_i and, in the first half of the units, x_i itself through a weight w_ik.
    There r_ik = w_ik outer_ik^2, so that z_i increases with x_i; elsewhere r_ik = outer_ik.

    Source: the idea of a strictly increasing network per variable, arXiv:1804.00779.
    """

    def inverse(self, x: Array) -> tuple[Array, Array]:
        """See ``trainable_inverse``."""
        return trainable_inverse(self, x)


@_quiet()
def trainable_inverse(map_: TrainableMap, x: Array) -> tuple[Array, Array]:
    """z (B, D) and log_det = sum over i of log dz_i/dx_i (B,)."""
    inner = map_.inner * map_.sees
    own = np.einsum("iki->ik", inner)
    outer = np.where(map_.increasing, own * map_.outer**2, map_.outer)
    bent = np.tanh(np.einsum("bj,ikj->bik", x, inner) + map_.offset)
    least = np.logaddexp(0.0, map_.slope)
    z = least * x + (outer * bent).sum(axis=2)
    slope = least + (own * outer * (1.0 - bent**2)).sum(axis=2)
    return z, np.log(slope).sum(axis=1)


@_quiet()
def maf_log_prob(blocks: Sequence[Invertible], x: Array) -> Array:
    """log p(x) in nats, per row: (B,).

    log p(x) = log N(z; 0, I) + sum of the blocks' log-determinants, where x goes through every
    block's inverse followed by the reversal of its columns (``PermuteLayer``).

    Args:
        blocks: ``MadeWeights`` or known maps, in the order of ``MAF.nf``.
        x: (B, D).

    Source: assignment problem 1, change of variables; MAF, arXiv:1705.07057.
    """
    total = np.zeros(len(x))
    for block in blocks:
        x, log_det = block.inverse(x)
        total = total + log_det
        x = x[:, ::-1]
    base: Array = -0.5 * (x**2).sum(axis=1) - 0.5 * x.shape[1] * math.log(2.0 * math.pi)
    return total + base


@_quiet()
def maf_mean_log_prob_gradient(blocks: Sequence[Block[GradT_co]], x: Array) -> tuple[GradT_co, ...]:
    """Derivatives of the batch mean of ``maf_log_prob``, one entry per block.

    Returns:
        What each block's ``inverse_vjp`` gives for its parameters: ``LayerGrads`` for
        ``MadeWeights``, a ``TriangularGradient`` for ``TriangularMap``.
    """
    inputs: list[Array] = []
    for block in blocks:
        inputs.append(x)
        x = block.inverse(x)[0][:, ::-1]
    per_row = np.full(len(x), 1.0 / len(x))
    bar = -x * per_row[:, None]
    grads: list[GradT_co] = []
    for block, seen in zip(reversed(blocks), reversed(inputs), strict=True):
        bar, grad = block.inverse_vjp(seen, bar[:, ::-1], per_row)
        grads.append(grad)
    return tuple(reversed(grads))
