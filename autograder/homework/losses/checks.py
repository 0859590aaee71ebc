"""The two checks of a loss: its value and its gradient. The package's docstring has the walk."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from autograder.engine.judge.diagnosis import Diagnosis
from autograder.engine.judge.gradients import flat
from autograder.homework.losses import validity
from autograder.homework.losses.comparison import compare_gradient, compare_value
from autograder.homework.losses.expected import expected_gradient, expected_value
from autograder.homework.losses.recovered import LossCall, recover
from autograder.homework.problems.flow_parameters import Array
from autograder.homework.problems.gan_case import GanCase, HighGanCase, SureGanCase
from autograder.homework.strategies import and_special
from autograder.homework.student import LossRecord, Student

# Enough images to tell drawn ones from chosen ones.
_LARGE = {conditional: GanCase(24, 6, 1.5, conditional, 24) for conditional in (False, True)}
# A logit where d is sure and wrong: its probability, 7e-5, lies below a clamp at 1e-4 and is far
# larger than an epsilon of 1e-6. Rounded to float32, 1 - p still has a relative error of 5e-4, so
# log(1 - sigmoid(h)) is correct here; it is infinite from about 17 on.
_SURE_LOGIT = 9.6
# For the diagnosis only: with one logit alone, every constant looks like a clamp.
_OTHER_SURE_LOGITS = (8.0, 10.5)
_HIGH = 100.0


def check_value(student: Student, diagnosis: Diagnosis, case: GanCase, function: str) -> None:
    """Check that the loss equals the assignment's formula on the inputs of the networks."""
    for other in _cases_for_diagnosis(case, function):
        diagnosis.ask_if_failed(
            repr(other), partial(_observe_value, student, diagnosis, other, function)
        )
    for each in _with_special_cases(case, function):
        record, call, expected = _observe_value(student, diagnosis, each, function)
        objection = validity.objection(call)
        if expected is not None:
            compare_value(call, record, expected)
        if objection is not None:
            raise objection


def check_gradient(student: Student, diagnosis: Diagnosis, case: GanCase, function: str) -> None:
    """Check the gradient of the loss by the network that it trains."""
    for other in _cases_for_diagnosis(case, function):
        diagnosis.ask_if_failed(
            repr(other), partial(_observe_gradient, student, diagnosis, other, function)
        )
    for each in _with_special_cases(case, function):
        record, call, expected = _observe_gradient(student, diagnosis, each, function)
        objection = validity.objection(call, expected)
        if expected is not None:
            compare_gradient(call, record, expected)
        if objection is not None:
            raise objection


def _observe_value(
    student: Student, diagnosis: Diagnosis, case: GanCase, function: str
) -> tuple[LossRecord, LossCall, float | None]:
    """Call the loss; show its value to the diagnosis. None: there is no correct value."""
    record = student.gan_loss(function, case)
    call = recover(function, case, record)
    expected = expected_value(call) if call.is_complete else None
    diagnosis.observe(function, call, record.value, expected)
    return record, call, expected


def _observe_gradient(
    student: Student, diagnosis: Diagnosis, case: GanCase, function: str
) -> tuple[LossRecord, LossCall, dict[str, Array] | None]:
    """Call the loss; show its value and its gradient to the diagnosis."""
    record, call, value = _observe_value(student, diagnosis, case, function)
    if value is None:
        return record, call, None
    expected = expected_gradient(call)
    diagnosis.observe(
        f"{function}.gradient", call, flat(record.gradients, expected), flat(expected, expected)
    )
    return record, call, expected


def _with_special_cases(case: GanCase, function: str) -> tuple[GanCase, ...]:
    """The drawn case, followed by the special ones if it is the simplest."""
    extreme = _extreme_cases(case, function, _SURE_LOGIT)
    return and_special(case, _LARGE[case.conditional], *extreme)


def _cases_for_diagnosis(case: GanCase, function: str) -> Iterator[GanCase]:
    """Cases of other sizes: on one case alone, two mistakes may give the same answer."""
    for batch in (3, 4, 5, 7):
        yield GanCase(batch, 5, 1.5, case.conditional, batch)
    for logit in (*_OTHER_SURE_LOGITS, _SURE_LOGIT):
        yield from _extreme_cases(case, function, logit)


def _extreme_cases(case: GanCase, function: str, logit: float) -> Iterator[GanCase]:
    """Cases with a discriminator that is sure and wrong, or with a critic of large values.

    A generator's loss wants its images called real, so only the logit that calls them fake is
    extreme for it.
    """
    if "wasserstein" in function:
        yield HighGanCase(5, 4, 1.0, case.conditional, 5, _HIGH)
        return
    for signed in (-logit, logit) if function.endswith("_d") else (-logit,):
        yield SureGanCase(5, 4, 1.0, case.conditional, 5, signed)
