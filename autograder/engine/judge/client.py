"""Call an experiment in a worker, with a deadline; kill the worker that breaks the rules.

How a call ended (`Ending`) is one thing, what is concluded from it (`ledger.Verdict`) another:
this module only knows the first.
"""

from __future__ import annotations

import contextlib
import enum
import os
import select
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.engine.judge.control import Control, ZygoteGone
from autograder.engine.worker import frames

_KILL_TIMEOUT_S = 10.0
# What the reading of a reply may take that was there before its deadline.
_READ_S = 2.0


class Ending(str, enum.Enum):
    """How a call ended."""

    RETURNED = "returned"
    RAISED = "raised"
    TIMED_OUT = "timed out"
    DIED = "died"
    BAD_REPLY = "bad reply"


@dataclass(frozen=True)
class RaisedError:
    """What the student's code raised, as the worker tells it (so: not to be trusted)."""

    type: str
    message: str
    misuse: bool
    file: str | None
    line: int | None
    # Never the worker's word: read from the staged file by who concludes.
    source: str | None = None


@dataclass(frozen=True)
class Outcome:
    """The end of one call."""

    ending: Ending
    values: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, frames.Array] = field(default_factory=dict)
    error: RaisedError | None = None
    detail: str = ""
    seconds: float = 0.0


class WorkerNotReady(BaseException):
    """A worker could not be started or confined: the grader's fault, not the student's.

    No line of the student's code has run in it. Not an Exception, as `ZygoteGone`.
    """


class Launcher:
    """Asks the zygote for workers.

    Args:
        control: the judge's end of the control socket.
        submission: the staged submission.
        start_timeout_s: how long a worker may take until it is ready.
        ahead: whether to have the next worker forked while a check goes on, and not to wait for
            the end of one that ended well. `close` must then be called.
    """

    # Whether a worker can be had while another is at work.
    concurrent = True

    def __init__(
        self,
        control: socket.socket,
        submission: Path,
        start_timeout_s: float,
        *,
        ahead: bool = False,
    ) -> None:
        self._control = Control(control)
        self._submission = submission
        self._start_timeout_s = start_timeout_s
        self._ahead = ahead
        # The next worker: our end of its socket, and the number of the request for it.
        self._next: tuple[socket.socket, int] | None = None
        self._last_end: int | None = None

    @property
    def submission(self) -> Path:
        """The staged submission."""
        return self._submission

    def open(self) -> Worker:
        """Return a fresh worker.

        Raises:
            ZygoteGone: the zygote died or does not answer.
            WorkerNotReady: the zygote could not fork.
        """
        ours, number = self._next or self._spawn()
        self._next = None
        answer = self._control.answer(number, self._start_timeout_s)
        if "failed" in answer:
            ours.close()
            raise WorkerNotReady(f"no worker could be started:\n{answer['failed']}")
        if self._ahead:
            self._next = self._spawn()
        return Worker(self, ours, int(answer["pid"]), self._start_timeout_s)

    def end(self, pid: int) -> tuple[int | None, str]:
        """Kill a worker and all it started, and wait for that.

        Returns:
            its exit status (negative: a signal; None: it was ended before), and why the zygote
            had to end it, or "".
        """
        number = self._control.ask({"op": "end", "pid": pid})
        answer = self._control.answer(number, _KILL_TIMEOUT_S)
        status = answer["status"]
        return None if status is None else int(status), str(answer.get("why", ""))

    def dismiss(self, pid: int) -> None:
        """Have a worker and all it started killed, when nobody asks how it ended."""
        if not self._ahead:
            self.end(pid)
            return
        if self._last_end is not None:
            self._control.forget(self._last_end)
        self._last_end = self._control.ask({"op": "end", "pid": pid})

    def close(self) -> None:
        """End the worker that was forked ahead, and wait until all that were dismissed are gone."""
        with contextlib.suppress(ZygoteGone):  # then they are gone as well
            if self._next is not None:
                (ours, number), self._next = self._next, None
                ours.close()
                answer = self._control.answer(number, self._start_timeout_s)
                if "pid" in answer:
                    self.dismiss(int(answer["pid"]))
            if self._last_end is not None:
                number, self._last_end = self._last_end, None
                self._control.answer(number, _KILL_TIMEOUT_S)

    def _spawn(self) -> tuple[socket.socket, int]:
        """Ask for a worker; return our end of its socket, and the number of the request."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            request = {"op": "spawn", "submission": str(self._submission)}
            try:
                return ours, self._control.ask(request, [theirs.fileno()])
            except ZygoteGone:
                ours.close()
                raise


class Worker:
    """One worker process. A call that does not end well ends the worker with it."""

    def __init__(
        self, launcher: Launcher, sock: socket.socket, pid: int, start_timeout_s: float
    ) -> None:
        self._launcher = launcher
        self._sock = sock
        self._pid = pid
        self._process = _descriptor_of(pid)
        self._ready_until = time.monotonic() + start_timeout_s
        self._is_ready = False
        self._calls = 0
        self._closed = False

    def call(
        self,
        experiment: str,
        arguments: Mapping[str, Any],
        arrays: Mapping[str, frames.Array],
        *,
        seed: int,
        timeout_s: float,
    ) -> Outcome:
        """Run one experiment and wait for its end."""
        return self.start(experiment, arguments, arrays, seed=seed, timeout_s=timeout_s).result()

    def start(
        self,
        experiment: str,
        arguments: Mapping[str, Any],
        arrays: Mapping[str, frames.Array],
        *,
        seed: int,
        timeout_s: float,
    ) -> PendingCall:
        """Send one request; the worker is busy with it until `result` is asked for."""
        started = time.monotonic()
        deadline = started + timeout_s
        self._calls += 1
        header = {
            "id": self._calls,
            "experiment": experiment,
            "arguments": dict(arguments),
            "seed": seed,
        }
        failed = None
        try:
            frames.send(self._sock, frames.Frame(header, arrays), deadline)
        except (frames.DeadlineExceeded, frames.PeerClosed) as error:
            failed = error
        return PendingCall(self, self._calls, started, deadline, failed)

    def wait(self, call: PendingCall) -> Outcome:
        """Wait for the reply of a started call.

        Raises:
            WorkerNotReady: the worker never got as far as the student's code.
        """
        try:
            if not self._closed:
                self._await_ready()
            if call.failed is not None:
                raise call.failed
            reply = frames.receive(self._sock, self._read_until(call), peer=self._process)
            outcome = _read_reply(reply, call.number)
        except frames.DeadlineExceeded:
            outcome = Outcome(Ending.TIMED_OUT)
        except frames.FrameError as error:
            outcome = Outcome(Ending.BAD_REPLY, detail=str(error))
        except frames.PeerClosed:
            outcome = Outcome(Ending.DIED)
        if outcome.ending not in (Ending.RETURNED, Ending.RAISED):
            status, why = self.close()
            if outcome.ending is Ending.DIED:
                outcome = Outcome(Ending.DIED, detail=why or how_it_died(status))
        seconds = time.monotonic() - call.started
        return Outcome(
            outcome.ending, outcome.values, outcome.arrays, outcome.error, outcome.detail, seconds
        )

    def _await_ready(self) -> None:
        """Read the worker's first frame, which it sends once it is confined.

        It comes before any of the student's code runs, so what it says can be believed.
        """
        if self._is_ready:
            return
        try:
            until = max(self._ready_until, time.monotonic() + _READ_S)  # it may wait for us
            first = frames.receive(self._sock, until, peer=self._process)
        except (frames.DeadlineExceeded, frames.PeerClosed, frames.FrameError) as error:
            status, _ = self.close()
            raise WorkerNotReady(f"the worker was never ready: {error}; status {status}") from None
        if first.header.get("ready") is not True:
            self.close()
            raise WorkerNotReady(f"the worker is not confined:\n{first.header.get('failed')}")
        self._is_ready = True

    def _read_until(self, call: PendingCall) -> float:
        """Say how long to read: a reply that waits for us is not late because we ask late.

        What runs beside the checks may be done long before anybody asks for its end.
        """
        waits = not self._closed and bool(select.select([self._sock], [], [], 0)[0])
        return max(call.deadline, time.monotonic() + _READ_S) if waits else call.deadline

    def close(self) -> tuple[int | None, str]:
        """End the worker and all it started; see `Launcher.end`. Safe to call twice."""
        return self._launcher.end(self._pid) if self._hang_up() else (None, "")

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
    """A request that was sent and not yet answered; times are on the monotonic clock."""

    worker: Worker
    number: int
    started: float
    deadline: float
    failed: Exception | None = None
    functions: tuple[str, ...] = ()
    file: str = ""

    def result(self) -> Outcome:
        """Wait for the reply until the call's deadline."""
        return self.worker.wait(self)


def _read_reply(reply: frames.Frame, number: int) -> Outcome:
    header = reply.header
    if header.get("id") != number:
        return Outcome(Ending.BAD_REPLY, detail="a reply to a question that was not asked")
    if "error" in header:
        return Outcome(Ending.RAISED, error=_read_error(header["error"]))
    values = header.get("values")
    if not isinstance(values, dict):
        return Outcome(Ending.BAD_REPLY, detail="a reply without values")
    return Outcome(Ending.RETURNED, values, reply.arrays)


def _read_error(told: object) -> RaisedError:
    if not isinstance(told, dict):
        raise frames.FrameError("an error that is not an object")

    def text(key: str) -> str | None:
        value = told.get(key)
        return value[:1000] if isinstance(value, str) else None

    line = told.get("line")
    return RaisedError(
        type=text("type") or "Exception",
        message=text("message") or "",
        misuse=told.get("misuse") is True,
        file=text("file"),
        line=line if type(line) is int and 0 < line < 10**7 else None,
    )


def _descriptor_of(pid: int) -> int | None:
    """Return a descriptor that tells of a process's end; None where the kernel has none.

    The connection alone does not: what the worker started may hold it open.
    """
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # not Linux, or before 5.3
        return None


def how_it_died(status: int | None) -> str:
    """Say how the process ended. SIGKILL may be ours: then it was ending by itself, slowly."""
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
