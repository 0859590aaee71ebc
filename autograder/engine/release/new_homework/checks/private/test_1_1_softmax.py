"""1.1 softmax: the checks that only Gradescope runs. Each draws its cases from the term's seed."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from autograder import Diagnosis, Student, Tolerance, assert_close, number, weight
from autograder.engine.release.new_homework import oracles

# Correct solutions in float32 stay far below, mistakes far above; `audit` measures both.
TOLERANCE = Tolerance(rtol=1e-3, atol=1e-5)


def rows(seed: int, batch: int, classes: int) -> NDArray[np.float64]:
    """Draw x (B, K)."""
    return np.random.default_rng(seed).normal(scale=2.0, size=(batch, classes))


@number("1.1.2")
@weight(4)
@settings(max_examples=10)
@given(x=st.builds(rows, st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(2, 6)))
def test_softmax_of_random_rows(
    student: Student, diagnosis: Diagnosis, x: NDArray[np.float64]
) -> None:
    """softmax() gives the probabilities of random rows.

    Compare with torch.softmax on a batch of your own.
    """
    expected = oracles.softmax(x)
    got = student.call("softmax", {"x": x}).array("result", x.shape, "(B, K)")
    diagnosis.observe("softmax", about=x, got=got, right=expected)
    batch, classes = x.shape
    assert_close(
        got,
        expected,
        TOLERANCE,
        "softmax() gives wrong probabilities.",
        where=f"Smallest case found: {batch} rows of {classes} numbers.",
    )
