"""Fork server: a process imports modules once and forks workers that have them already.

A batch of gradings pays for the imports once. The server only forks; all effects of a job end with
its fork.

Requests come over a SOCK_SEQPACKET pair, whose near end several processes may share. A request is
one packet of JSON with descriptors; the last is a socket for the answers: `{"pid": N}`, then
`{"status": N}` when the fork has ended; or `{"failed": TEXT}` if it cannot fork. Closing the other
end of that socket abandons the fork: it gets SIGTERM, and SIGKILL ten seconds later.

Standard library only: the supervisor imports this.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from autograder.engine.sandbox.isolated import command

# Importing torch takes seconds; on a busy machine with a cold disk far more.
_START_TIMEOUT_S = 120.0
_MOST_DESCRIPTORS = 8
# How often a server checks its forks while nothing happens.
_SWEEP_S = 1.0
# Time for an abandoned fork to end by itself.
_GRACE_S = 10.0
# Time for the kernel to end a killed process, and for the server to report it.
_KILLED_S = 10.0


class NoFork(OSError):
    """The server runs but cannot fork: no process, memory or descriptor is available."""


class ForkServer:
    """The client of a fork server, which it starts, and starts again if it died.

    Args:
        module: the server's module, see `serve`; its first argument is the descriptor of requests.
        arguments: the other arguments.
        environment: its whole environment.
        folder: its working folder.
        inherited: the descriptor of requests to the parent process's server. It is used as long as
            it answers; then this process starts its own.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path = Path("/"),
        inherited: int | None = None,
    ) -> None:
        self._command = (module, *arguments)
        self._environment = dict(environment)
        self._folder = folder
        self._inherited = None if inherited is None else socket.socket(fileno=inherited)
        self._running: tuple[subprocess.Popen[bytes], socket.socket] | None = None
        self._requests()

    @property
    def pid(self) -> int | None:
        """The process id of our own server, if it runs."""
        return None if self._running is None else self._running[0].pid

    def fileno(self) -> int:
        """Return the descriptor of requests, for a process that shares the server."""
        return self._requests().fileno()

    def fork(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> Fork:
        """Return a new fork, with copies of these descriptors.

        Raises:
            OSError: a new server also ended, did not answer in time, or cannot fork.
        """
        packet = json.dumps(request).encode()
        try:
            return self._fork(packet, descriptors)
        except ConnectionError:  # it died, perhaps before the request
            self.close()
            return self._fork(packet, descriptors)

    def _fork(self, packet: bytes, descriptors: Sequence[int]) -> Fork:
        requests = self._requests()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                socket.send_fds(requests, [packet], [*descriptors, theirs.fileno()])
            ours.settimeout(_START_TIMEOUT_S)
            packet = ours.recv(65536)
            if not packet:
                raise ConnectionError("the fork server ended before it forked")
            answer = json.loads(packet)
            if "failed" in answer:
                raise NoFork(answer["failed"])
        except OSError:
            ours.close()
            raise
        return Fork(int(answer["pid"]), ours)

    def close(self) -> None:
        """End our own server with its forks; disconnect from a shared one."""
        if self._inherited is not None:
            self._inherited.close()
            self._inherited = None
        if self._running is not None:
            process, requests = self._running
            self._running = None
            requests.close()
            process.kill()
            process.wait()

    def _requests(self) -> socket.socket:
        if self._inherited is not None:
            return self._inherited
        if self._running is None or self._running[0].poll() is not None:
            self.close()
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                module, *arguments = self._command
                process = subprocess.Popen(
                    [*command(sys.executable, module), str(theirs.fileno()), *arguments],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=2,  # imports may print
                    cwd=self._folder,
                    env=self._environment,
                    start_new_session=True,  # no Ctrl-C and Ctrl-Z of a terminal
                )
            self._running = process, ours
        return self._running[1]


class Fork:
    """A fork, with the methods of `Popen`; the server reports its end on a socket."""

    def __init__(self, pid: int, answers: socket.socket) -> None:
        self.pid = pid
        self._answers = answers
        self._status: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status; if the server died, the fork counts as killed.

        Raises:
            subprocess.TimeoutExpired: it still runs after `timeout` seconds.
        """
        if self._status is None:
            self._answers.settimeout(timeout)
            try:
                packet = self._answers.recv(4096)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("fork", timeout or 0.0) from None
            self._status = int(json.loads(packet)["status"]) if packet else -signal.SIGKILL
            self._answers.close()
        return self._status

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0.0)
        return None

    def kill(self) -> None:
        """Kill it if it runs, and wait for the server's report."""
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            try:
                self.wait(_KILLED_S)
            except subprocess.TimeoutExpired:  # the server is stopped or stuck
                self._status = -signal.SIGKILL
                self._answers.close()


def serve(
    descriptor: int,
    become: Callable[[Mapping[str, Any], list[int]], int],
    sweep: Callable[[Iterable[int]], object] | None = None,
) -> None:
    """Fork on request until every client has closed its end.

    Args:
        descriptor: the socket of requests.
        become: runs in the fork with the request and its descriptors (without the last one);
            returns the exit status.
        sweep: called regularly with the process ids of the forks.
    """
    requests = socket.socket(fileno=descriptor)
    forks: dict[int, _Running] = {}
    while True:
        ready = _ready([descriptor, *(fd for fork in forks.values() for fd in fork.watched)])
        for fork in list(forks.values()):
            if fork.pidfd in ready:
                fork.end()
                del forks[fork.pid]
            elif not fork.is_abandoned and fork.answers.fileno() in ready:
                fork.abandon()  # readable means closed: nothing is ever sent on it
            elif fork.is_overdue:
                fork.kill()
        if sweep is not None:
            sweep(forks)
        if descriptor in ready:
            try:
                packet, descriptors, _, _ = socket.recv_fds(requests, 65536, _MOST_DESCRIPTORS)
            except OSError:  # no descriptors available; the next request may succeed
                traceback.print_exc()
                continue
            if not packet:
                return
            new = _serve_one(packet, descriptors, become, [requests, *forks.values()])
            if new is not None:
                forks[new.pid] = new


def _ready(descriptors: Iterable[int], timeout_s: float = _SWEEP_S) -> frozenset[int]:
    """Return those of the descriptors that are readable or closed, as soon as there is one."""
    poll = select.poll()  # select() cannot take descriptors beyond 1024
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return frozenset(descriptor for descriptor, _ in poll.poll(1000 * timeout_s))


def _serve_one(
    packet: bytes,
    descriptors: list[int],
    become: Callable[[Mapping[str, Any], list[int]], int],
    held: Sequence[socket.socket | _Running],
) -> _Running | None:
    """Fork for one request; return None if the client has gone or the fork failed."""
    if not descriptors:  # the kernel dropped them: too many are open here
        return None
    *others, last = descriptors
    answers, pid = socket.socket(fileno=last), -1
    try:
        request = json.loads(packet)
        if _ready([last], 0):  # the client closed its end, as after a timeout
            answers.close()
            return None
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            _run(become, request, others, [*held, answers])
        return _Running(pid, answers)
    except (OSError, ValueError):
        if pid > 0:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        failed = {"failed": traceback.format_exc()[-4000:]}
        with answers, contextlib.suppress(OSError):
            answers.send(json.dumps(failed).encode())
        return None
    finally:
        for other in others:
            os.close(other)


class _Running:
    """A fork, on the server's side."""

    def __init__(self, pid: int, answers: socket.socket) -> None:
        self.pid = pid
        self.answers = answers
        self.pidfd = os.pidfd_open(pid)
        self._abandoned_at: float | None = None
        self._report({"pid": pid})

    @property
    def watched(self) -> tuple[int, ...]:
        """The descriptors to poll."""
        return (self.pidfd,) if self.is_abandoned else (self.pidfd, self.answers.fileno())

    @property
    def is_abandoned(self) -> bool:
        """Whether its client has gone."""
        return self._abandoned_at is not None

    @property
    def is_overdue(self) -> bool:
        """Whether it was abandoned and had time to end."""
        return self._abandoned_at is not None and time.monotonic() > self._abandoned_at + _GRACE_S

    def abandon(self) -> None:
        """Ask it to end."""
        self._abandoned_at = time.monotonic()
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def end(self) -> None:
        """Reap it and report its status."""
        self._report({"status": os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])})
        self.close()

    def close(self) -> None:
        """Close its descriptors."""
        os.close(self.pidfd)
        self.answers.close()

    def _report(self, answer: Mapping[str, int]) -> None:
        with contextlib.suppress(OSError):  # the client may have gone
            self.answers.send(json.dumps(answer).encode())


def _run(
    become: Callable[[Mapping[str, Any], list[int]], int],
    request: Mapping[str, Any],
    descriptors: list[int],
    held: Sequence[socket.socket | _Running],
) -> NoReturn:
    status = 70
    try:
        for each in held:  # else nobody would notice the server's death
            each.close()
        status = become(request, descriptors)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)  # never back into the server's loop
