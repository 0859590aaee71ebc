"""1.1 softmax: the checks that students get. They import nothing secret, so answers are numbers."""

import numpy as np

from autograder import Student, Tolerance, assert_close, number, weight

X = np.array([[0.0, 1.0, 2.0], [3.0, -1.0, 0.5]])
EXPECTED = np.array([[0.0900306, 0.2447285, 0.6652410], [0.9087599, 0.0166445, 0.0745956]])


@number("1.1.1")
@weight(1)
def test_softmax_of_two_rows(student: Student) -> None:
    """softmax() gives the expected probabilities of two fixed rows.

    The first line is the title of the check. Students read these lines as advice if it fails.
    """
    got = student.call("softmax", {"x": X}).array("result", X.shape, "(B, K)")
    assert_close(
        got, EXPECTED, Tolerance(rtol=1e-3, atol=1e-5), "softmax() gives wrong probabilities."
    )
