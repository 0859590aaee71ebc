"""Malformed replies are refused before they cost the judge any time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograder.engine.judge.calls import Ending, Outcome
from autograder.engine.judge.exceptions import Unusable
from autograder.engine.judge.gradients import flat
from autograder.homework.reply import Form


def form(values: dict[str, Any], arrays: dict[str, Any]) -> Form:
    """The reply of a call."""
    return Form(Outcome(Ending.RETURNED, values, arrays), "loss")


def test_calls_without_rows_are_ignored() -> None:
    """An empty sample has no distribution."""
    empty = np.zeros((0, 3), np.float32)
    assert form({"g_calls": [0, 0]}, {"g.input": empty}).calls("g", 3, False, 100) == ()
    rows = np.ones((2, 3), np.float32)
    (only,) = form({"g_calls": [0, 2, 0]}, {"g.input": rows}).calls("g", 3, False, 100)
    np.testing.assert_array_equal(only.rows, rows)


@pytest.mark.parametrize("sizes", [[-1], [True], [2.0], ["2"], [10**4300 - 1, 10**4300 - 1], 2])
def test_calls_of_an_impossible_size_are_not_readable(sizes: object) -> None:
    """Any value in place of the number of rows; some cannot even be printed."""
    with pytest.raises(Unusable, match="the record of g is not readable"):
        form({"g_calls": sizes}, {"g.input": np.ones((2, 3))}).calls("g", 3, False, 100)


@pytest.mark.parametrize(("size", "named"), [(64, True), (65, False)])
def test_the_batch_size_of_the_training_is_named(size: int, named: bool) -> None:
    """A loss that gives g 64 inputs for two images probably has the number in its code."""
    with pytest.raises(Unusable, match=r"g 6. inputs in one call.* x_real.shape\[0\]\.") as caught:
        form({"g_calls": [size]}, {}).calls("g", 3, False, 12)
    said = "64 is the batch size of the training only." in str(caught.value)
    assert said is named


def test_an_array_larger_than_any_parameter_is_no_gradient() -> None:
    """The judge keeps gradients in memory."""
    arrays = {"grad.a": np.zeros(9, np.float32), "grad.b": np.zeros(10**6, np.float32)}
    assert list(form({}, arrays).gradients()) == ["a"]


def test_a_gradient_of_another_shape_is_joined_as_nan() -> None:
    """The vector keeps its length."""
    order = {"a": np.zeros((2, 2)), "b": np.zeros(3), "c": np.zeros(1)}
    joined = flat({"a": np.zeros(50), "b": np.ones(3)}, order)
    np.testing.assert_array_equal(joined, [np.nan] * 4 + [1.0] * 3 + [0.0])
