"""1.2 MADE.inverse: z_i = (x_i - mu_i) / exp(alpha_i), against the handout's equations."""

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

WIDE = MadeCase(input_size=5, hidden_size=8, n_hidden=1, batch=2, seed=1)


@number("1.2.1")
@weight(2)
@settings(max_examples=20)
@given(case=made_cases())
@example(case=WIDE)
def test_inverse_maps_as_the_handout_says(
    student: Student, diagnosis: Diagnosis, case: MadeCase
) -> None:
    """inverse() gives z_i = (x_i - mu_i) / exp(alpha_i)."""
    z = student.made_inverse(case).z
    expected, _ = flow.made_inverse(case.weights, case.x)
    diagnosis.observe("MADE.inverse.z", case, z, expected)
    if not close(z, expected, tolerances.FLOW):
        raise CheckFailed(
            "MADE.inverse() does not give z_i = (x_i - mu_i) / exp(alpha_i).",
            where=f"Smallest case found: {case}.",
            numbers=difference("z", z, expected, tolerances.FLOW),
        )


@number("1.2.2")
@weight(1)
@settings(max_examples=15)
@given(case=made_cases())
@example(case=WIDE)
def test_log_det_is_minus_the_sum_of_alpha(
    student: Student, diagnosis: Diagnosis, case: MadeCase
) -> None:
    """The log-determinant of inverse() is minus the sum of alpha, shape (B,)."""
    answer = student.made_inverse(case)
    right_z, expected = flow.made_inverse(case.weights, case.x)
    diagnosis.observe("MADE.inverse.log_det", case, answer.log_det, expected)
    diagnosis.observe("MADE.inverse.z", case, answer.z, right_z)
    if not close(answer.log_det, expected, tolerances.LOG_DET):
        raise CheckFailed(
            "The log-determinant of MADE.inverse() is not minus the sum of alpha.",
            where=f"Smallest case found: {case}.",
            numbers=difference("log_det", answer.log_det, expected, tolerances.LOG_DET),
        )


@number("1.2.3")
@weight(1)
@settings(max_examples=12)
@given(case=made_cases())
@example(case=WIDE)
def test_jacobian_is_triangular(student: Student, diagnosis: Diagnosis, case: MadeCase) -> None:
    """The Jacobian of inverse() is triangular with exp(-alpha) on its diagonal, and log_det its."""
    answer = student.made_inverse(case, jacobian=True)
    right_z, right_log_det = flow.made_inverse(case.weights, case.x)
    diagnosis.observe("MADE.inverse.z", case, answer.z, right_z)
    diagnosis.observe("MADE.inverse.log_det", case, answer.log_det, right_log_det)
    found = np.zeros((0,)) if answer.jacobian is None else answer.jacobian
    above = np.triu(found, k=1)
    if not close(above, np.zeros_like(above), tolerances.FLOW):
        raise CheckFailed(
            "z_i depends on a later x_j: the Jacobian of MADE.inverse() is not triangular.",
            where=f"Smallest case found: {case}.",
            numbers=difference("dz/dx", above, np.zeros_like(above), tolerances.FLOW),
        )
    alpha = flow.conditioner(case.weights, case.x)[1]
    diagonal = np.diagonal(found, axis1=1, axis2=2)
    if not close(diagonal, np.exp(-alpha), tolerances.FLOW):
        raise CheckFailed(
            "The diagonal of the Jacobian of MADE.inverse() is not exp(-alpha).",
            where=f"Smallest case found: {case}.",
            numbers=difference("dz_i/dx_i", diagonal, np.exp(-alpha), tolerances.FLOW),
        )
    log_det = np.log(np.abs(diagonal)).sum(axis=1)
    if not close(answer.log_det, log_det, tolerances.LOG_DET):
        raise CheckFailed(
            "log_det is not the log-determinant of the map that MADE.inverse() computes.",
            where=f"Smallest case found: {case}.",
            numbers=difference("log_det", answer.log_det, log_det, tolerances.LOG_DET),
        )


@number("1.2.4")
@weight(0.5)
@settings(max_examples=8)
@given(case=made_cases())
def test_gradients_reach_every_parameter(
    student: Student, diagnosis: Diagnosis, case: MadeCase
) -> None:
    """Gradients flow from z and from log_det to every weight and bias."""
    ones, none = np.ones((case.batch, case.input_size)), np.zeros(case.batch)
    for output, cotangents in (("z", (ones, none)), ("log_det", (0 * ones, none + 1))):
        answer = student.made_inverse(case, cotangents=cotangents)
        right_z, right_log_det = flow.made_inverse(case.weights, case.x)
        diagnosis.observe("MADE.inverse.z", case, answer.z, right_z)
        diagnosis.observe("MADE.inverse.log_det", case, answer.log_det, right_log_det)
        _, layers = flow.made_inverse_vjp(case.weights, case.x, *cotangents)
        for j, pair in enumerate(layers):
            for kind, expected in zip(("weight", "bias"), pair, strict=True):
                got = answer.gradients.get(f"block0.{kind}{j}", np.zeros_like(expected))
                should = np.abs(expected) > 1e-2
                missing = should & ~(np.abs(np.nan_to_num(got)) > 1e-6)
                if missing.any():
                    raise CheckFailed(
                        f"No gradient flows from {output} to the {kind} of linear layer {j}.",
                        where=f"Smallest case found: {case}.",
                        numbers=f"{int(missing.sum())} of {int(should.sum())} entries that should "
                        "have a gradient have none.",
                        hint="Do not detach, and do not use no_grad(), .item() or .data.",
                    )
