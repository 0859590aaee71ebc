"""Predicted answers of mistakes in problem 1, in numpy: small pieces that entries combine.

`x`, `z`, `mu` and `alpha` are (B, D) or, where one column is meant, (B,).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from autograder.engine.catalogue.solutions import Prediction, Wrong
from autograder.engine.judge.gradients import flat
from autograder.homework.flow_gradients import flow_gradients
from autograder.homework.mistakes.flow_code import FORWARD
from autograder.homework.oracles import flow
from autograder.homework.problems.flow_parameters import Array
from autograder.homework.strategies import MadeCase, MafCase

# From the output of MADE.net (B, 2 D) to mu and alpha.
Split: TypeAlias = Callable[[Array], tuple[Array, Array]]
# From the input (z in forward, x in inverse), mu and alpha to the output.
Step: TypeAlias = Callable[[Array, Array, Array], Array]
# From a batch to the batch that MADE.net gets instead.
View: TypeAlias = Callable[[Array], Array]


@dataclass(frozen=True)
class FlowMistakes:
    """Makes the entries of one function of problem 1.

    Args:
        region: its solution region, "1.2 MADE.inverse".
    """

    region: str

    def __call__(
        self,
        id: str,
        sentence: str,
        code: str,
        *,
        hint: str = "",
        says: str = "",
        also: Mapping[str, str] | None = None,
        keeps: frozenset[str] = frozenset(),
        **answers: Prediction,
    ) -> Wrong:
        """Return an entry; `answers` by their names: x, z, log_det, jacobian, value, gradient."""
        if self.region == FORWARD and "log_det" in answers:  # wrong with either sign
            answers["log_det.negated"] = answers["log_det"]
        function = self.region.partition(" ")[2]
        named = {f"{function}.{name}".removesuffix(".value"): answers[name] for name in answers}
        return Wrong(id, self.region, sentence, code, also or {}, hint, named, says, keeps)


# ---- splits and views ---------------------------------------------------------------------------


def halves(output: Array) -> tuple[Array, Array]:
    """mu first, alpha second: the correct split."""
    size = output.shape[1] // 2
    return output[:, :size], output[:, size:]


def swapped(output: Array) -> tuple[Array, Array]:
    """alpha first, mu second."""
    mu, alpha = halves(output)
    return alpha, mu


def interleaved(output: Array) -> tuple[Array, Array]:
    """Even columns for mu, odd ones for alpha."""
    return output[:, 0::2], output[:, 1::2]


def previous_column(output: Array) -> tuple[Array, Array]:
    """The mu and alpha of the previous column; the first gets those of the last."""
    mu, alpha = halves(output)
    return np.roll(mu, 1, axis=1), np.roll(alpha, 1, axis=1)


def same(x: Array) -> Array:
    """The batch unchanged."""
    return x


def first_example(x: Array) -> Array:
    """The first example in all rows."""
    return np.broadcast_to(x[:1], x.shape)


def batch_mean(x: Array) -> Array:
    """The average example in all rows."""
    return np.broadcast_to(x.mean(axis=0, keepdims=True), x.shape)


def previous_example(x: Array) -> Array:
    """The previous example in each row."""
    return np.roll(x, 1, axis=0)


# ---- 1.1 MADE.forward ---------------------------------------------------------------------------


def forward_step(z: Array, mu: Array, alpha: Array) -> Array:
    """mu + z exp(alpha): the correct step."""
    return mu + z * np.exp(alpha)


def forward_columns(
    step: Step = forward_step,
    *,
    split: Split = halves,
    view: View = same,
    columns: Callable[[MadeCase], Sequence[int]] = lambda case: range(case.input_size),
    start: Callable[[Array], Array] = np.zeros_like,
) -> Prediction:
    """x computed one column at a time, each from the x so far."""

    def predict(case: MadeCase) -> Array:
        x = start(case.z)
        for i in columns(case):
            mu, alpha = split(_net(case, view(x)))
            x[:, i] = step(case.z[:, i], mu[:, i], alpha[:, i])
        return x

    return predict


def forward_passes(
    passes: Callable[[MadeCase], int], start: View = np.zeros_like, *, scales_x: bool = False
) -> Prediction:
    """x from a number of passes over all columns at once, starting from `start(z)`.

    With `scales_x`, each pass scales the previous x instead of z.
    """

    def predict(case: MadeCase) -> Array:
        x = start(case.z)
        for _ in range(passes(case)):
            x = forward_step(x if scales_x else case.z, *halves(_net(case, x)))
        return x

    return predict


def forward_log_det(of: Callable[[MadeCase, Array], Array]) -> Prediction:
    """A log-determinant of the case and the correct alpha."""
    return lambda case: of(case, flow.made_forward(case.weights, case.z)[1])


# ---- 1.2 MADE.inverse ---------------------------------------------------------------------------


def inverse_step(x: Array, mu: Array, alpha: Array) -> Array:
    """(x - mu) / exp(alpha): the correct step."""
    return (x - mu) * np.exp(-alpha)


def inverse_z(step: Step = inverse_step, *, split: Split = halves, view: View = same) -> Prediction:
    """z from all columns at once."""
    return lambda case: step(case.x, *split(_net(case, view(case.x))))


def inverse_log_det(of: Callable[[MadeCase, Array, Array], Array]) -> Prediction:
    """A log-determinant of the case and the correct mu and alpha."""
    return lambda case: of(case, *flow.conditioner(case.weights, case.x))


def inverse_jacobian(*, through_mu: bool, through_alpha: bool, at_all: bool = True) -> Prediction:
    """dz/dx (B, D, D) with some of the paths from x to z cut."""

    def predict(case: MadeCase) -> Array:
        mu, alpha = flow.conditioner(case.weights, case.x)
        shrink = np.exp(-alpha)
        rows = []
        for i in range(case.input_size):
            z_bar = np.zeros_like(case.x)
            z_bar[:, i] = shrink[:, i]
            mu_bar = -z_bar * through_mu
            alpha_bar = -z_bar * (case.x - mu) * through_alpha
            through_net, _ = flow.conditioner_vjp(case.weights, case.x, mu_bar, alpha_bar)
            rows.append((z_bar + through_net) * at_all)
        return np.stack(rows, axis=1)

    return predict


def _net(case: MadeCase, x: Array) -> Array:
    return flow.pre_activations(case.weights, x)[-1]


# ---- 1.3 MAF.log_probs --------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Walk:
    """A pass through the blocks: the base sample z (B, D), the sum of log-determinants (B,)."""

    case: MafCase
    z: Array
    log_det: Array

    @property
    def base(self) -> Array:
        """log N(z; 0, 1) of every entry, (B, D)."""
        return log_normal(self.z)


def log_normal(z: Array) -> Array:
    """log N(z; 0, 1) entry by entry."""
    return -0.5 * z**2 - 0.5 * math.log(2 * math.pi)


def walk(case: MafCase) -> Walk:
    """The correct pass: each block's inverse, then the reversal of the columns."""
    z, log_det = case.x, np.zeros(case.batch)
    for block in case.maps:
        z, own = block.inverse(z)
        z, log_det = z[:, ::-1], log_det + own
    return Walk(case, z, log_det)


def log_probs_of(walked: Callable[[Walk], Array | float]) -> Prediction:
    """log_probs computed from the correct pass through the blocks."""
    return lambda case: np.asarray(walked(walk(case)), dtype=np.float64)


def usual(steps: Walk) -> float:
    """Base density plus log-determinant, averaged over the batch: the correct value."""
    return float((steps.base.sum(axis=1) + steps.log_det).mean())


def gradient_where(of: Callable[[MafCase], Mapping[str, Array]]) -> Prediction:
    """The gradient by all parameters of the known maps; a missing one is zero."""
    return lambda case: flat(of(case), flow_gradients(case.maps, case.x))
