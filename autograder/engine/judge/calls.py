"""The interface of a call of the student's code, and the ways in which it can end.

The judge calls a worker (`judge.caller`), a student's own pytest runs the experiment itself
(`local.caller`).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from numpy.typing import NDArray

Array = NDArray[Any]

# The experiments of every homework: import a file of the submission, call a function in it.
# See sandbox/experiment.py.
IMPORT, CALL = "import", "call"
NOT_AGAIN = "Your code did not return in time in earlier checks, so it was not run again here."


class Ending(str, enum.Enum):
    """The ways in which a call can end."""

    RETURNED = "returned"
    RAISED = "raised"
    TIMED_OUT = "timed out"
    DIED = "died"
    BAD_REPLY = "bad reply"


@dataclass(frozen=True)
class RaisedError:
    """An error of the student's code, as the worker reports it, so not to be trusted."""

    type: str
    message: str
    misuse: bool
    file: str | None
    line: int | None
    # Never from the worker: `student_errors` reads both from the staged file.
    source: str | None = None
    undecodable: tuple[str, str] | None = None


@dataclass(frozen=True)
class Death:
    """The end of a worker, as the zygote saw it.

    Args:
        status: exit status, or minus the signal; None when it was ended before.
        excess: why the zygote had to end it, or "".
        out_of_memory: whether the kernel killed it because memory ran out.
        memory_bytes: its peak memory, without that shared with the zygote.
    """

    status: int | None = None
    excess: str = ""
    out_of_memory: bool = False
    memory_bytes: int = 0


@dataclass(frozen=True)
class Outcome:
    """The end of one call."""

    ending: Ending
    values: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    error: RaisedError | None = None
    detail: str = ""
    # Time used, and the part of it slept, in seconds of the machine that the limits were set on.
    seconds: float = 0.0
    slept_s: float = 0.0
    # None if the worker lives.
    death: Death | None = None


class OutOfMemory(BaseException):
    """The kernel killed a worker for memory that the student's code did not take.

    Not an Exception, as `ZygoteGone`.
    """

    def __init__(self, death: Death) -> None:
        super().__init__(f"the kernel killed a worker that had taken {death.memory_bytes:,} bytes")


@dataclass(frozen=True)
class Call:
    """A call of the student's code by a check.

    Args:
        experiment: its name in the homework's `EXPERIMENTS`.
        arguments: JSON values for it.
        arrays: arrays for it.
        seed: seeds torch, numpy and random before the call; must follow from the case, so that a
            replayed case gives the same answer.
        needs: the student's file that it calls, such as "code/model.py".
        functions: the student's functions that it calls, where the experiment's name does not say;
            hangs are counted by them.
        timeout_s: in place of the assignment's call timeout, see `clock.WorkerClock`.
        times: how often the experiment calls the student's function.
    """

    experiment: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    seed: int = field(kw_only=True)
    needs: str = field(kw_only=True)
    functions: Sequence[str] = field(default=(), kw_only=True)
    timeout_s: float | None = field(default=None, kw_only=True)
    times: int = field(default=1, kw_only=True)

    @property
    def called(self) -> tuple[str, ...]:
        """The functions by which hangs are counted."""
        return tuple(self.functions) or (self.experiment,)


def import_of(file: str) -> Call:
    """Return the call that imports a file of the submission, such as "code/model.py"."""
    module = file.removesuffix(".py").replace("/", ".")
    return Call(IMPORT, {"module": module}, seed=0, needs=file)


class PendingCall(Protocol):
    """A call that was started; the rest of it is known only to its caller."""

    @property
    def is_at_work(self) -> bool:
        """Whether its worker has neither answered nor ended."""


class Caller(Protocol):
    """Calls experiments for one check; a call that fails raises the check's conclusion."""

    def unseen(self) -> AbstractContextManager[None]:
        """Hide what the student's code prints in calls that only explain a failure."""

    def call(self, call: Call) -> Outcome:
        """Run an experiment and return its outcome."""

    def start(self, call: Call) -> PendingCall:
        """Start an experiment; `finish` waits for its end."""

    def finish(self, pending: Any) -> Outcome:
        """Return the outcome of a started experiment."""

    def close(self) -> None:
        """End all calls."""
