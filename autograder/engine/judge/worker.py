"""One worker: calls experiments in it, with a deadline, and kills it if it breaks the rules.

This module reports how a call ended (`Ending`); `caller` concludes something from it.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from autograder.engine.judge.calls import Death, Ending, Outcome, OutOfMemory, RaisedError
from autograder.engine.judge.clock import TICK_S, WorkerClock, processor_time_s
from autograder.engine.sandbox import frames

if TYPE_CHECKING:
    from autograder.engine.judge.launcher import Launcher

# Wall time, so generous: for receiving a whole request, or for sending a whole reply once it has
# begun.
_TRANSFER_S = 10.0
# A worker that has used more than this, or cannot be made fresh, serves no other check.
_MOST_USED_S = 20.0
_FRESH_S = 5.0


class WorkerNotReady(BaseException):
    """A worker could not be started or confined: the autograder's fault, not the student's.

    No line of the student's code has run in it. Not an Exception, as `ZygoteGone`.
    """


class Worker:
    """One worker process. A call that fails ends the worker with it."""

    def __init__(
        self,
        launcher: Launcher,
        sock: socket.socket,
        pid: int,
        start_timeout_s: float,
        speed: float = 1.0,
    ) -> None:
        self._launcher = launcher
        self._sock = sock
        self._pid = pid
        self._speed = speed
        self._process = _descriptor_of(pid)
        self._ready_until = time.monotonic() + start_timeout_s
        self._is_ready = False
        self.served_before = False
        self._all_returned = True
        self._calls = 0
        self._closed = False

    def start(
        self,
        experiment: str,
        arguments: Mapping[str, Any],
        arrays: Mapping[str, frames.Array],
        *,
        seed: int,
        limit_s: float,
    ) -> PendingCall:
        """Send one request to run an experiment; the worker is busy until `result` is asked for.

        It may use `limit_s`, as `WorkerClock` counts it.

        Raises:
            WorkerNotReady: the worker could not be confined.
            OutOfMemory: the kernel killed it before it was.
        """
        self._calls += 1
        request = {"experiment": experiment, "arguments": dict(arguments), "seed": seed}
        header = {"id": self._calls, **request}
        failed = None
        if not self._closed:
            self._await_ready()
        clock = WorkerClock(self._pid, self._speed)
        try:
            frames.send(self._sock, frames.Frame(header, arrays), time.monotonic() + _TRANSFER_S)
        except (frames.DeadlineExceeded, frames.PeerClosed) as error:
            failed = error
        return PendingCall(self, self._calls, clock, limit_s, failed)

    def becomes_fresh(self) -> bool:
        """Whether it has the state of a new worker again, for another check."""
        if (processor_time_s(self._pid) or 0.0) > _MOST_USED_S * self._speed:
            return False
        self.served_before = True
        outcome = self.start("fresh", {}, {}, seed=0, limit_s=_FRESH_S).result()
        return outcome.ending is Ending.RETURNED

    def wait(self, call: PendingCall) -> Outcome:
        """Wait for the reply of a started call."""
        try:
            if call.failed is not None:
                raise call.failed
            call.clock.skip()  # nobody waited for it until now
            self._await_reply(call)
            until = time.monotonic() + _TRANSFER_S
            reply = frames.receive(self._sock, until, peer=self._process)
            outcome = _read_reply(reply, call.number)
        except frames.DeadlineExceeded:
            outcome = Outcome(Ending.TIMED_OUT)
        except frames.FrameError as error:
            outcome = Outcome(Ending.BAD_REPLY, detail=str(error))
        except frames.PeerClosed:
            outcome = Outcome(Ending.DIED)
        call.clock.look()
        self._all_returned = self._all_returned and outcome.ending is Ending.RETURNED
        if outcome.ending not in (Ending.RETURNED, Ending.RAISED):
            death = self.close()
            if outcome.ending is Ending.DIED:
                detail = death.excess or how_it_died(death)
                outcome = Outcome(Ending.DIED, detail=detail, death=death)
        return replace(outcome, seconds=call.clock.used_s, slept_s=call.clock.slept_s)

    def _await_reply(self, call: PendingCall) -> None:
        """Return when there is something to read, or when the worker has ended.

        Raises:
            DeadlineExceeded: the call has used up its time.
        """
        while not self.answers(TICK_S):
            call.clock.look()
            if call.clock.is_over(call.limit_s):
                raise frames.DeadlineExceeded("the call has used up its time")

    def answers(self, wait_s: float) -> bool:
        """Whether the worker has sent something, or has ended."""
        if self._closed:
            return True
        poll = select.poll()
        poll.register(self._sock.fileno(), select.POLLIN)
        if self._process is not None:
            poll.register(self._process, select.POLLIN)
        return bool(poll.poll(wait_s * 1000))

    def _await_ready(self) -> None:
        """Read the worker's first frame, which it sends once it is confined.

        It comes before any of the student's code runs, so it can be trusted.

        Raises:
            WorkerNotReady: the worker never reached the student's code.
        """
        if self._is_ready:
            return
        try:
            until = max(self._ready_until, time.monotonic() + _TRANSFER_S)  # it may wait for us
            first = frames.receive(self._sock, until, peer=self._process)
        except (frames.DeadlineExceeded, frames.PeerClosed, frames.FrameError) as error:
            death = self.close()
            if death.out_of_memory:
                raise OutOfMemory(death) from None
            why = f"the worker was never ready: {error}; status {death.status}"
            raise WorkerNotReady(why) from None
        if first.header.get("ready") is not True:
            self.close()
            raise WorkerNotReady(f"the worker is not confined:\n{first.header.get('failed')}")
        self._is_ready = True

    @property
    def can_be_handed_on(self) -> bool:
        """Whether it is open and all its calls have returned."""
        return self._all_returned and not self._closed

    def close(self) -> Death:
        """End the worker and all it started. Safe to call twice."""
        return self._launcher.end(self._pid) if self._hang_up() else Death()

    def dismiss(self) -> None:
        """End the worker as `close` does, without waiting for it. Safe to call twice."""
        if self._hang_up():
            self._launcher.dismiss(self._pid)

    def _hang_up(self) -> bool:
        """Close our side; return whether it was open."""
        if self._closed:
            return False
        self._closed = True
        self._sock.close()
        if self._process is not None:
            os.close(self._process)
            self._process = None
        return True


@dataclass(frozen=True)
class PendingCall:
    """A request that was sent and not yet answered."""

    worker: Worker
    number: int
    clock: WorkerClock
    limit_s: float
    failed: Exception | None = None
    functions: tuple[str, ...] = ()
    file: str = ""

    def result(self) -> Outcome:
        """Wait for the reply until the call has used up its time."""
        return self.worker.wait(self)

    @property
    def is_at_work(self) -> bool:
        """Whether the worker has neither answered nor ended."""
        return self.failed is None and not self.worker.answers(0)


def _read_reply(reply: frames.Frame, number: int) -> Outcome:
    header = reply.header
    if header.get("id") != number:
        return Outcome(Ending.BAD_REPLY, detail="a reply to another request")
    if "error" in header:
        return Outcome(Ending.RAISED, error=_read_error(header["error"]))
    values = header.get("values")
    if not isinstance(values, dict):
        return Outcome(Ending.BAD_REPLY, detail="a reply without values")
    return Outcome(Ending.RETURNED, values, reply.arrays)


def _read_error(raw: object) -> RaisedError:
    if not isinstance(raw, dict):
        raise frames.FrameError("an error that is not an object")

    def text(key: str) -> str | None:
        value = raw.get(key)
        return value[:1000] if isinstance(value, str) else None

    line = raw.get("line")
    return RaisedError(
        type=text("type") or "Exception",
        message=text("message") or "",
        misuse=raw.get("misuse") is True,
        file=text("file"),
        line=line if type(line) is int and 0 < line < 10**7 else None,
    )


def _descriptor_of(pid: int) -> int | None:
    """Return a descriptor that signals the process's end; None where the kernel has none.

    The connection alone does not: processes that the worker started may keep it open.
    """
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # not Linux, or before 5.3
        return None


def how_it_died(death: Death) -> str:
    """Say how a worker ended. SIGKILL may be ours: then it was ending already, slowly."""
    if death.out_of_memory:
        return "the memory ran out"
    status = death.status
    if status is None or status == -signal.SIGKILL:
        return "it was killed"
    if status == -signal.SIGXCPU:
        return "it used up its processor time"
    if status < 0:
        name = _SIGNALS.get(-status)
        return f"it was ended by signal {-status}" + (f" ({name})" if name else "")
    return f"it exited with status {status}"


_SIGNALS: dict[int, str] = {
    signal.SIGSEGV: "segmentation fault",
    signal.SIGABRT: "abort",
    signal.SIGFPE: "arithmetic error",
    signal.SIGBUS: "bad memory access",
    signal.SIGXFSZ: "a file grew too large",
}
