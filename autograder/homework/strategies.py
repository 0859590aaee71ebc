"""Cases for the checks: weights, batches, latents and labels.

A case has only sizes and a seed, so that it shrinks to the smallest sizes and its `repr` is a line
that can be pasted into Python; `str` is what a student reads. Its arrays are drawn from them on
first use, with numpy. They are read-only float64 arrays of float32 numbers, so that oracle and
student start from the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from autograder.engine.judge.drawn_cases import Cases
from autograder.homework.oracles import flow
from autograder.homework.problems.arrays import made_in_words, maf_in_words, short_array
from autograder.homework.problems.flow_parameters import Array, masks
from autograder.homework.problems.gan_case import GanCase, exact

MAX_ALPHA = 1.5  # |alpha|: exp(+-alpha) stays within a factor of 4.5
STEEP_ALPHA = 5.5  # the bias of alpha in steep cases: beyond a clamp "to be safe"
MAX_SIZE = 6.0  # |x| and |z|; the density there is about exp(-18) a column
KINK_MARGIN = 1e-3  # a ReLU input closer to 0 could switch sides between float32 and float64
WEIGHT_GAIN = 1.3
MAX_TRIES = 1000


AnyCase = TypeVar("AnyCase", bound="MadeCase | MafCase | GanCase")


@dataclass(frozen=True)
class MadeCase:
    """One MADE with a batch of data and a batch of noise.

    Args:
        input_size: D.
        hidden_size: H.
        n_hidden: Hidden layers after the input layer.
        batch: B.
        seed: Seed of the arrays.
    """

    input_size: int
    hidden_size: int
    n_hidden: int
    batch: int
    seed: int

    @property
    def used(self) -> bool:
        """Whether the network is in evaluation mode and was called once before."""
        return False

    @property
    def weights(self) -> flow.MadeWeights:
        """The parameters, unmasked; |alpha| <= 1.5 on x and on the images of z."""
        return self._drawn[0]

    @property
    def x(self) -> Array:
        """Data (B, D)."""
        return self._drawn[1]

    @property
    def z(self) -> Array:
        """Noise (B, D)."""
        return self._drawn[2]

    @cached_property
    def from_z(self) -> tuple[Array, Array]:
        """The correct x and alpha (B, D) of z."""
        return flow.made_forward(self.weights, self.z)

    @cached_property
    def from_x(self) -> tuple[Array, Array]:
        """The correct z (B, D) and log-determinant (B,) of x."""
        return flow.made_inverse(self.weights, self.x)

    @cached_property
    def jacobian(self) -> Array:
        """The correct dz_i/dx_j at x, (B, D, D)."""
        return flow.made_inverse_jacobian(self.weights, self.x)

    @property
    def with_x(self) -> str:
        """The sizes, and x if it is short."""
        return f"{self}{short_array('x', self.x)}"

    @property
    def with_z(self) -> str:
        """The sizes, and z if it is short."""
        return f"{self}{short_array('z', self.z)}"

    def __str__(self) -> str:
        return made_in_words(self)

    @cached_property
    def _drawn(self) -> tuple[flow.MadeWeights, Array, Array]:
        return self._draw()

    def _draw(self) -> tuple[flow.MadeWeights, Array, Array]:
        sizes = (self.input_size, self.hidden_size, self.n_hidden)
        rng = np.random.default_rng((*sizes, self.batch, self.seed))
        weights = _draw_made(rng, *sizes)
        x, z = (_normal_rows(rng, self.batch, self.input_size) for _ in range(2))

        while not (_tame(weights, x) & _tame(weights, flow.made_forward(weights, z)[0])).all():
            weights = _milder(weights)
        x = _redrawn(rng, x, lambda rows: is_well_conditioned([weights], rows))
        z = _redrawn(
            rng, z, lambda rows: is_well_conditioned([weights], flow.made_forward(weights, rows)[0])
        )
        return weights, x, z


@dataclass(frozen=True)
class SteepMadeCase(MadeCase):
    """A MADE that stretches one variable by exp(5.5) and squeezes the next, as trained ones do.

    It reveals clamps to a range that other cases never leave.
    """

    def __str__(self) -> str:
        return f"{super().__str__()}, alpha about {STEEP_ALPHA} and -{STEEP_ALPHA}"

    def _draw(self) -> tuple[flow.MadeWeights, Array, Array]:
        weights, x, z = super()._draw()
        weight, bias = weights.layers[-1]
        signs = np.where(np.arange(self.input_size) % 2, -1.0, 1.0)
        alpha = slice(self.input_size, None)  # mu first, then alpha
        weight, bias = weight.copy(), bias.copy()
        weight[alpha] /= 4096  # alpha depends little on the data, however large x gets
        bias[alpha] = STEEP_ALPHA * signs
        return flow.MadeWeights((*weights.layers[:-1], (exact(weight), exact(bias)))), x, z


class _Used:
    """Mixin for cases: the network is in evaluation mode and was called before.

    It reveals code that depends on the mode, on earlier calls or on the size of the batch.
    """

    @property
    def used(self) -> bool:
        """Always true here."""
        return True

    def __str__(self) -> str:
        return f"{super().__str__()}, a network in evaluation mode, called for the second time"


@dataclass(frozen=True)
class UsedMadeCase(_Used, MadeCase):
    """A used MADE, with a batch of the size that the homework's plots use."""


STEEP = SteepMadeCase(input_size=2, hidden_size=6, n_hidden=1, batch=5, seed=5)
USED = UsedMadeCase(input_size=2, hidden_size=6, n_hidden=1, batch=300, seed=5)


def and_special(case: AnyCase, *special: AnyCase) -> tuple[AnyCase, ...]:
    """Return a case, followed by the special ones if it is the simplest.

    The simplest always comes first. If the special ones came before it, every failure would show
    them instead of the smallest case.
    """
    return (case, *special) if case.seed == 0 else (case,)


@dataclass(frozen=True)
class MafCase:
    """A MAF of several MADEs with a batch of data.

    Args:
        input_size: D.
        hidden_size: H.
        n_hidden: Hidden layers after the input layer, in every MADE.
        n_flows: Number of MADEs, each followed by a reversal of the columns.
        batch: B.
        seed: Seed of the arrays.
    """

    input_size: int
    hidden_size: int
    n_hidden: int
    n_flows: int
    batch: int
    seed: int

    @property
    def used(self) -> bool:
        """Whether the network is in evaluation mode and was called once before."""
        return False

    @property
    def blocks(self) -> tuple[flow.MadeWeights, ...]:
        """The parameters of every MADE, in the order of ``MAF.nf``."""
        return self._drawn[0]

    @property
    def x(self) -> Array:
        """Data (B, D)."""
        return self._drawn[1]

    @property
    def with_x(self) -> str:
        """The sizes, and x if it is short."""
        return f"{self}{short_array('x', self.x)}"

    def __str__(self) -> str:
        return maf_in_words(self)

    @cached_property
    def maps(self) -> tuple[flow.TriangularMap, ...]:
        """Known maps that replace the MADEs when ``log_probs`` is graded alone."""
        rng = np.random.default_rng((self.n_flows, self.input_size, self.seed))
        return tuple(
            flow.TriangularMap(
                scale=exact(rng.uniform(0.3, 0.8, self.input_size)),
                bend=exact(rng.uniform(0.3, 0.8, self.input_size)),
                shift=exact(rng.uniform(-0.5, 0.5, self.input_size)),
                lean=exact(rng.uniform(0.4, 0.8, self.input_size - 1)),
            )
            for _ in range(self.n_flows)
        )

    @cached_property
    def _drawn(self) -> tuple[tuple[flow.MadeWeights, ...], Array]:
        sizes = (self.input_size, self.hidden_size, self.n_hidden)
        rng = np.random.default_rng((*sizes, self.n_flows, self.batch, self.seed))
        x = _normal_rows(rng, self.batch, self.input_size)
        blocks: list[flow.MadeWeights] = []
        inputs = x
        for _ in range(self.n_flows):
            block = _draw_made(rng, *sizes)
            while not _tame(block, inputs).all():
                block = _milder(block)
            blocks.append(block)
            inputs = block.inverse(inputs)[0][:, ::-1]
        return tuple(blocks), _redrawn(rng, x, lambda rows: is_well_conditioned(blocks, rows))


@dataclass(frozen=True)
class UsedMafCase(_Used, MafCase):
    """A used MAF."""


# More blocks than the homework's five.
USED_MAF = UsedMafCase(input_size=2, hidden_size=6, n_hidden=1, n_flows=6, batch=100, seed=5)


_SEEDS = range(2**32)


def made_cases(least_size: int = 2, most_size: int = 6) -> Cases[MadeCase]:
    """MADEs with D 2..6 (so D > B and D > H too), H 2..12, one or two hidden layers, B 2..8."""
    return Cases(
        MadeCase,
        input_size=range(least_size, most_size + 1),
        hidden_size=range(2, 13),
        n_hidden=range(1, 3),
        batch=range(2, 9),
        seed=_SEEDS,
    )


def maf_cases(least_size: int = 2, most_size: int = 6) -> Cases[MafCase]:
    """MAFs of one to three such MADEs."""
    return Cases(
        MafCase,
        input_size=range(least_size, most_size + 1),
        hidden_size=range(2, 13),
        n_hidden=range(1, 3),
        n_flows=range(1, 4),
        batch=range(2, 9),
        seed=_SEEDS,
    )


def gan_cases(conditional: bool) -> Cases[GanCase]:
    """Probe networks with batches of 2..8 and latents of 3..12."""
    return Cases(
        GanCase,
        batch=range(2, 9),
        dim_z=range(3, 13),
        scale=(1.0, 1.5, 2.0),
        conditional=(conditional,),
        seed=_SEEDS,
    )


def _normal_rows(rng: np.random.Generator, batch: int, size: int) -> Array:
    return exact(rng.standard_normal((batch, size)))


def _draw_made(
    rng: np.random.Generator, input_size: int, hidden_size: int, n_hidden: int
) -> flow.MadeWeights:
    layers: list[tuple[Array, Array]] = []
    for mask in masks(input_size, hidden_size, n_hidden):
        fan_in = np.maximum(mask.sum(axis=1, keepdims=True), 1.0)
        weight = WEIGHT_GAIN * rng.standard_normal(mask.shape) / np.sqrt(fan_in)
        # Biases stay away from 0: where all units before are off, only the bias counts.
        bias = rng.uniform(0.1, 0.5, len(mask)) * rng.choice((-1.0, 1.0), len(mask))
        layers.append((exact(weight), exact(bias)))
    return flow.MadeWeights(tuple(layers))


def _milder(weights: flow.MadeWeights) -> flow.MadeWeights:
    """The same MADE with mu and alpha halved (halving is exact): closer to the identity."""
    weight, bias = weights.layers[-1]
    return flow.MadeWeights((*weights.layers[:-1], (exact(weight / 2), exact(bias / 2))))


def _tame(weights: flow.MadeWeights, x: Array) -> NDArray[np.bool_]:
    """Per row (B,): whether alpha, x and z = inverse(x) are small enough for float32."""
    return _judged(weights, x)[0]


def _judged(weights: flow.MadeWeights, x: Array) -> tuple[NDArray[np.bool_], list[Array], Array]:
    """Whether each row is tame (B,); the inputs of the ReLUs; z = inverse(x)."""
    *hidden, output = flow.pre_activations(weights, x)
    mu, alpha = np.split(output, 2, axis=1)
    z = (x - mu) * np.exp(-alpha)
    good = (np.abs(alpha) <= MAX_ALPHA) & (np.abs(x) <= MAX_SIZE) & (np.abs(z) <= MAX_SIZE)
    return np.asarray(good.all(axis=1)), hidden, z  # NaN counts as not small


def is_well_conditioned(blocks: Sequence[flow.MadeWeights], x: Array) -> NDArray[np.bool_]:
    """Per row (B,): whether every block is tame and no ReLU is near its kink."""
    good = np.ones(len(x), dtype=np.bool_)
    for block in blocks:
        tame, hidden, z = _judged(block, x)
        good &= tame
        for inputs in hidden:
            good &= (np.abs(inputs) > KINK_MARGIN).all(axis=1)
        x = z[:, ::-1]
    return good


def _redrawn(
    rng: np.random.Generator, rows: Array, accept: Callable[[Array], NDArray[np.bool_]]
) -> Array:
    """The rows, with new draws in place of those that are not accepted."""
    for _ in range(MAX_TRIES):
        rejected = ~accept(rows)
        if not rejected.any():
            return rows
        rows = exact(np.where(rejected[:, None], rng.standard_normal(rows.shape), rows))
    raise ValueError(f"no well-conditioned rows in {MAX_TRIES} draws of shape {rows.shape}")
