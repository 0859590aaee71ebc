"""What goes on beside the checks comes second to them."""

from __future__ import annotations

import contextlib
import math
import os
import signal
from collections.abc import Iterator
from types import FrameType

from autograder.engine.sandbox.experiment import StudentCode

# The checks wait for each other and are the longer way; a run beside them is waited for at the end.
_NICENESS = 5


def step_back(student: StudentCode) -> None:
    """Leave the processor to the workers that a check waits for, in a process of its own."""
    if student.own_process:
        os.nice(_NICENESS)


class TookTooLong(BaseException):
    """A call went on for longer than `at_most` allows.

    Not an Exception: few catch it by accident.
    """


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Interrupt what runs inside once it has computed for so long.

    For what nobody waits for while it hangs: it would only keep a processor busy. The student's
    code may get around it, so it replaces no deadline. Time slept does not count here.

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
    # Again and again: the first may fall into a place where an exception is swallowed.
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)
