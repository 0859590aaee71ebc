"""1.1 MADE.forward: x_i = mu_i + z_i exp(alpha_i), against the handout's equations."""

import numpy as np
from gradescope_utils.autograder_utils.decorators import number, weight
from hypothesis import example, given, settings

from autograder.engine.judge.compare import close, difference
from autograder.engine.judge.verdicts import CheckFailed
from autograder.homework import tolerances
from autograder.homework.mistakes.diagnosis import Diagnosis
from autograder.homework.oracles import flow
from autograder.homework.strategies import MadeCase, made_cases
from autograder.homework.student import Student

# More variables than examples: a loop over the batch instead of the variables stops too early.
WIDE = MadeCase(input_size=5, hidden_size=8, n_hidden=1, batch=2, seed=1)


@number("1.1.1")
@weight(2)
@settings(max_examples=20)
@given(case=made_cases())
@example(case=WIDE)
def test_forward_maps_as_the_handout_says(
    student: Student, diagnosis: Diagnosis, case: MadeCase
) -> None:
    """forward() gives x_i = mu_i + z_i exp(alpha_i), one variable after the other."""
    x, _ = student.made_forward(case)
    expected, _ = flow.made_forward(case.weights, case.z)
    diagnosis.observe("MADE.forward.x", case, x, expected)
    if not close(x, expected, tolerances.FLOW):
        raise CheckFailed(
            "MADE.forward() does not give x_i = mu_i + z_i exp(alpha_i).",
            where=f"Smallest case found: {case}.",
            numbers=difference("x", x, expected, tolerances.FLOW),
        )


@number("1.1.2")
@weight(1)
@settings(max_examples=12)
@given(case=made_cases())
@example(case=WIDE)
def test_x_depends_on_earlier_noise_only(
    student: Student, diagnosis: Diagnosis, case: MadeCase
) -> None:
    """x_i depends on z_1 .. z_i, and on nothing else."""
    step = 0.25
    x, _ = student.made_forward(case)
    expected, _ = flow.made_forward(case.weights, case.z)
    diagnosis.observe("MADE.forward.x", case, x, expected)
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
@settings(max_examples=15)
@given(case=made_cases())
@example(case=WIDE)
def test_inverse_undoes_forward(student: Student, diagnosis: Diagnosis, case: MadeCase) -> None:
    """inverse(forward(z)) is z again (a wrong inverse() costs nothing here)."""
    x, _ = student.made_forward(case)
    diagnosis.observe("MADE.forward.x", case, x, flow.made_forward(case.weights, case.z)[0])
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
@settings(max_examples=12)
@given(case=made_cases())
@example(case=WIDE)
def test_log_det_is_the_sum_of_alpha(
    student: Student, diagnosis: Diagnosis, case: MadeCase
) -> None:
    """The log-determinant of forward() has shape (B,) and is the sum of alpha, with either sign."""
    x, log_det = student.made_forward(case)
    expected_x, alpha = flow.made_forward(case.weights, case.z)
    expected = alpha.sum(axis=1)
    # The alphas belong to the student's own x: a wrong mapping has cost its points in 1.1.1.
    own = flow.conditioner(case.weights, x)[1].sum(axis=1)
    diagnosis.observe("MADE.forward.log_det", case, log_det, expected)
    diagnosis.observe("MADE.forward.x", case, x, expected_x)
    right = (expected, -expected, own, -own)
    if not any(close(log_det, candidate, tolerances.LOG_DET) for candidate in right):
        raise CheckFailed(
            "The log-determinant of MADE.forward() is neither the sum of alpha over the variables "
            "nor minus that.",
            where=f"Smallest case found: {case}.",
            numbers=difference("log_det", log_det, expected, tolerances.LOG_DET),
        )
