"""1.3 MAF.log_probs: fixed problems with known answers, and advice."""

import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from autograder.homework.golden.checks import check_golden
from autograder.homework.student import Student
from autograder.homework.training_runs.device_advice import DeviceAdvice

FUNCTIONS = ["MADE.forward", "MADE.inverse", "MAF.log_probs"]


@number("1.3.7")
@weight(1)
@pytest.mark.requires_any_of("1.3.1", "1.3.2", "1.3.6")
@pytest.mark.explained_by("1.3.1", "1.3.2")
def test_log_probs_on_fixed_problems(student: Student) -> None:
    """log_probs() gives the expected mean log-likelihood and gradient on three small problems.

    Run `pytest -k 1.3.7` in your homework's folder to print the smallest problem as a snippet.
    """
    check_golden(student, "MAF.log_probs")


@number("1.3.5")
@pytest.mark.run_last
def test_flow_makes_tensors_on_the_device_of_its_input(device_advice: DeviceAdvice) -> None:
    """Advice: the flow creates new tensors on the device of its input."""
    device_advice.advise(FUNCTIONS, "Use zeros_like(), new_zeros() or device=x.device.")
