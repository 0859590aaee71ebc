"""1.2 MADE.inverse: z_i = (x_i - mu_i) / exp(alpha_i), compared with the assignment's equations.

The first checks use two variables, as in the homework. Code that is correct for two variables only
fails the last check alone.
"""

from functools import partial

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from autograder.engine.judge.compare import assert_close, excess
from autograder.engine.judge.diagnosis import Diagnosis
from autograder.engine.judge.drawn_cases import for_cases
from autograder.engine.judge.exceptions import CheckFailed
from autograder.engine.judge.gradients import gradient_error
from autograder.homework import tolerances
from autograder.homework.oracles import flow
from autograder.homework.problems.flow_parameters import Array
from autograder.homework.strategies import STEEP, USED, MadeCase, and_special, made_cases
from autograder.homework.student import Inverse, Student

# More variables than examples: a loop over the batch instead of the variables stops too early.
WIDE = MadeCase(input_size=5, hidden_size=8, n_hidden=1, batch=2, seed=1)
# Called after a failure, to tell apart mistakes that agree on some of these sizes.
OTHERS = (
    MadeCase(input_size=2, hidden_size=6, n_hidden=1, batch=5, seed=2),
    MadeCase(input_size=3, hidden_size=7, n_hidden=2, batch=4, seed=3),
    MadeCase(input_size=6, hidden_size=10, n_hidden=1, batch=3, seed=4),
)


def _observed(
    student: Student,
    diagnosis: Diagnosis,
    case: MadeCase,
    *,
    jacobian: bool = False,
    cotangents: tuple[Array, Array] | None = None,
) -> Inverse:
    """Call the student's inverse() and note its answer for the diagnosis."""
    answer = student.made_inverse(case, jacobian=jacobian, cotangents=cotangents)
    z, log_det = case.from_x
    diagnosis.observe("MADE.inverse.z", case, answer.z, z)
    if not isinstance(answer.log_det_or_failure, CheckFailed):
        diagnosis.observe("MADE.inverse.log_det", case, answer.log_det, log_det)
    if answer.jacobian is not None:
        diagnosis.observe("MADE.inverse.jacobian", case, answer.jacobian, case.jacobian)
    return answer


def _ask_others(student: Student, diagnosis: Diagnosis, *, jacobian: bool = False) -> None:
    for case in OTHERS:
        question = partial(_observed, student, diagnosis, case, jacobian=jacobian)
        diagnosis.ask_if_failed(repr(case), question)


def _check_mapping(case: MadeCase, z: Array) -> None:
    assert_close(
        z,
        case.from_x[0],
        tolerances.FLOW,
        "MADE.inverse() does not give z_i = (x_i - mu_i) / exp(alpha_i).",
        name="z",
        where=f"Smallest case found: {case.with_x}.",
    )


def _check_log_det(case: MadeCase, log_det: Array) -> None:
    assert_close(
        log_det,
        case.from_x[1],
        tolerances.LOG_DET,
        "The log-determinant of MADE.inverse() is not minus the sum of alpha.",
        name="log_det",
        where=f"Smallest case found: {case.with_x}.",
    )


def _check_jacobian(case: MadeCase, found: Array, log_det: Array) -> None:
    above = np.triu(found, k=1)
    assert_close(
        above,
        np.zeros_like(above),
        tolerances.FLOW,
        "z_i depends on a later x_j: the Jacobian of MADE.inverse() is not triangular.",
        name="dz/dx",
        where=f"Smallest case found: {case.with_x}.",
    )
    alpha = flow.conditioner(case.weights, case.x)[1]
    diagonal = np.diagonal(found, axis1=1, axis2=2)
    assert_close(
        diagonal,
        np.exp(-alpha),
        tolerances.FLOW,
        "The diagonal of the Jacobian of MADE.inverse() is not exp(-alpha).",
        name="dz_i/dx_i",
        where=f"Smallest case found: {case.with_x}.",
    )
    assert_close(
        found,
        case.jacobian,
        tolerances.FLOW,
        "z_i does not depend on the earlier x_j as it should: the Jacobian of MADE.inverse() "
        "is incorrect below its diagonal.",
        name="dz/dx",
        where=f"Smallest case found: {case.with_x}.",
    )
    own = np.log(np.abs(diagonal)).sum(axis=1)
    assert_close(
        log_det,
        own,
        tolerances.LOG_DET,
        "log_det is not the log-determinant of the map that MADE.inverse() computes.",
        name="log_det",
        where=f"Smallest case found: {case.with_x}.",
    )


@number("1.2.1")
@weight(0.5)
@for_cases(made_cases(most_size=2), 10)
def test_inverse_maps_as_the_handout_says(
    student: Student, diagnosis: Diagnosis, case: MadeCase
) -> None:
    """inverse() computes z_i = (x_i - mu_i) / exp(alpha_i).

    Check which columns of the network's output you use, the signs and brackets, and what you pass
    to the network.
    """
    _ask_others(student, diagnosis)
    for one in and_special(case, STEEP, USED):
        _check_mapping(one, _observed(student, diagnosis, one).z)


@number("1.2.2")
@weight(1)
@for_cases(made_cases(most_size=2), 10)
def test_log_det_is_minus_the_sum_of_alpha(
    student: Student, diagnosis: Diagnosis, case: MadeCase
) -> None:
    """The log-determinant of inverse() has shape (B,) and is minus the sum of alpha.

    Check the sign, and which dimension you sum over.
    """
    _ask_others(student, diagnosis)
    for one in and_special(case, STEEP, USED):
        _check_log_det(one, _observed(student, diagnosis, one).log_det)


@number("1.2.3")
@weight(1)
@pytest.mark.explained_by("1.2.1", "1.2.2")
@for_cases(made_cases(most_size=2), 10)
def test_jacobian_is_triangular(student: Student, diagnosis: Diagnosis, case: MadeCase) -> None:
    """The Jacobian of inverse() is triangular with diagonal exp(-alpha), and matches log_det.

    Check what you pass to the network, whether gradients flow from z back to x, and whether z and
    the log-determinant belong to the same map.
    """
    _ask_others(student, diagnosis, jacobian=True)
    answer = _observed(student, diagnosis, case, jacobian=True)
    if answer.jacobian is not None:
        _check_jacobian(case, answer.jacobian, answer.log_det)


@number("1.2.4")
@weight(0.5)
@pytest.mark.requires_any_of("1.2.1", "1.2.2", "1.2.6")
@pytest.mark.explained_by("1.2.1", "1.2.2")
@for_cases(made_cases(most_size=2), 8)
def test_gradients_reach_every_parameter(
    student: Student, diagnosis: Diagnosis, case: MadeCase
) -> None:
    """Gradients flow from z and from log_det to every weight and bias.

    Look for code that takes a tensor out of the graph, and for a part of the network's output that
    you do not use.
    """
    ones, none = np.ones((case.batch, case.input_size)), np.zeros(case.batch)
    for output, cotangents in (("z", (ones, none)), ("log_det", (0 * ones, none + 1))):
        answer = _observed(student, diagnosis, case, cotangents=cotangents)
        right_z, right_log_det = case.from_x
        pair = (answer.z, right_z) if output == "z" else (answer.log_det, right_log_det)
        _, layers = flow.made_inverse_vjp(case.weights, case.x, *cotangents)
        expected = {
            f"block0.{kind}{j}": array
            for j, pair in enumerate(layers)
            for kind, array in zip(("weight", "bias"), pair, strict=True)
        }
        value_is_right = excess(*pair, tolerances.LOG_DET) <= 1
        for name, right in expected.items():
            got = answer.gradients.get(name, np.zeros_like(right))
            if got.shape != right.shape:  # not a gradient of this parameter
                got = np.zeros_like(right)
            should = np.abs(right) > 1e-2
            missing = should & ~(np.abs(np.nan_to_num(got)) > 1e-6)
            if missing.any():
                raise CheckFailed(
                    f"No gradient flows from {output} to {name.removeprefix('block0.')}, a "
                    "parameter of MADE.net.",
                    where=f"Smallest case found: {case.with_x}.",
                    numbers=f"{int(missing.sum())} of {int(should.sum())} entries that should "
                    "have a gradient have none.",
                    hint="Look for detach(), no_grad(), .item() or .data, and for clamp() and "
                    "similar functions, which have no gradient where they cut off."
                    if value_is_right
                    else f"The value of {output} is incorrect too: fix that first.",
                )
        # The gradient of a wrong value is wrong too; other checks cover the value.
        error = gradient_error(answer.gradients, expected) if value_is_right else ""
        if error:
            raise CheckFailed(
                f"The gradient of {output} with respect to the parameters of MADE.net is wrong.",
                where=f"Smallest case found: {case.with_x}.",
                numbers=error,
            )


@number("1.2.6")
@weight(1)
@pytest.mark.explained_by("1.2.1", "1.2.2", "1.2.3")
@for_cases(made_cases(least_size=3), 10, WIDE)
def test_inverse_takes_any_number_of_variables(
    student: Student, diagnosis: Diagnosis, case: MadeCase
) -> None:
    """inverse(), its log-determinant and Jacobian are also correct for three to six variables.

    If the other checks pass, look for a 2 that should be the number of variables, and for a loop
    over something other than the variables.
    """
    _ask_others(student, diagnosis, jacobian=True)
    answer = _observed(student, diagnosis, case, jacobian=True)
    _check_mapping(case, answer.z)
    _check_log_det(case, answer.log_det)
    if answer.jacobian is not None:
        _check_jacobian(case, answer.jacobian, answer.log_det)
