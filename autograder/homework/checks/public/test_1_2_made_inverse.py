"""1.2 MADE.inverse: fixed problems with known answers, and the input left unchanged."""

import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from autograder.homework.golden.checks import check_golden, check_input_unchanged
from autograder.homework.student import Student


@number("1.2.5")
@weight(0.5)
def test_input_is_left_unchanged(student: Student) -> None:
    """inverse() does not change its input tensor."""
    check_input_unchanged(student)


@number("1.2.7")
@weight(0.5)
@pytest.mark.requires_any_of("1.2.1", "1.2.2", "1.2.6")
@pytest.mark.explained_by("1.2.1", "1.2.2", "1.2.3")
def test_inverse_on_fixed_problems(student: Student) -> None:
    """inverse() gives the expected z, log-determinant and Jacobian on three small problems.

    Run `pytest -k 1.2.7` in your homework's folder to print the smallest problem as a snippet.
    """
    check_golden(student, "MADE.inverse")
