"""1.2 MADE.inverse: what can be said without knowing the answer."""

import numpy as np
from gradescope_utils.autograder_utils.decorators import number, weight
from hypothesis import given, settings

from autograder.engine.judge.compare import close, difference
from autograder.engine.judge.verdicts import CheckFailed
from autograder.homework import tolerances
from autograder.homework.strategies import MadeCase, made_cases
from autograder.homework.student import Student


@number("1.2.5")
@weight(0.5)
@settings(max_examples=8)
@given(case=made_cases(most_size=2))
def test_input_is_left_unchanged(student: Student, case: MadeCase) -> None:
    """inverse() leaves the tensor that it was given unchanged."""
    after = student.made_inverse(case).input_after
    if not close(after, case.x, tolerances.FLOW):
        raise CheckFailed(
            "MADE.inverse() changes its input x in place.",
            where=f"Smallest case found: {case}.",
            numbers=difference("x afterwards", after, np.asarray(case.x), tolerances.FLOW),
            hint="Make a new tensor instead of assigning into x or calling x.sub_(), x /= ... .",
        )
