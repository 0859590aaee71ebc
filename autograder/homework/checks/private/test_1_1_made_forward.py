"""1.1 MADE.forward: x_i = mu_i + z_i exp(alpha_i), compared with the assignment's equations.

The first checks use two variables, as in the homework. Code that is correct for two variables only
fails the last check alone.
"""

from functools import partial

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from autograder.engine.judge.compare import assert_close, close, difference, excess
from autograder.engine.judge.diagnosis import Diagnosis
from autograder.engine.judge.drawn_cases import for_cases
from autograder.engine.judge.exceptions import CheckFailed
from autograder.homework import tolerances
from autograder.homework.oracles import flow
from autograder.homework.problems.flow_parameters import Array
from autograder.homework.strategies import STEEP, USED, MadeCase, and_special, made_cases
from autograder.homework.student import Forward, Student

# More variables than examples: a loop over the batch instead of the variables stops too early.
WIDE = MadeCase(input_size=5, hidden_size=8, n_hidden=1, batch=2, seed=1)
# Called after a failure, to tell apart mistakes that agree on some of these sizes.
OTHERS = (
    MadeCase(input_size=2, hidden_size=6, n_hidden=1, batch=5, seed=2),
    MadeCase(input_size=3, hidden_size=7, n_hidden=2, batch=4, seed=3),
    MadeCase(input_size=6, hidden_size=10, n_hidden=1, batch=3, seed=4),
)


def _observed(student: Student, diagnosis: Diagnosis, case: MadeCase) -> Forward:
    """Call the student's forward() and note its answer for the diagnosis."""
    answer = student.made_forward(case)
    diagnosis.observe("MADE.forward.x", case, answer.x, case.from_z[0])
    if not isinstance(answer.log_det_or_failure, CheckFailed):
        right = _right_log_det(case, answer)
        # The assignment leaves the sign open; a mistake is the same with either sign.
        diagnosis.observe("MADE.forward.log_det", case, answer.log_det, right)
        diagnosis.observe("MADE.forward.log_det.negated", case, -answer.log_det, -right)
    return answer


def _ask_others(student: Student, diagnosis: Diagnosis) -> None:
    for case in OTHERS:
        diagnosis.ask_if_failed(repr(case), partial(_observed, student, diagnosis, case))


def _right_log_det(case: MadeCase, answer: Forward) -> Array:
    """Return the correct log-determinant (B,) closest to the answer, else the sum of alpha."""
    expected: Array = case.from_z[1].sum(axis=1)
    # The alphas of the student's own x are accepted: other checks cover a wrong mapping.
    own = flow.conditioner(case.weights, answer.x)[1].sum(axis=1)
    candidates = (expected, -expected, own, -own)
    errors = [excess(answer.log_det, candidate, tolerances.LOG_DET) for candidate in candidates]
    return candidates[int(np.argmin(errors))] if min(errors) <= 1 else expected


def _check_mapping(case: MadeCase, x: Array) -> None:
    assert_close(
        x,
        case.from_z[0],
        tolerances.FLOW,
        "MADE.forward() does not give x_i = mu_i + z_i exp(alpha_i).",
        name="x",
        where=f"Smallest case found: {case.with_z}.",
    )


def _check_log_det(case: MadeCase, answer: Forward) -> None:
    right = _right_log_det(case, answer)
    assert_close(
        answer.log_det,
        right,
        tolerances.LOG_DET,
        "The log-determinant of MADE.forward() is neither the sum of alpha over the variables "
        "nor minus that.",
        name="log_det",
        where=f"Smallest case found: {case.with_z}.",
    )


@number("1.1.1")
@weight(0.5)
@for_cases(made_cases(most_size=2), 10)
def test_forward_maps_as_the_handout_says(
    student: Student, diagnosis: Diagnosis, case: MadeCase
) -> None:
    """forward() computes x_i = mu_i + z_i exp(alpha_i), one variable after the other.

    Check which columns of the network's output you use, the signs and brackets, and what you pass
    to the network in each step.
    """
    _ask_others(student, diagnosis)
    for one in and_special(case, STEEP, USED):
        _check_mapping(one, _observed(student, diagnosis, one).x)


@number("1.1.2")
@weight(1)
@pytest.mark.requires_any_of("1.1.1", "1.1.4", "1.1.5")
@pytest.mark.explained_by("1.1.1")
@for_cases(made_cases(most_size=2), 10)
def test_x_depends_on_earlier_noise_only(
    student: Student, diagnosis: Diagnosis, case: MadeCase
) -> None:
    """x_i depends on z_1 ... z_i and on nothing else.

    Check the order of the variables, and what you pass to the network when you compute x_i.
    """
    step = 0.25
    _ask_others(student, diagnosis)
    x = _observed(student, diagnosis, case).x
    expected, _ = case.from_z
    for j in range(case.input_size):
        z = case.z.copy()
        z[:, j] += step
        moved = np.abs(student.made_forward(case, z).x - x).max(axis=0)  # (D,)
        right = np.abs(flow.made_forward(case.weights, z)[0] - expected).max(axis=0)
        for i in range(case.input_size):
            if i < j and moved[i] > 1e-4:
                raise CheckFailed(
                    f"x[:, {i}] changes with z[:, {j}], a later variable.",
                    where=f"Smallest case found: {case.with_z}.",
                    numbers=f"z[:, {j}] was moved by {step}; x[:, {i}] moved by {moved[i]:.3g}, "
                    "expected 0 (allowed 1e-4).",
                )
            if right[i] > 0.02 and moved[i] < 0.02 * right[i]:
                raise CheckFailed(
                    f"x[:, {i}] does not change with z[:, {j}], but it should.",
                    where=f"Smallest case found: {case.with_z}.",
                    numbers=f"z[:, {j}] was moved by {step}; x[:, {i}] moved by {moved[i]:.3g}, "
                    f"expected about {right[i]:.3g}.",
                )


@number("1.1.3")
@weight(1)
@pytest.mark.requires_any_of("1.1.1", "1.1.4", "1.1.5")
@pytest.mark.explained_by("1.1.1")
@for_cases(made_cases(most_size=2), 10)
def test_inverse_undoes_forward(student: Student, diagnosis: Diagnosis, case: MadeCase) -> None:
    """inverse(forward(z)) is z again (an incorrect inverse() costs no points here).

    This passes once forward() computes the correct x.
    """
    _ask_others(student, diagnosis)
    x = _observed(student, diagnosis, case).x
    back = flow.made_inverse(case.weights, x)[0]
    if close(back, case.z, tolerances.FLOW):
        return
    try:
        own = student.made_inverse(case, x=x).z
    except CheckFailed:  # inverse() is checked in 1.2
        own = back
    if not close(own, case.z, tolerances.FLOW):
        raise CheckFailed(
            "Neither the correct inverse nor your own maps forward(z) back to z.",
            where=f"Smallest case found: {case.with_z}.",
            numbers=difference("inverse(forward(z))", back, case.z, tolerances.FLOW),
        )


@number("1.1.4")
@weight(1)
@for_cases(made_cases(most_size=2), 10)
def test_log_det_is_the_sum_of_alpha(
    student: Student, diagnosis: Diagnosis, case: MadeCase
) -> None:
    """The log-determinant of forward() has shape (B,) and is plus or minus the sum of alpha.

    Check which dimension you sum over, and which x the alphas were computed from.
    """
    _ask_others(student, diagnosis)
    for one in and_special(case, STEEP, USED):
        _check_log_det(one, _observed(student, diagnosis, one))


@number("1.1.5")
@weight(1)
@pytest.mark.explained_by("1.1.1", "1.1.4")
@for_cases(made_cases(least_size=3), 12, WIDE)
def test_forward_takes_any_number_of_variables(
    student: Student, diagnosis: Diagnosis, case: MadeCase
) -> None:
    """forward() and its log-determinant are also correct for three to six variables.

    If the other checks pass, look for a 2 that should be the number of variables, and for a loop
    over something other than the variables.
    """
    _ask_others(student, diagnosis)
    answer = _observed(student, diagnosis, case)
    _check_mapping(case, answer.x)
    _check_log_det(case, answer)
