"""Compare a loss and its gradient with the expected ones; a failure shows what d was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autograder.engine.judge.compare import Tolerance, close, difference
from autograder.engine.judge.exceptions import CheckFailed
from autograder.engine.judge.gradients import RELATIVE, gradient_error
from autograder.homework import tolerances
from autograder.homework.losses.recovered import PENALISED, LossCall
from autograder.homework.problems.flow_parameters import Array
from autograder.homework.problems.gan_case import SureGanCase
from autograder.homework.student import LossRecord


def compare_value(call: LossCall, record: LossRecord, expected: float) -> None:
    """Compare the value of a loss.

    Raises:
        CheckFailed: they differ.
    """
    tolerance, _ = _tolerances(call)
    if not close(record.value, expected, tolerance):
        numbers = difference("loss", record.value, expected, tolerance)
        raise CheckFailed(
            call.wrong_labels
            or f"{call.function} does not have the value that the assignment defines.",
            where=_where(call),
            numbers="\n".join([numbers, *_unexpected_inputs(call)]),
        )


def compare_gradient(call: LossCall, record: LossRecord, expected: Mapping[str, Array]) -> None:
    """Compare the gradient by the network that the loss trains.

    Raises:
        CheckFailed: they differ, or no gradient arrives.
    """
    network = "discriminator" if call.function.endswith("_d") else "generator"
    if not record.reached:
        raise CheckFailed(
            f"No gradient of {call.function} reaches the {network}, which it must train.",
            where=_where(call),
            hint="Look for detach(), no_grad(), .item() or .data on the way to the loss.",
        )
    _, relative = _tolerances(call)
    error = gradient_error(record.gradients, expected, relative)
    if error:
        raise CheckFailed(
            call.wrong_labels
            or f"The gradient of {call.function} with respect to the {network} is incorrect.",
            where=_where(call),
            numbers=error,
        )


def _where(call: LossCall) -> str:
    return f"Smallest case found: {call.case}."


def _tolerances(call: LossCall) -> tuple[Tolerance, float]:
    """The tolerance of the value, and that of the gradient relative to its norm."""
    if isinstance(call.case, SureGanCase):
        return tolerances.SURE, tolerances.SURE_GRADIENT_RELATIVE
    return tolerances.LOSS, RELATIVE


def _unexpected_inputs(call: LossCall) -> Iterator[str]:
    """Sentences on images that d was given and should not have been, or the other way round."""
    inputs, function = call.inputs, call.function
    others = len(inputs.unmatched)
    if function != PENALISED:
        others += len(inputs.interpolates)
    if others:
        yield f"d was given {others} images that are neither real ones nor made by g."
    if inputs.d_saw_fake == 0:
        yield "d was given none of the images that g made."
    if function.endswith("_d") and inputs.d_saw_real < inputs.batch:
        yield f"d was given {inputs.d_saw_real or 'none'} of the {inputs.batch} real images."
    if 0 < inputs.d_saw_fake < inputs.batch:
        yield f"d was given {inputs.d_saw_fake} images that g made, for {inputs.batch} real ones."
