"""1.1 MADE.forward: fixed problems with known answers."""

import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from autograder.homework.golden.checks import check_golden
from autograder.homework.student import Student


@number("1.1.6")
@weight(0.5)
@pytest.mark.requires_any_of("1.1.1", "1.1.4", "1.1.5")
@pytest.mark.explained_by("1.1.1", "1.1.4")
def test_forward_on_fixed_problems(student: Student) -> None:
    """forward() gives the expected x and log-determinant on three small problems.

    Run `pytest -k 1.1.6` in your homework's folder to print the smallest problem as a snippet.
    """
    check_golden(student, "MADE.forward")
