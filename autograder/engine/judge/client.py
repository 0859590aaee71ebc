"""Call an experiment in a worker, with a deadline; kill the worker that breaks the rules.

How a call ended (`Ending`) is one thing, what is concluded from it (`ledger.Verdict`) another:
this module only knows the first.
"""

from __future__ import annotations

import enum
import json
import select
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
    source: str | None


@dataclass(frozen=True)
class Outcome:
    """The end of one call."""

    ending: Ending
    values: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, frames.Array] = field(default_factory=dict)
    error: RaisedError | None = None
    detail: str = ""
    seconds: float = 0.0


class ZygoteGone(Exception):
    """The zygote does not answer: the grader's fault, not the student's."""


class Launcher:
    """Asks the zygote for workers."""

    # Whether a worker can be had while another is at work.
    concurrent = True

    def __init__(self, control: socket.socket, submission: Path, start_timeout_s: float) -> None:
        self._control = control
        self._submission = submission
        self._start_timeout_s = start_timeout_s

    def open(self) -> Worker:
        """Start a fresh worker.

        Raises:
            ZygoteGone: the zygote died or does not answer.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            request = {"op": "spawn", "submission": str(self._submission)}
            answer = self._ask(request, [theirs.fileno()], self._start_timeout_s)
        return Worker(self, ours, int(answer["pid"]))

    def end(self, pid: int) -> int | None:
        """Kill a worker and all it started; return its exit status (negative: a signal)."""
        status = self._ask({"op": "end", "pid": pid}, [], _KILL_TIMEOUT_S)["status"]
        return None if status is None else int(status)

    def _ask(
        self, request: Mapping[str, Any], descriptors: list[int], timeout_s: float
    ) -> Mapping[str, Any]:
        try:
            self._control.settimeout(timeout_s)
            socket.send_fds(self._control, [json.dumps(request).encode()], descriptors)
            packet = self._control.recv(65536)
        except OSError as error:
            raise ZygoteGone(f"the zygote does not answer: {error}") from error
        if not packet:
            raise ZygoteGone("the zygote closed its control socket")
        answer: Mapping[str, Any] = json.loads(packet)
        return answer


class Worker:
    """One worker process. A call that does not end well ends the worker with it."""

    def __init__(self, launcher: Launcher, sock: socket.socket, pid: int) -> None:
        self._launcher = launcher
        self._sock = sock
        self._pid = pid
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
        """Wait for the reply of a started call."""
        try:
            if call.failed is not None:
                raise call.failed
            reply = frames.receive(self._sock, self._read_until(call))
            outcome = _read_reply(reply, call.number)
        except frames.DeadlineExceeded:
            outcome = Outcome(Ending.TIMED_OUT)
        except frames.FrameError as error:
            outcome = Outcome(Ending.BAD_REPLY, detail=str(error))
        except frames.PeerClosed:
            outcome = Outcome(Ending.DIED)
        if outcome.ending not in (Ending.RETURNED, Ending.RAISED):
            status = self.close()
            if outcome.ending is Ending.DIED:
                outcome = Outcome(Ending.DIED, detail=_how_it_died(status))
        seconds = time.monotonic() - call.started
        return Outcome(
            outcome.ending, outcome.values, outcome.arrays, outcome.error, outcome.detail, seconds
        )

    def _read_until(self, call: PendingCall) -> float:
        """Say how long to read: a reply that waits for us is not late because we ask late.

        What runs beside the checks may be done long before anybody asks for its end.
        """
        waits = not self._closed and bool(select.select([self._sock], [], [], 0)[0])
        return max(call.deadline, time.monotonic() + _READ_S) if waits else call.deadline

    def close(self) -> int | None:
        """End the worker and all it started. Safe to call twice."""
        if self._closed:
            return None
        self._closed = True
        self._sock.close()
        return self._launcher.end(self._pid)


@dataclass(frozen=True)
class PendingCall:
    """A request that was sent and not yet answered; times are on the monotonic clock."""

    worker: Worker
    number: int
    started: float
    deadline: float
    failed: Exception | None = None
    functions: tuple[str, ...] = ()

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
        source=text("source"),
    )


def _how_it_died(status: int | None) -> str:
    """Say how the process ended. SIGKILL may be ours: then it was ending by itself, slowly."""
    if status is None or status == -9:
        return "it was killed"
    if status < 0:
        return f"it was ended by signal {-status}"
    return f"it exited with status {status}"
