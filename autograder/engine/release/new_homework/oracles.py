"""The correct answers: the assignment's equations, in numpy and float64.

Secret: a public check that imports this file stops the build of the students' zip.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def softmax(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return exp(x_k) / sum_j exp(x_j) for each row of x (B, K)."""
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    result: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return result
