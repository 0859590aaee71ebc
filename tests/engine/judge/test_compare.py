"""Closeness of numbers, and the message about a difference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from autograder.engine.judge.compare import (
    OracleError,
    Tolerance,
    close,
    close_to_any,
    difference,
    excess,
    measuring,
)

TOLERANCE = Tolerance(rtol=1e-3, atol=1e-4)
EXACT = Tolerance(rtol=0.0, atol=0.0)
WIDE = Tolerance(rtol=1e300, atol=1e300)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", [0, 1, 2])
def test_nan_or_infinity_is_never_close(wrong: float, where: int) -> None:
    """One such entry among correct ones is enough, with any tolerance."""
    got = np.array([1.0, 2.0, 3.0])
    got[where] = wrong
    assert not close(got, [1.0, 2.0, 3.0], WIDE)
    assert excess(got, [1.0, 2.0, 3.0], WIDE) == math.inf


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_oracle_without_finite_values_raises(value: float) -> None:
    """No answer can be compared with it; this is the autograder's fault."""
    for got in (value, 1.0):
        with pytest.raises(OracleError, match=r"expected values, shape \(1,\), are not all finite"):
            close([got], [value], WIDE)


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (1.0, [1.0]),
        ([1.0], 1.0),
        ([1.0, 1.0], [[1.0, 1.0]]),
        ([[1.0], [1.0]], [1.0, 1.0]),
        ([1.0, 1.0], [1.0]),
        ([], [1.0]),
        ([], [[]]),
    ],
)
def test_another_shape_is_never_close(got: ArrayLike, expected: ArrayLike) -> None:
    """Nothing is broadcast: (1,) is not (), and (B, 1) is not (B,)."""
    assert not close(got, expected, WIDE)
    assert excess(got, expected, WIDE) == math.inf


def test_empty_arrays_of_one_shape_are_close() -> None:
    """They have no entry that could differ."""
    assert close(np.zeros((0, 3)), np.zeros((0, 3)), EXACT)


@pytest.mark.parametrize(
    ("got", "expected", "is_close"),
    [
        (1.00109, 1.0, True),
        (1.00111, 1.0, False),
        (0.99891, 1.0, True),
        (0.99889, 1.0, False),
        (0.99e-4, 0.0, True),
        (1.01e-4, 0.0, False),
        (-1000.99, -1000.0, True),
        (-1001.01, -1000.0, False),
        (1.0, -1.0, False),
    ],
)
def test_tolerance_is_atol_plus_rtol_times_expected(
    got: float, expected: float, is_close: bool
) -> None:
    """|got - expected| <= atol + rtol |expected|, to either side."""
    assert close(got, expected, TOLERANCE) is is_close
    assert (excess(got, expected, TOLERANCE) <= 1) is is_close


def test_the_tolerance_follows_the_expected_value_not_the_students() -> None:
    """A huge answer does not get a larger tolerance."""
    assert close(0.0, 1.0, Tolerance(rtol=1.0, atol=0.0))
    assert not close(1.0, 0.0, Tolerance(rtol=1.0, atol=0.0))


def test_without_tolerance_only_the_number_itself_is_close() -> None:
    """Zero tolerance is allowed, also at zero: equal is close, the next float is not."""
    assert close([0.0, 1.0, -0.0], [0.0, 1.0, 0.0], EXACT)
    assert not close([0.0, np.nextafter(1.0, 2.0)], [0.0, 1.0], EXACT)
    assert not close(5e-324, 0.0, EXACT)
    assert excess(5e-324, 0.0, EXACT) == math.inf


@pytest.mark.filterwarnings("error")
def test_extreme_numbers_are_compared_without_warnings() -> None:
    """A difference that overflows is too large, and writes no warning to the log."""
    with np.errstate(over="ignore"):
        assert not close([1e308, 0.0], [-1e308, 0.0], TOLERANCE)
    assert not close([math.inf, math.nan], [1.0, 1.0], TOLERANCE)
    assert close(0.0, 0.0, EXACT)


floats = st.floats(-1e6, 1e6)


@given(
    pairs=st.lists(st.tuples(floats, floats), min_size=1, max_size=5),
    rtol=st.floats(0, 1),
    atol=st.floats(1e-6, 10),
)
def test_close_agrees_with_the_formula_entry_by_entry(
    pairs: list[tuple[float, float]], rtol: float, atol: float
) -> None:
    """`close` and `excess` agree with plain Python, except within rounding of the boundary."""
    multiples = [abs(got - want) / (atol + rtol * abs(want)) for got, want in pairs]
    worst = max(multiples)
    got, expected = np.array(pairs).T
    assert excess(got, expected, Tolerance(rtol, atol)) == pytest.approx(worst, rel=1e-12)
    if abs(worst - 1) > 1e-9:
        assert close(got, expected, Tolerance(rtol, atol)) is (worst < 1)


def test_one_of_several_correct_answers_is_enough() -> None:
    """Close to one candidate is close; between two candidates is not."""
    right = np.array([1.0, -2.0])
    assert close_to_any(-right, (right, -right), TOLERANCE)
    assert close_to_any(right, (right, -right), TOLERANCE)
    assert not close_to_any(np.abs(right), (right, -right), TOLERANCE)
    assert not close_to_any([math.nan, -2.0], (right, -right), TOLERANCE)


def test_the_meter_keeps_the_greatest_error_within_its_context() -> None:
    """Each comparison counts with its nearest candidate."""
    close(5.0, 1.0, TOLERANCE)
    with measuring() as meter:
        assert meter.worst is None
        close(0.5e-4, 0.0, TOLERANCE)
        assert meter.worst == pytest.approx(0.5)
        close(2e-4, 0.0, TOLERANCE)
        with measuring() as inner:
            close(9.0, 0.0, TOLERANCE)
        close_to_any(3e-4, (1.0, 0.0), TOLERANCE)
        close(1e-4, 0.0, TOLERANCE)
        assert inner.worst == pytest.approx(9e4)
    close(5.0, 1.0, TOLERANCE)
    assert meter.worst == pytest.approx(3.0)


# ---- the message --------------------------------------------------------------------------


def test_difference_names_the_worst_entry_and_how_many_differ() -> None:
    """The entry that is furthest off is named by its index, with both numbers."""
    expected = np.zeros((2, 3))
    got = np.array([[0.0, 0.1, 0.0], [0.00001, -0.5, 0.2]])
    assert difference("z", got, expected, TOLERANCE) == (
        "z[1, 1]: got -0.5, expected 0, allowed difference 1.0e-04 (atol 0.0001, rtol 0.001); "
        "3 of 6 entries differ."
    )


def test_difference_names_no_entry_that_is_within_its_tolerance() -> None:
    """A larger error that is allowed is not the worst if a smaller one is not allowed."""
    got, expected = np.array([1000.9, 0.01]), np.array([1000.0, 0.0])
    assert difference("x", got, expected, TOLERANCE).startswith("x[1]: got 0.01, expected 0,")


@pytest.mark.parametrize(("wrong", "said"), [(math.nan, "nan"), (math.inf, "inf")])
def test_difference_names_nan_and_infinity_first(wrong: float, said: str) -> None:
    """A NaN or infinity is worse than any number."""
    got = np.array([1e300, wrong, -1e300])
    assert difference("x", got, np.zeros(3), TOLERANCE) == (
        f"x[1]: got {said}, expected 0, allowed difference 1.0e-04 (atol 0.0001, rtol 0.001); "
        "3 of 3 entries differ."
    )


def test_difference_counts_opposite_infinities() -> None:
    """Infinitely far apart is not within a tolerance that is infinite, too."""
    sentence = difference("x", [0.0, math.inf], [0.0, -math.inf], TOLERANCE)
    assert sentence.startswith("x[1]: got inf, expected -inf")
    assert sentence.endswith("1 of 2 entries differ.")


@pytest.mark.parametrize(("got", "entry"), [(2.5, "loss"), ([2.5], "loss[0]")])
def test_difference_of_one_number_counts_nothing(got: ArrayLike, entry: str) -> None:
    """A single number is named without an index when it has none, and without a count."""
    expected = np.ones_like(np.asarray(got))
    assert difference("loss", got, expected, TOLERANCE) == (
        f"{entry}: got 2.5, expected 1, allowed difference 1.1e-03 (atol 0.0001, rtol 0.001)."
    )


def test_a_tolerance_as_text_gives_both_numbers() -> None:
    """A message shows rtol and atol."""
    assert str(TOLERANCE) == "0.0001 + 0.001·|expected|"
