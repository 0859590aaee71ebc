"""The six losses as the handout states them: expected value and gradient from the evidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autograder.homework.losses.recovered import Evidence
from autograder.homework.oracles import gan
from autograder.homework.problems.arrays import GanProblem
from autograder.homework.problems.flow_parameters import Array
from autograder.homework.problems.probe_networks import Critic, LinearCritic, Rows, gradient_norms


@dataclass(frozen=True, eq=False)
class LossCall:
    """One call of a loss: what was drawn, what was recovered. What mistakes are predicted from."""

    function: str
    case: GanProblem
    critic: Critic | LinearCritic
    evidence: Evidence

    def logits(self, rows: Rows) -> Array:
        """The discriminator's output on images with their labels."""
        return self.critic.logits(rows.x, rows.labels)

    @property
    def real(self) -> Array:
        """Logits of the real batch."""
        return self.logits(self.evidence.real)

    @property
    def fake(self) -> Array:
        """Logits of the generated images, with the labels they were generated for."""
        return self.logits(self.evidence.fake)

    @property
    def between(self) -> Rows:
        """The interpolates.

        Raises:
            Unusable: d was given no such point.
        """
        return Rows(self.evidence.require_between(self.function))

    @property
    def alpha(self) -> Array:
        """The interpolates' weights of the fake image. Raises as `between` does."""
        self.evidence.require_between(self.function)
        return self.evidence.alpha

    @property
    def norms(self) -> Array:
        """Gradient norms of the critic at the interpolates."""
        return gradient_norms(self.critic, self.between)


def expected_value(situation: LossCall) -> float:
    """The loss that the handout states, from what the networks were given."""
    return expected_loss(situation).value


def expected_gradient(situation: LossCall) -> dict[str, Array]:
    """Its gradient by the parameters of the network that it trains."""
    loss, seen = expected_loss(situation), situation.evidence
    if situation.function.endswith("_d"):
        wasserstein = "wasserstein" in situation.function
        return gan.critic_gradient(
            situation.critic,
            loss,
            real=seen.real,
            fake=seen.fake,
            between=situation.between if wasserstein else None,
        )
    images_bar = situation.critic.vjp(seen.fake.x, seen.fake.labels, loss.fake_bar)[0]
    return situation.case.generator.vjp(seen.fake_z, seen.fake.labels, images_bar)


def expected_loss(situation: LossCall) -> gan.Loss:
    """The loss that the handout states, with its derivatives by logits and gradient norms."""
    match situation.function.removeprefix("conditional_"):
        case "loss_nonsaturating_d":
            return gan.nonsaturating_d(situation.real, situation.fake)
        case "loss_nonsaturating_g":
            return gan.nonsaturating_g(situation.fake)
        case "loss_wasserstein_gp_d":
            return gan.wasserstein_d(situation.real, situation.fake, situation.norms)
        case "loss_wasserstein_gp_g":
            return gan.wasserstein_g(situation.fake)
        case other:
            raise ValueError(f"{other} is not a loss of the handout")


def linear_critic_value(situation: LossCall) -> float:
    """The WGAN-GP loss of a linear critic w x + b: its gradient is w everywhere."""
    critic = situation.critic
    if not isinstance(critic, LinearCritic):
        raise ValueError("linear_critic_value needs a LinearCritic")
    penalty = (float(np.linalg.norm(critic.w)) - 1.0) ** 2
    return float(situation.fake.mean() - situation.real.mean() + gan.LAMBDA * penalty)
