"""Closeness of arrays, and the message about their difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autograder.engine.judge.exceptions import CheckFailed


@dataclass(frozen=True)
class Tolerance:
    """|got - expected| <= atol + rtol * |expected|, entry by entry."""

    rtol: float
    atol: float

    def __str__(self) -> str:
        return f"{self.atol:g} + {self.rtol:g}·|expected|"


class OracleError(ArithmeticError):
    """The expected values are not finite: the autograder's fault, not the student's."""


@dataclass
class Meter:
    """The greatest error measured, as a multiple of the error allowed."""

    worst: float | None = None

    def note(self, multiple: float) -> None:
        """Add one comparison."""
        self.worst = multiple if self.worst is None else max(self.worst, multiple)


_METER: ContextVar[Meter | None] = ContextVar("meter", default=None)


@contextmanager
def measuring() -> Iterator[Meter]:
    """Measure the errors of all comparisons made in this context.

    The audit compares a check's tolerance with the errors of correct and incorrect solutions.
    """
    meter = Meter()
    token = _METER.set(meter)
    try:
        yield meter
    finally:
        _METER.reset(token)


def note(multiple: float) -> None:
    """Add a comparison made elsewhere: its error as a multiple of the error allowed."""
    meter = _METER.get()
    if meter is not None:
        meter.note(multiple)


def close(got: ArrayLike, expected: ArrayLike, tolerance: Tolerance) -> bool:
    """Whether all entries are finite and within the tolerance; shapes must be equal."""
    return close_to_any(got, (expected,), tolerance)


def close_to_any(got: ArrayLike, candidates: Sequence[ArrayLike], tolerance: Tolerance) -> bool:
    """Whether `got` is close to one of several correct answers."""
    multiple = min(excess(got, candidate, tolerance) for candidate in candidates)
    note(multiple)
    return multiple <= 1.0


def assert_close(
    got: ArrayLike,
    expected: ArrayLike,
    tolerance: Tolerance,
    what: str,
    *,
    name: str = "result",
    where: str = "",
) -> None:
    """Fail the check unless all entries are within the tolerance.

    Args:
        got: the student's answer.
        expected: the correct one, of the same shape.
        tolerance: |got - expected| <= atol + rtol * |expected|.
        what: the sentence that a student reads if it is not, on what is wrong.
        name: of the answer, in the line with the numbers.
        where: a sentence on the case.

    Raises:
        CheckFailed: they differ.
        OracleError: an expected value is NaN or infinite.
    """
    if not close(got, expected, tolerance):
        numbers = difference(name, got, expected, tolerance)
        raise CheckFailed(what, where=where, numbers=numbers)


def excess(got: ArrayLike, expected: ArrayLike, tolerance: Tolerance) -> float:
    """Return the greatest error, divided by the allowed one; infinite for NaN or a wrong shape.

    Raises:
        OracleError: an expected value is NaN or infinite.
    """
    a = np.asarray(got, dtype=np.float64)
    b = np.asarray(expected, dtype=np.float64)
    if not np.isfinite(b).all():
        raise OracleError(f"the expected values, shape {b.shape}, are not all finite")
    if a.shape != b.shape or not np.isfinite(a).all():
        return float("inf")
    if a.size == 0:
        return 0.0
    with np.errstate(invalid="ignore"):
        error, allowed = np.abs(a - b), tolerance.atol + tolerance.rtol * np.abs(b)
        # With a tolerance of 0, only the number itself is correct.
        exact = np.where(error == 0, 0.0, np.inf)
        multiple = float(np.max(np.divide(error, allowed, out=exact, where=allowed > 0)))
    return multiple if np.isfinite(multiple) else float("inf")


def difference(name: str, got: ArrayLike, expected: ArrayLike, tolerance: Tolerance) -> str:
    """Describe how `got` differs from `expected` (same shape): worst entry, tolerance, count.

    A NaN or infinity is never close, and is named first.
    """
    a = np.asarray(got, dtype=np.float64)
    b = np.asarray(expected, dtype=np.float64)
    bound = tolerance.atol + tolerance.rtol * np.abs(b)
    with np.errstate(invalid="ignore"):
        error = np.where(np.isfinite(a), np.abs(a - b), np.inf)
    bad = ~(np.isfinite(error) & (error <= bound))
    worst = np.unravel_index(int(np.argmax(np.where(bad, error, -1.0))), a.shape) if a.shape else ()
    entry = name + (f"[{', '.join(str(int(i)) for i in worst)}]" if worst else "")
    count = f"; {int(bad.sum())} of {a.size} entries differ" if a.size > 1 else ""
    allowed = float(bound[worst])
    return (
        f"{entry}: got {_number(a[worst])}, expected {_number(b[worst])}, "
        f"allowed difference {allowed:.1e} (atol {tolerance.atol:g}, rtol {tolerance.rtol:g})"
        f"{count}."
    )


def _number(value: Any) -> str:
    return f"{float(value):.6g}"
