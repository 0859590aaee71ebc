"""1.3 MAF.log_probs: the change of variables through all blocks, and the trained flow.

Follow-through marking: log_probs is correct if it is correct with the student's own MADE blocks or
with known maps in their place; the same goes for the trained flow. A wrong MADE.inverse costs
points in 1.2 only.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from autograder.engine.homework import Homework
from autograder.engine.judge.compare import assert_close
from autograder.engine.judge.diagnosis import Diagnosis
from autograder.engine.judge.drawn_cases import for_cases
from autograder.engine.judge.exceptions import CheckFailed, Figure
from autograder.engine.judge.gradients import flat
from autograder.homework import tolerances
from autograder.homework.flow_gradients import flow_gradient_error, flow_gradients
from autograder.homework.oracles import flow
from autograder.homework.strategies import USED_MAF, MafCase, and_special, maf_cases
from autograder.homework.student import LogProbs, Student
from autograder.homework.training_runs.flow_training import FlowTraining

# More variables than examples, and more than the homework's two.
WIDE = MafCase(input_size=4, hidden_size=6, n_hidden=1, n_flows=2, batch=3, seed=1)
# Called after a failure, to tell apart mistakes that agree on some of these sizes.
OTHERS = (
    MafCase(input_size=2, hidden_size=6, n_hidden=1, n_flows=3, batch=5, seed=2),
    MafCase(input_size=3, hidden_size=7, n_hidden=2, n_flows=2, batch=4, seed=3),
    MafCase(input_size=6, hidden_size=10, n_hidden=1, n_flows=1, batch=3, seed=4),
)

# The trapezoidal rule on a smooth function that vanishes at the edge of the square converges faster
# than any power of the step: the integral of this density on the grid is 1 to within 1e-5.
KNOWN_DENSITY = MafCase(input_size=2, hidden_size=4, n_hidden=1, n_flows=2, batch=2, seed=10)
# MADE's density has kinks where a ReLU switches; this one's integral on the grid is 0.9995.
OWN_DENSITY = MafCase(input_size=2, hidden_size=4, n_hidden=1, n_flows=2, batch=2, seed=26)
_GRID = 19


def _observed(student: Student, diagnosis: Diagnosis, case: MafCase) -> LogProbs:
    """Call log_probs() on the known maps and note its answer for the diagnosis."""
    known = student.log_probs(case, case.maps)
    right = flow_gradients(case.maps, case.x)
    diagnosis.observe("MAF.log_probs", case, known.value, _expected(case, case.maps))
    diagnosis.observe(
        "MAF.log_probs.gradient", case, flat(known.gradients, right), flat(right, right)
    )
    return known


def _ask_others(student: Student, diagnosis: Diagnosis) -> None:
    for case in OTHERS:
        diagnosis.ask_if_failed(repr(case), partial(_observed, student, diagnosis, case))


def _expected(case: MafCase, blocks: Sequence[flow.AnyBlock]) -> float:
    return float(flow.maf_log_prob(blocks, case.x).mean())


def _check_value(case: MafCase, got: LogProbs, blocks: Sequence[flow.AnyBlock]) -> None:
    expected = _expected(case, blocks)
    assert_close(
        got.value,
        expected,
        tolerances.LOSS,
        "MAF.log_probs() does not give the mean over the batch of log p(x).",
        name="log_probs",
        where=f"Smallest case found: {case.with_x}; known maps replace the MADE blocks.",
    )


def _check_gradient(case: MafCase, got: LogProbs, blocks: Sequence[flow.AnyBlock]) -> None:
    error = flow_gradient_error(got.gradients, blocks, case.x)
    if error:
        raise CheckFailed(
            "The gradient of MAF.log_probs() is not that of the mean log-likelihood.",
            where=f"Smallest case found: {case.with_x}; known maps replace the MADE blocks.",
            numbers=error,
        )


def _known_or_own(
    student: Student,
    diagnosis: Diagnosis,
    case: MafCase,
    check: Callable[[MafCase, LogProbs, Sequence[flow.AnyBlock]], None],
) -> None:
    """Pass when the check passes on known maps, or on the student's own MADE blocks.

    The feedback is about the known maps, where mistakes in 1.2 have no effect.
    """
    _ask_others(student, diagnosis)
    try:
        check(case, _observed(student, diagnosis, case), case.maps)
    except CheckFailed as on_known_maps:
        try:
            check(case, student.log_probs(case, case.blocks), case.blocks)
        except CheckFailed:
            raise on_known_maps from None


@number("1.3.1")
@weight(1.5)
@for_cases(maf_cases(most_size=2), 10)
def test_log_probs_is_the_mean_log_likelihood(
    student: Student, diagnosis: Diagnosis, case: MafCase
) -> None:
    """log_probs() returns the mean of log p(x) over the batch, by the change of variables.

    Check the order and direction of the blocks, the sign of the log-determinants, the base density
    with its constant, and what you sum and what you average.
    """
    for one in and_special(case, USED_MAF):
        _known_or_own(student, diagnosis, one, _check_value)


@number("1.3.2")
@weight(1.5)
@pytest.mark.explained_by("1.3.1")
@for_cases(maf_cases(most_size=2), 10)
def test_gradient_of_log_probs(student: Student, diagnosis: Diagnosis, case: MafCase) -> None:
    """The gradient of log_probs() is correct and reaches the parameters of every block.

    If the value is correct, look for detach(), no_grad(), .item() or .data on the way through the
    blocks.
    """
    _known_or_own(student, diagnosis, case, _check_gradient)


@number("1.3.3")
@weight(1)
@pytest.mark.requires_any_of("1.3.1", "1.3.2", "1.3.6")
@pytest.mark.explained_by("1.3.1")
def test_density_integrates_to_one(student: Student) -> None:
    """The density exp(log p(x)) from log_probs() integrates to 1 over the plane.

    Check the log-determinants and the normalising constant of the base density.
    """
    try:
        _check_integral(student, KNOWN_DENSITY, KNOWN_DENSITY.maps)
    except CheckFailed as on_known_maps:
        try:
            _check_integral(student, OWN_DENSITY, OWN_DENSITY.blocks)
        except CheckFailed:
            raise on_known_maps from None


def _check_integral(student: Student, case: MafCase, blocks: Sequence[flow.AnyBlock]) -> None:
    # The trapezoidal rule in t, where x = sinh(t): dense where the density is, and few points.
    t = np.linspace(-1.0, 1.0, _GRID) * np.arcsinh(9.0)
    axis, weights = np.sinh(t), np.cosh(t) * (t[1] - t[0])
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    points = points.astype(np.float32).astype(np.float64)
    log_density = student.log_probs_at_points(case, blocks, points)
    with np.errstate(over="ignore"):
        total = float(min((np.exp(log_density) * np.outer(weights, weights).ravel()).sum(), 1e300))
    assert_close(
        total,
        1.0,
        tolerances.INTEGRAL,
        "The density from MAF.log_probs() does not integrate to 1.",
        name="integral",
        where=f"A flow of two known maps in two dimensions, on a grid of {_GRID} x {_GRID} points.",
    )


@number("1.3.6")
@weight(1)
@pytest.mark.explained_by("1.3.1", "1.3.2")
@for_cases(maf_cases(least_size=3), 10, WIDE)
def test_log_probs_takes_any_number_of_variables(
    student: Student, diagnosis: Diagnosis, case: MafCase
) -> None:
    """log_probs() and its gradient are also correct for three to six variables.

    If the other checks pass, look for a 2 that should be the number of variables.
    """
    _known_or_own(student, diagnosis, case, _check_value)
    _known_or_own(student, diagnosis, case, _check_gradient)


@number("1.3.4")
@weight(4)
@pytest.mark.requires_any_of("1.3.1", "1.3.2", "1.3.6")
@pytest.mark.explained_by("1.3.1", "1.3.2")
@pytest.mark.run_last
def test_trained_flow_fits_held_out_data(
    flow_training: FlowTraining, homework: Homework, figure: Figure
) -> None:
    """After a short training run, the flow reaches the required held-out log-likelihood."""
    full = homework.sections["training"]["full_log_likelihood"]
    half = homework.sections["training"]["half_log_likelihood"]
    trained = flow_training.result
    reached = trained.log_likelihood
    if not trained.with_known_blocks:  # otherwise the flow is not only the student's
        figure.value = reached
    if reached < full:
        raise CheckFailed(
            f"Trained with your log_probs(), the flow reaches {reached:.3f} nats per held-out "
            f"point; at least {full:.2f} is required.",
            # Says nothing about the verdicts of 1.2: readers of this check may not see those.
            where="Where MADE.inverse() is incorrect, the flow is trained with known maps in place "
            "of the MADE blocks, so the mistake is in log_probs().",
            numbers=f"You get half of the points from {half:.2f} nats. A correct solution reaches "
            "about -1.20; the best possible is about -1.13.",
            share=0.5 if reached >= half else 0.0,
        )
