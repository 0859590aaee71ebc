"""A loss of problems 2, 4 and 5 against the handout: its value, its gradient, large logits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from autograder.engine.judge.compare import close, difference
from autograder.engine.judge.verdicts import Advice, CheckFailed
from autograder.homework import losses, tolerances
from autograder.homework.gradients import flat, gradient_error
from autograder.homework.losses import Situation
from autograder.homework.mistakes.diagnosis import Diagnosis
from autograder.homework.oracles import gan
from autograder.homework.oracles.flow import Array
from autograder.homework.recover import recover
from autograder.homework.strategies import GanCase
from autograder.homework.student import GanLoss, Student

_LOGIT = 100.0


def check_value(student: Student, diagnosis: Diagnosis, case: GanCase, function: str) -> None:
    """The loss equals the handout's, computed from what the networks were given."""
    for other in _others(case):
        diagnosis.ask_if_failed(
            str(other), partial(_observe_value, student, diagnosis, other, function)
        )
    situation, loss, expected = _observe_value(student, diagnosis, case, function)
    if not close(loss.value, expected, tolerances.LOSS):
        shown = _what_d_was_given(situation)
        raise CheckFailed(
            f"{function} does not have the value that the handout states.",
            where=f"Smallest case found: {case}.",
            numbers="\n".join([difference("loss", loss.value, expected, tolerances.LOSS), *shown]),
        )


def check_gradient(student: Student, diagnosis: Diagnosis, case: GanCase, function: str) -> None:
    """The loss's gradient by the network that it trains equals the handout's."""
    for other in _others(case):
        diagnosis.ask_if_failed(
            str(other), partial(_observe_gradient, student, diagnosis, other, function)
        )
    loss, expected = _observe_gradient(student, diagnosis, case, function)
    network = "discriminator" if function.endswith("_d") else "generator"
    if not loss.reached:
        raise CheckFailed(
            f"No gradient of {function} reaches the {network}, which it is to train.",
            where=f"Smallest case found: {case}.",
            hint="Look for detach(), no_grad(), .item() or .data on the way to the loss.",
        )
    error = gradient_error(loss.gradients, expected)
    if error:
        raise CheckFailed(
            f"The gradient of {function} by the {network}'s parameters is wrong.",
            where=f"Smallest case found: {case}.",
            numbers=error,
        )


def check_linear_critic(student: Student, diagnosis: Diagnosis, case: GanCase) -> None:
    """The WGAN-GP loss of a linear critic, whose gradient norm is the same everywhere."""
    for other in _others(case):
        diagnosis.ask_if_failed(str(other), partial(_observe_linear, student, diagnosis, other))
    loss, expected = _observe_linear(student, diagnosis, case)
    if not close(loss.value, expected, tolerances.LOSS):
        norm = float(np.linalg.norm(case.linear_critic.w))
        raise CheckFailed(
            "For a linear critic w x + b the gradient is w everywhere, so the penalty must be "
            "10 (||w|| - 1)^2.",
            where=f"Smallest case found: {case}, ||w|| = {norm:.4f}.",
            numbers=difference("loss", loss.value, expected, tolerances.LOSS),
        )


def advise_on_large_logits(
    student: Student, functions: Sequence[str], *, conditional: bool
) -> None:
    """Say which losses are infinite when the discriminator answers +-100 to everything."""
    bad = []
    for function in functions:
        for logit in (-_LOGIT, _LOGIT):
            case = GanCase(2, 3, 1.0, conditional, student.seed)
            critic = gan.LinearCritic(np.zeros(case.x_real.shape[1]), logit)
            if not np.isfinite(student.gan_loss_value(function, case, critic)):
                bad.append(function)
    if bad:
        raise Advice(
            f"{' and '.join(dict.fromkeys(bad))}: infinite or NaN when d answers a logit of "
            f"{_LOGIT:.0f} or -{_LOGIT:.0f}. log(sigmoid(h)) underflows there; a loss computed "
            "from the logits in one step does not. No points are lost for this."
        )


def _observe_value(
    student: Student, diagnosis: Diagnosis, case: GanCase, function: str
) -> tuple[Situation, GanLoss, float]:
    """Call the loss and note its value, so that a known mistake can be named; and the right one."""
    loss = student.gan_loss(function, case)
    situation = Situation(function, case, case.critic, recover(case, loss, function))
    try:
        right = losses.expected_value(situation)
    except CheckFailed:  # d saw no interpolates: there is no right value, but there may be a name
        diagnosis.observe(function, situation, loss.value, None)
        raise
    diagnosis.observe(function, situation, loss.value, right)
    return situation, loss, right


def _observe_gradient(
    student: Student, diagnosis: Diagnosis, case: GanCase, function: str
) -> tuple[GanLoss, dict[str, Array]]:
    """Call the loss and note its value and its gradient; return it and the right gradient."""
    situation, loss, _ = _observe_value(student, diagnosis, case, function)
    expected = losses.expected_gradient(situation)
    diagnosis.observe(
        f"{function}.gradient", situation, flat(loss.gradients, expected), flat(expected, expected)
    )
    return loss, expected


def _observe_linear(student: Student, diagnosis: Diagnosis, case: GanCase) -> tuple[GanLoss, float]:
    """Call the WGAN-GP loss with a linear critic and note its value; and the right one."""
    function = "loss_wasserstein_gp_d"
    critic = case.linear_critic
    loss = student.gan_loss(function, case, critic=critic, gradient=False)
    situation = Situation(function, case, critic, recover(case, loss, function))
    expected = losses.linear_critic_value(situation)
    diagnosis.observe(f"{function}.linear", situation, loss.value, expected)
    return loss, expected


def _others(case: GanCase) -> list[GanCase]:
    """More cases of other sizes: on one case alone two mistakes may give the same."""
    return [GanCase(batch, 5, 1.5, case.conditional, batch) for batch in (3, 4, 5, 7)]


def _what_d_was_given(situation: Situation) -> Iterator[str]:
    """Say which images d was given that the loss is not about, or was not given."""
    seen, function = situation.evidence, situation.function
    others = len(seen.strange)
    if function != "loss_wasserstein_gp_d":
        others += len(seen.between)
    if others:
        yield f"d was given {others} images that are neither real ones nor made by g."
    if seen.d_saw_fake == 0:
        yield "d was given none of the images that g made."
    if seen.d_saw_real == 0 and function.endswith("_d"):
        yield "d was given none of the real images."
