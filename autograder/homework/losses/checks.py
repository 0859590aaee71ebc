"""A loss of problems 2, 4 and 5 against the handout: its value and its gradient."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from autograder.engine.catalogue.diagnosis import Diagnosis
from autograder.engine.judge.compare import Tolerance, close, difference
from autograder.engine.judge.exceptions import CheckFailed, Unusable
from autograder.homework import tolerances
from autograder.homework.gradients import flat, gradient_error
from autograder.homework.losses import expected as losses
from autograder.homework.losses.expected import LossCall
from autograder.homework.losses.recovered import recover
from autograder.homework.losses.validity import require_drawn
from autograder.homework.problems.flow_parameters import Array
from autograder.homework.problems.gan_case import GanCase, HighGanCase, SureGanCase
from autograder.homework.strategies import and_special
from autograder.homework.student import GanLoss, Student

# Of so many images it can be told whether they were drawn or chosen.
_LARGE = {conditional: GanCase(24, 6, 1.5, conditional, 24) for conditional in (False, True)}
# A logit where d is sure and wrong: its probability, 7e-5, lies below a clamp at 1e-4 and is far
# larger than an epsilon of 1e-6. Rounded to float32, 1 - p is still right to 5e-4 of itself, so
# log(1 - sigmoid(h)) is correct here; it is infinite from about 17 on.
_SURE_LOGIT = 9.6
# Only where a mistake is looked for: with one logit alone, every constant looks like a clamp.
_OTHER_SURE_LOGITS = (8.0, 10.5)
_HIGH = 100.0
# What the probes give to right solutions: gradients of 1e-2 and more, norms from 0.3 to 3.
_FLAT, _FLAT_CRITIC = 1e-6, 0.05


def check_value(student: Student, diagnosis: Diagnosis, case: GanCase, function: str) -> None:
    """The loss equals the handout's, computed from what the networks were given."""
    for other in _others(case, function):
        diagnosis.ask_if_failed(
            str(other), partial(_observe_value, student, diagnosis, other, function)
        )
    for one in and_special(case, _LARGE[case.conditional], *_extreme(case, function, _SURE_LOGIT)):
        _check_value(student, diagnosis, one, function)


def _check_value(student: Student, diagnosis: Diagnosis, case: GanCase, function: str) -> None:
    situation, loss, expected = _observe_value(student, diagnosis, case, function)
    tolerance, _ = _tolerances(case)
    if not close(loss.value, expected, tolerance):
        shown = _what_d_was_given(situation)
        raise CheckFailed(
            f"{function} does not have the value that the handout states.",
            where=f"Smallest case found: {case}.",
            numbers="\n".join([difference("loss", loss.value, expected, tolerance), *shown]),
        )
    _require_evidence(situation)


def check_gradient(student: Student, diagnosis: Diagnosis, case: GanCase, function: str) -> None:
    """The loss's gradient by the network that it trains equals the handout's."""
    for other in _others(case, function):
        diagnosis.ask_if_failed(
            str(other), partial(_observe_gradient, student, diagnosis, other, function)
        )
    for one in and_special(case, _LARGE[case.conditional], *_extreme(case, function, _SURE_LOGIT)):
        _check_gradient(student, diagnosis, one, function)


def _check_gradient(student: Student, diagnosis: Diagnosis, case: GanCase, function: str) -> None:
    situation, loss, expected = _observe_gradient(student, diagnosis, case, function)
    network = "discriminator" if function.endswith("_d") else "generator"
    if not loss.reached:
        raise CheckFailed(
            f"No gradient of {function} reaches the {network}, which it is to train.",
            where=f"Smallest case found: {case}.",
            hint="Look for detach(), no_grad(), .item() or .data on the way to the loss.",
        )
    _, relative = _tolerances(case)
    error = gradient_error(loss.gradients, expected, relative)
    if error:
        raise CheckFailed(
            f"The gradient of {function} with respect to the {network} is wrong.",
            where=f"Smallest case found: {case}.",
            numbers=error,
        )
    _require_evidence(situation)
    if max(float(np.abs(array).max()) for array in expected.values()) < _FLAT:
        raise Unusable(
            f"{function} is called where no gradient reaches the {network}, whatever the loss is.",
            where=f"Smallest case found: {case}.",
        )


def _require_evidence(situation: LossCall) -> None:
    """Refuse an equality that says nothing, because the networks were not asked what they must be.

    Raises:
        Unusable: d did not see what the loss is about, or saw it only where it is flat.
    """
    seen, function = situation.evidence, situation.function
    if seen.d_saw_fake == 0:
        raise Unusable(f"{function} never gives d an image that g made.")
    if seen.d_saw_real == 0 and function.endswith("_d"):
        raise Unusable(f"{function} never gives d a real image.")
    if function == "loss_wasserstein_gp_d" and float(situation.norms.max()) < _FLAT_CRITIC:
        raise Unusable(
            f"{function} takes the gradient penalty only where the critic is flat.",
            numbers=f"The greatest gradient norm there is {situation.norms.max():.2g}.",
        )
    require_drawn(situation)


def _observe_value(
    student: Student, diagnosis: Diagnosis, case: GanCase, function: str
) -> tuple[LossCall, GanLoss, float]:
    """Call the loss and note its value, so that a known mistake can be named; and the right one."""
    loss = student.gan_loss(function, case)
    situation = LossCall(function, case, case.critic, recover(case, loss, function))
    try:
        right = losses.expected_value(situation)
    except Unusable:  # d saw no interpolates: there is no right value, but there may be a name
        diagnosis.observe(function, situation, loss.value, None)
        raise
    diagnosis.observe(function, situation, loss.value, right)
    return situation, loss, right


def _observe_gradient(
    student: Student, diagnosis: Diagnosis, case: GanCase, function: str
) -> tuple[LossCall, GanLoss, dict[str, Array]]:
    """Call the loss and note its value and its gradient; return it and the right gradient."""
    situation, loss, _ = _observe_value(student, diagnosis, case, function)
    expected = losses.expected_gradient(situation)
    diagnosis.observe(
        f"{function}.gradient", situation, flat(loss.gradients, expected), flat(expected, expected)
    )
    return situation, loss, expected


def _tolerances(case: GanCase) -> tuple[Tolerance, float]:
    """Of a loss's value and of its gradient, relative to the gradient's norm."""
    if isinstance(case, SureGanCase):
        return tolerances.SURE, tolerances.SURE_GRADIENT_RELATIVE
    return tolerances.LOSS, tolerances.GRADIENT_RELATIVE


def _others(case: GanCase, function: str) -> Iterator[GanCase]:
    """More cases of other sizes: on one case alone two mistakes may give the same."""
    for batch in (3, 4, 5, 7):
        yield GanCase(batch, 5, 1.5, case.conditional, batch)
    for logit in (*_OTHER_SURE_LOGITS, _SURE_LOGIT):
        yield from _extreme(case, function, logit)


def _extreme(case: GanCase, function: str, logit: float) -> Iterator[GanCase]:
    """Cases of a d that is sure and wrong, or of a critic with large values.

    About the images of g, which it is to call real by g's loss, d is wrong when it calls them fake.
    """
    if "wasserstein" in function:
        yield HighGanCase(5, 4, 1.0, case.conditional, 5, _HIGH)
        return
    for signed in (-logit, logit) if function.endswith("_d") else (-logit,):
        yield SureGanCase(5, 4, 1.0, case.conditional, 5, signed)


def _what_d_was_given(situation: LossCall) -> Iterator[str]:
    """Say which images d was given that the loss is not about, or was not given."""
    seen, function = situation.evidence, situation.function
    others = len(seen.strange)
    if function != "loss_wasserstein_gp_d":
        others += len(seen.between)
    if others:
        yield f"d was given {others} images that are neither real ones nor made by g."
    if seen.d_saw_fake == 0:
        yield "d was given none of the images that g made."
    batch = len(seen.real.x)
    if function.endswith("_d") and seen.d_saw_real < batch:
        some = "none" if seen.d_saw_real == 0 else f"{seen.d_saw_real}"
        yield f"d was given {some} of the {batch} real images."
    if 0 < seen.d_saw_fake < batch:
        yield f"d was given {seen.d_saw_fake} images that g made, for {batch} real ones."
    for images, given, right in (
        ("real", seen.real_labels_seen, seen.real_labels_true),
        ("generated", seen.fake_labels_seen, seen.fake.labels),
    ):
        if given is not None and right is not None and not np.array_equal(given, right):
            yield f"d was given {images} images with labels that are not theirs."
