"""1.3 MAF.log_probs: the change of variables through all blocks, and the trained flow.

Follow-through marking: log_probs is right when it is right with the student's own MADE blocks, or
right with known maps in their place. A wrong MADE.inverse has cost its points in 1.2.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, weight
from hypothesis import example, given, settings

from autograder.engine.assignment import Assignment
from autograder.engine.judge.compare import close, difference
from autograder.engine.judge.verdicts import CheckFailed
from autograder.homework import tolerances
from autograder.homework.gradients import flow_gradient_error
from autograder.homework.mistakes.diagnosis import Diagnosis
from autograder.homework.oracles import flow
from autograder.homework.strategies import MafCase, maf_cases
from autograder.homework.student import LogProbs, Student
from autograder.homework.trained_flow import FlowTraining

WIDE = MafCase(input_size=4, hidden_size=6, n_hidden=1, n_flows=2, batch=3, seed=1)


def _with_own_blocks(student: Student, case: MafCase) -> LogProbs | None:
    """What log_probs gives on the student's own MADE blocks; None when they cannot be used."""
    try:
        return student.log_probs(case, case.blocks)
    except CheckFailed:
        return None


@number("1.3.1")
@weight(3)
@settings(max_examples=15)
@given(case=maf_cases())
@example(case=WIDE)
def test_log_probs_is_the_mean_log_likelihood(
    student: Student, diagnosis: Diagnosis, case: MafCase
) -> None:
    """log_probs() gives the mean of log p(x) over the batch, by the change of variables."""
    known = student.log_probs(case, case.maps)
    expected = float(flow.maf_log_prob(case.maps, case.x).mean())
    diagnosis.observe("MAF.log_probs", case, known.value, expected)
    if close(known.value, expected, tolerances.LOSS):
        return
    own = _with_own_blocks(student, case)
    if own is not None:
        right = float(flow.maf_log_prob(case.blocks, case.x).mean())
        if close(own.value, right, tolerances.LOSS):
            return
    raise CheckFailed(
        "MAF.log_probs() does not give the mean over the batch of log p(x).",
        where=f"Smallest case found: {case}, with known maps in place of the MADE blocks.",
        numbers=difference("log_probs", known.value, expected, tolerances.LOSS),
    )


@number("1.3.2")
@weight(2)
@settings(max_examples=10)
@given(case=maf_cases())
@example(case=WIDE)
def test_gradient_of_log_probs(student: Student, diagnosis: Diagnosis, case: MafCase) -> None:
    """The gradient of log_probs() reaches the parameters of every block, and is right."""
    known = student.log_probs(case, case.maps)
    expected = float(flow.maf_log_prob(case.maps, case.x).mean())
    diagnosis.observe("MAF.log_probs", case, known.value, expected)
    error = flow_gradient_error(known.gradients, case.maps, case.x)
    if not error:
        return
    own = _with_own_blocks(student, case)
    if own is not None and not flow_gradient_error(own.gradients, case.blocks, case.x):
        return
    raise CheckFailed(
        "The gradient of MAF.log_probs() is not that of the mean log-likelihood.",
        where=f"Smallest case found: {case}, with known maps in place of the MADE blocks.",
        numbers=error,
    )


@number("1.3.3")
@weight(1)
def test_density_integrates_to_one(student: Student) -> None:
    """exp(log_probs) of single points is a density: it integrates to 1 over the plane."""
    case = MafCase(input_size=2, hidden_size=4, n_hidden=1, n_flows=2, batch=2, seed=3)
    # The base density is below 1e-8 at the edge of this square, and the trapezoidal rule on a
    # smooth function that vanishes there converges faster than any power of the step.
    axis = np.linspace(-9.0, 9.0, 31)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    points = points.astype(np.float32).astype(np.float64)
    area = float(axis[1] - axis[0]) ** 2
    total = _integral(student.log_probs_at_points(case, case.maps, points), area)
    if close(total, 1.0, tolerances.INTEGRAL):
        return
    raise CheckFailed(
        "The density that MAF.log_probs() describes does not integrate to 1.",
        where="A flow of two known maps in two dimensions, on a grid of 31 x 31 points.",
        numbers=difference("integral", total, 1.0, tolerances.INTEGRAL),
    )


def _integral(log_density: Mapping[Any, Any] | Any, area: float) -> float:
    with np.errstate(over="ignore"):
        return float(min(np.exp(log_density).sum() * area, 1e300))


@number("1.3.4")
@weight(4)
@pytest.mark.run_last
@pytest.mark.blocked_by("1.2")
def test_trained_flow_fits_held_out_data(
    flow_training: FlowTraining, assignment: Assignment
) -> None:
    """A short training run reaches the held-out log-likelihood that the moons allow."""
    full = assignment.training["full_log_likelihood"]
    half = assignment.training["half_log_likelihood"]
    reached = flow_training.held_out_log_likelihood
    if reached < full:
        raise CheckFailed(
            f"Trained with your log_probs(), the flow reaches {reached:.3f} nats per held-out "
            f"point; {full:.2f} is asked for.",
            numbers=f"Half of the points from {half:.2f} nats on. A right solution reaches about "
            "-1.19; the best possible is about -1.13.",
            share=0.5 if reached >= half else 0.0,
        )
