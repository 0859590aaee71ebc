"""Background runs get a lower priority than checks, and a limit for every call."""

from __future__ import annotations

import contextlib
import math
import os
import signal
from collections.abc import Iterator
from types import FrameType

from autograder.engine.sandbox.experiment import StudentCode

# The checks run one after the other and take longer; background runs are only needed at the end.
_NICENESS = 5


def lower_priority(student: StudentCode) -> None:
    """Let the workers of checks go first, unless this process is the student's own."""
    if student.own_process:
        os.nice(_NICENESS)


class TookTooLong(BaseException):
    """A call took longer than `at_most` allows.

    Not an Exception, so that little code catches it by accident.
    """


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Interrupt the code inside after a limit of processor time; sleep does not count.

    A background run that hangs would only keep a processor busy. The student's code may get around
    this limit, so there is a deadline as well.

    Args:
        seconds: of processor time; infinite for no limit.

    Raises:
        TookTooLong: the time is up.
    """
    if math.isinf(seconds):
        yield
        return

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGPROF, ring)
    # Repeatedly: the first exception may be swallowed.
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)
