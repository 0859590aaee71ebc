"""1.1 MADE.forward: x_i = mu_i + z_i exp(alpha_i), against the handout's equations.

The first checks are about two variables, as in the homework; what only holds for two variables
costs the last one alone.
"""

from functools import partial

import numpy as np
from gradescope_utils.autograder_utils.decorators import number, weight
from hypothesis import example, given, settings

from autograder.engine.judge.compare import close, difference
from autograder.engine.judge.verdicts import CheckFailed
from autograder.homework import tolerances
from autograder.homework.mistakes.diagnosis import Diagnosis
from autograder.homework.oracles import flow
from autograder.homework.oracles.flow import Array
from autograder.homework.strategies import MadeCase, made_cases
from autograder.homework.student import Student

# More variables than examples: a loop over the batch instead of the variables stops too early.
WIDE = MadeCase(input_size=5, hidden_size=8, n_hidden=1, batch=2, seed=1)
# Asked after a failure, to tell mistakes apart that agree on some of these sizes.
OTHERS = (
    MadeCase(input_size=2, hidden_size=6, n_hidden=1, batch=5, seed=2),
    MadeCase(input_size=3, hidden_size=7, n_hidden=2, batch=4, seed=3),
    MadeCase(input_size=6, hidden_size=10, n_hidden=1, batch=3, seed=4),
)


def _observed(student: Student, diagnosis: Diagnosis, case: MadeCase) -> tuple[Array, Array]:
    """What the student's forward() gives, noted for the diagnosis."""
    x, log_det = student.made_forward(case)
    diagnosis.observe("MADE.forward.x", case, x, flow.made_forward(case.weights, case.z)[0])
    right = _right_log_det(case, x, log_det)
    # The handout leaves the sign open, and a mistake is the same with either.
    diagnosis.observe("MADE.forward.log_det", case, log_det, right)
    diagnosis.observe("MADE.forward.log_det.negated", case, -log_det, -right)
    return x, log_det


def _ask_others(student: Student, diagnosis: Diagnosis) -> None:
    for case in OTHERS:
        diagnosis.ask_if_failed(repr(case), partial(_observed, student, diagnosis, case))


def _right_log_det(case: MadeCase, x: Array, log_det: Array) -> Array:
    """Of the right log-determinants (B,) the one that was meant, else the sum of alpha."""
    expected = flow.made_forward(case.weights, case.z)[1].sum(axis=1)
    # The alphas of the student's own x will do: a wrong mapping costs its points elsewhere.
    own = flow.conditioner(case.weights, x)[1].sum(axis=1)
    candidates = (expected, -expected, own, -own)
    return next((c for c in candidates if close(log_det, c, tolerances.LOG_DET)), expected)


def _check_mapping(case: MadeCase, x: Array) -> None:
    expected, _ = flow.made_forward(case.weights, case.z)
    if not close(x, expected, tolerances.FLOW):
        raise CheckFailed(
            "MADE.forward() does not give x_i = mu_i + z_i exp(alpha_i).",
            where=f"Smallest case found: {case}.",
            numbers=difference("x", x, expected, tolerances.FLOW),
        )


def _check_log_det(case: MadeCase, x: Array, log_det: Array) -> None:
    right = _right_log_det(case, x, log_det)
    if not close(log_det, right, tolerances.LOG_DET):
        raise CheckFailed(
            "The log-determinant of MADE.forward() is neither the sum of alpha over the variables "
            "nor minus that.",
            where=f"Smallest case found: {case}.",
            numbers=difference("log_det", log_det, right, tolerances.LOG_DET),
        )


@number("1.1.1")
@weight(1)
@settings(max_examples=10)
@given(case=made_cases(most_size=2))
def test_forward_maps_as_the_handout_says(
    student: Student, diagnosis: Diagnosis, case: MadeCase
) -> None:
    """forward() gives x_i = mu_i + z_i exp(alpha_i), one variable after the other."""
    _ask_others(student, diagnosis)
    x, _ = _observed(student, diagnosis, case)
    _check_mapping(case, x)


@number("1.1.2")
@weight(1)
@settings(max_examples=10)
@given(case=made_cases(most_size=2))
def test_x_depends_on_earlier_noise_only(
    student: Student, diagnosis: Diagnosis, case: MadeCase
) -> None:
    """x_i depends on z_1 .. z_i, and on nothing else."""
    step = 0.25
    _ask_others(student, diagnosis)
    x, _ = _observed(student, diagnosis, case)
    expected, _ = flow.made_forward(case.weights, case.z)
    for j in range(case.input_size):
        z = case.z.copy()
        z[:, j] += step
        moved = np.abs(student.made_forward(case, z)[0] - x).max(axis=0)  # (D,)
        right = np.abs(flow.made_forward(case.weights, z)[0] - expected).max(axis=0)
        for i in range(case.input_size):
            if i < j and moved[i] > 1e-4:
                raise CheckFailed(
                    f"x[:, {i}] changes with z[:, {j}], a later variable.",
                    where=f"Smallest case found: {case}.",
                    numbers=f"z[:, {j}] was moved by {step}; x[:, {i}] moved by {moved[i]:.3g}, "
                    "expected 0 (allowed 1e-4).",
                )
            if right[i] > 0.02 and moved[i] < 0.02 * right[i]:
                raise CheckFailed(
                    f"x[:, {i}] does not change with z[:, {j}], though it should.",
                    where=f"Smallest case found: {case}.",
                    numbers=f"z[:, {j}] was moved by {step}; x[:, {i}] moved by {moved[i]:.3g}, "
                    f"expected about {right[i]:.3g}.",
                )


@number("1.1.3")
@weight(1)
@settings(max_examples=10)
@given(case=made_cases(most_size=2))
def test_inverse_undoes_forward(student: Student, diagnosis: Diagnosis, case: MadeCase) -> None:
    """inverse(forward(z)) is z again (a wrong inverse() costs nothing here)."""
    _ask_others(student, diagnosis)
    x, _ = _observed(student, diagnosis, case)
    back = flow.made_inverse(case.weights, x)[0]
    if close(back, case.z, tolerances.FLOW):
        return
    try:
        own = student.made_inverse(case, x=x).z
    except CheckFailed:  # inverse() itself is 1.2's business
        own = back
    if not close(own, case.z, tolerances.FLOW):
        raise CheckFailed(
            "The handout's inverse does not lead from forward(z) back to z, nor does your own.",
            where=f"Smallest case found: {case}.",
            numbers=difference("inverse(forward(z))", back, case.z, tolerances.FLOW),
        )


@number("1.1.4")
@weight(1)
@settings(max_examples=10)
@given(case=made_cases(most_size=2))
def test_log_det_is_the_sum_of_alpha(
    student: Student, diagnosis: Diagnosis, case: MadeCase
) -> None:
    """The log-determinant of forward() has shape (B,) and is the sum of alpha, with either sign."""
    _ask_others(student, diagnosis)
    x, log_det = _observed(student, diagnosis, case)
    _check_log_det(case, x, log_det)


@number("1.1.5")
@weight(1)
@settings(max_examples=12)
@given(case=made_cases(least_size=3))
@example(case=WIDE)
def test_forward_takes_any_number_of_variables(
    student: Student, diagnosis: Diagnosis, case: MadeCase
) -> None:
    """forward() and its log-determinant are right for three to six variables too."""
    _ask_others(student, diagnosis)
    x, log_det = _observed(student, diagnosis, case)
    _check_mapping(case, x)
    _check_log_det(case, x, log_det)
