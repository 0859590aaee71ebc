"""Predicted answers of mistakes in the losses of problems 2, 4 and 5, in numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from autograder.engine.catalogue.solutions import Prediction, Wrong
from autograder.engine.judge.diagnosis import Family
from autograder.engine.judge.gradients import flat
from autograder.homework.losses import expected as losses
from autograder.homework.losses.recovered import LossCall
from autograder.homework.oracles import gan
from autograder.homework.problems.flow_parameters import Array

# From the logits (B,) of one batch to its part of the loss, before and after the mean.
Term: TypeAlias = Callable[[Array], Array]
Reduction: TypeAlias = Callable[[Array], Any]
# From the critic's gradients by the images (B, 784) to the penalty, without lambda.
Penalty: TypeAlias = Callable[[Array], Any]


@dataclass(frozen=True)
class LossMistakes:
    """Makes the entries of one loss function.

    Args:
        function: its name in gan.py.
    """

    function: str

    @property
    def region(self) -> str:
        """The function's solution region."""
        if self.function.startswith("conditional"):
            return f"4.2 {self.function}"
        return f"{'5.5' if 'wasserstein' in self.function else '2.2'} {self.function}"

    def __call__(
        self,
        id: str,
        sentence: str,
        code: str,
        *,
        hint: str = "",
        value: Prediction | None = None,
        gradient: Prediction | None = None,
        says: str = "",
        also: Mapping[str, str] | None = None,
    ) -> Wrong:
        """Return an entry, named by its `value`, its `gradient`, or a check that `says` so.

        A `Family` as value brings its own hint.
        """
        if isinstance(value, Family):
            hint = value.hint(value.number)
        answers: dict[str, Prediction] = {}
        if value is not None:
            answers[self.function] = value
            if self.function == "loss_wasserstein_gp_d":
                answers[f"{self.function}.linear"] = value
        if gradient is not None:
            answers[f"{self.function}.gradient"] = gradient
        return Wrong(id, self.region, sentence, code, also or {}, hint, answers, says)


# ---- terms ------------------------------------------------------------------------------------


def as_real(logits: Array) -> Array:
    """-log D: the cost of an image labelled real."""
    return gan.softplus(-logits)


def as_fake(logits: Array) -> Array:
    """-log(1 - D): the cost of an image labelled fake."""
    return gan.softplus(logits)


def smoothed(target: float) -> Term:
    """Binary cross-entropy with a label between 0 and 1."""
    return lambda logits: target * as_real(logits) + (1.0 - target) * as_fake(logits)


def itself(logits: Array) -> Array:
    """The logits as they are."""
    return logits


def nothing(logits: Array) -> Array:
    """A missing term."""
    return np.zeros_like(logits)


def squared_distance(target: float) -> Term:
    """(h - target)^2."""
    return lambda logits: (logits - target) ** 2


def hinge(sign: float) -> Term:
    """max(0, 1 - sign h)."""
    return lambda logits: np.maximum(0.0, 1.0 - sign * logits)


def minus_log_softmax(logits: Array) -> Array:
    """-log softmax over the batch."""
    highest = logits.max()
    total: Array = highest + np.log(np.exp(logits - highest).sum()) - logits
    return total


# ---- whole losses -----------------------------------------------------------------------------


def d_loss(
    on_real: Term, on_fake: Term, reduced: Reduction = np.mean, factor: float = 1.0
) -> Prediction:
    """factor * (reduced(on_real(real logits)) + reduced(on_fake(fake logits)))."""
    return lambda s: factor * (reduced(on_real(s.real)) + reduced(on_fake(s.fake)))


def g_loss(on_fake: Term, reduced: Reduction = np.mean, factor: float = 1.0) -> Prediction:
    """factor * reduced(on_fake(fake logits))."""
    return lambda s: factor * reduced(on_fake(s.fake))


def on_images(
    change: Callable[[Array], Array], loss: Callable[[LossCall, Array], Any]
) -> Prediction:
    """A loss of d's logits for changed fake images; `loss` gets the call and these logits."""

    def predict(s: LossCall) -> Any:
        fake = s.inputs.fake
        return loss(s, s.critic.logits(change(fake.x), fake.labels))

    return predict


def mean(values: Array) -> float:
    """The mean as a number."""
    return float(values.mean())


def gradient_without(*dropped: str) -> Prediction:
    """The discriminator's gradient without some terms: "real", "fake", "between"."""

    def predict(s: LossCall) -> ArrayLike | None:
        if len(s.inputs.interpolates) == 0 and "wasserstein" in s.function:
            return None
        loss = losses.expected_loss(s)
        none = np.zeros(0)
        gradient = gan.critic_gradient(
            s.critic,
            gan.Loss(
                loss.value,
                real_bar=none if "real" in dropped else loss.real_bar,
                fake_bar=none if "fake" in dropped else loss.fake_bar,
                norm_bar=none if "between" in dropped else loss.norm_bar,
            ),
            real=None if "real" in dropped else s.inputs.real,
            fake=None if "fake" in dropped else s.inputs.fake,
            between=None if "between" in dropped or len(loss.norm_bar) == 0 else s.interpolates,
        )
        return flat(gradient, gradient)

    return predict


# ---- WGAN-GP ----------------------------------------------------------------------------------


def norms_of(gradients: Array) -> Array:
    """One Euclidean norm for every image."""
    norms: Array = np.linalg.norm(gradients, axis=1)
    return norms


def squared_excess(norms: Array) -> float:
    """The penalty of these norms."""
    return float(((norms - 1.0) ** 2).mean())


def from_norms(penalty: Callable[[Array], Any]) -> Penalty:
    """A penalty that depends only on the norms of the images' gradients."""
    return lambda gradients: penalty(norms_of(gradients))


RIGHT_PENALTY: Penalty = from_norms(squared_excess)


def interpolates_of(s: LossCall) -> Array | None:
    """The points between real and fake images that d was given; None if there were none."""
    return s.inputs.interpolates if len(s.inputs.interpolates) else None


def real_images(s: LossCall) -> Array | None:
    """The real images."""
    return s.inputs.real.x


def fake_images(s: LossCall) -> Array | None:
    """The generated images."""
    return s.inputs.fake.x


def critic_loss(
    penalty: Penalty = RIGHT_PENALTY,
    *,
    at: Callable[[LossCall], Array | None] = interpolates_of,
    lam: float = gan.LAMBDA,
    first: Callable[[LossCall], Any] = lambda s: mean(s.fake) - mean(s.real),
    factor: float = 1.0,
) -> Prediction:
    """factor * (first + lam * penalty(gradients at the given points))."""

    def predict(s: LossCall) -> Any:
        points = at(s)
        if points is None:
            return None
        return factor * (first(s) + lam * penalty(s.critic.input_gradient(points)))

    return predict


def critic_loss_by_weights(penalty: Callable[[Array, Array, LossCall], Any]) -> Prediction:
    """A WGAN-GP loss whose penalty also depends on the fake images' weights."""

    def predict(s: LossCall) -> Any:
        if len(s.inputs.interpolates) != len(s.inputs.real.x):
            return None
        gradients = s.critic.input_gradient(s.inputs.interpolates)
        return mean(s.fake) - mean(s.real) + gan.LAMBDA * penalty(gradients, s.inputs.alpha, s)

    return predict
