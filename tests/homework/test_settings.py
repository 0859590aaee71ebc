"""The table of assignment.toml that only this homework has."""

from __future__ import annotations

import pytest

from autograder.engine.grading.settings import HomeworkError, Table
from autograder.homework.settings import SECTIONS

GOOD = {"timeout_s": 150, "full_log_likelihood": -1.25, "half_log_likelihood": -2}


def read(**changes: object) -> object:
    """Read the table with these entries changed."""
    return SECTIONS["training"](Table("assignment.toml", "training", {**GOOD, **changes}))


def test_the_limits_of_the_training_run_are_read() -> None:
    """Seconds, and nats per example, as floats."""
    assert read() == {"timeout_s": 150.0, "full_log_likelihood": -1.25, "half_log_likelihood": -2.0}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("timeout_s", False, "training.timeout_s = False; allowed: a number above 0"),
        ("full_log_likelihood", float("nan"), "training.full_log_likelihood = nan; allowed: a num"),
        ("half_log_likelihood", -1, "a number up to training.full_log_likelihood = -1.25"),
        ("full_loglikelihood", 1, "did you mean full_log_likelihood?"),
    ],
)
def test_a_wrong_entry_is_named_with_what_is_allowed(key: str, value: object, message: str) -> None:
    """As for the tables of every homework."""
    with pytest.raises(HomeworkError) as caught:
        read(**{key: value})
    assert message in str(caught.value)
