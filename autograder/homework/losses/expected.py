"""The assignment's formula for the six losses: expected value and gradient of one call."""

from __future__ import annotations

from autograder.homework.losses.recovered import PENALISED, LossCall
from autograder.homework.oracles import gan
from autograder.homework.problems.flow_parameters import Array


def expected_value(call: LossCall) -> float:
    """The value of the loss, computed from the inputs of the networks."""
    return expected_loss(call).value


def expected_gradient(call: LossCall) -> dict[str, Array]:
    """Its gradient by the parameters of the network that it trains."""
    loss, inputs = expected_loss(call), call.inputs
    if call.function.endswith("_d"):
        return gan.critic_gradient(
            call.critic,
            loss,
            real=inputs.real,
            fake=inputs.fake,
            between=call.interpolates if call.function == PENALISED else None,
        )
    return gan.generator_gradient(
        call.case.generator, call.critic, loss, inputs.fake_z, inputs.fake.labels
    )


def expected_loss(call: LossCall) -> gan.Loss:
    """The loss with its derivatives by logits and gradient norms."""
    match call.function.removeprefix("conditional_"):
        case "loss_nonsaturating_d":
            return gan.nonsaturating_d(call.real, call.fake)
        case "loss_nonsaturating_g":
            return gan.nonsaturating_g(call.fake)
        case "loss_wasserstein_gp_d":
            return gan.wasserstein_d(call.real, call.fake, call.norms)
        case "loss_wasserstein_gp_g":
            return gan.wasserstein_g(call.fake)
        case other:
            raise ValueError(f"{other} is not a loss of the assignment")
