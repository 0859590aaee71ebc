"""Processes forked, warm already, from one that has imported what they need.

Who grades many submissions pays for the imports once: a fork server imports, and never does the
work itself; what a piece of work leaves behind ends with its fork.

It talks over a SOCK_SEQPACKET pair, whose near end several processes may hold: they share the
server. A request is one packet of JSON with descriptors. The last one is a socket for the answers:
`{"pid": N}`, and once the fork has ended `{"status": N}`; or `{"failed": TEXT}`, where there can be
none. Closing the other end of that socket gives the fork up: it gets SIGTERM, and SIGKILL if it is
still there ten seconds later.

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
# How often a server looks after its forks while nothing happens.
_SWEEP_S = 1.0
# What a fork that was given up may take to end by itself.
_GRACE_S = 10.0
# What the kernel may take to end a process that was killed, and its server to tell it.
_KILLED_S = 10.0


class NoFork(OSError):
    """The server lives, but cannot fork: no process, no memory, or no descriptor to be had."""


class ForkServer:
    """Asks a fork server for forks; starts one, and another in place of one that died.

    Args:
        module: what runs it, see `serve`; its first argument is the descriptor of the requests.
        arguments: the others.
        environment: its whole environment.
        folder: where it runs.
        inherited: the descriptor of the requests to a server of whoever started this process. It is
            asked as long as it answers; after that this process starts its own.
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
        """The process id of a server of our own, while there is one."""
        return None if self._running is None else self._running[0].pid

    def fileno(self) -> int:
        """Return the descriptor of the requests, to be handed to a process that shares them."""
        return self._requests().fileno()

    def fork(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> Fork:
        """Return a new fork.

        Args:
            request: what the server's `become` gets.
            descriptors: what it gets with it; ours stay open.

        Raises:
            OSError: not even a new server lives, or it does not answer in time, or cannot fork.
        """
        packet = json.dumps(request).encode()
        try:
            return self._fork(packet, descriptors)
        except ConnectionError:  # it died, perhaps before it was asked
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
                raise ConnectionError("the fork server ended before it had forked")
            answer = json.loads(packet)
            if "failed" in answer:
                raise NoFork(answer["failed"])
        except OSError:
            ours.close()
            raise
        return Fork(int(answer["pid"]), ours)

    def close(self) -> None:
        """End a server of our own, and with it its forks; let go of one that is shared."""
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
                    stdout=2,  # what an import prints is no answer of ours
                    cwd=self._folder,
                    env=self._environment,
                    start_new_session=True,  # Ctrl-C and Ctrl-Z in a terminal are not meant for it
                )
            self._running = process, ours
        return self._running[1]


class Fork:
    """A fork of a server; its end is told on a socket. The methods are those of `Popen`."""

    def __init__(self, pid: int, answers: socket.socket) -> None:
        self.pid = pid
        self._answers = answers
        self._status: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status; one whose server died counts as killed.

        Raises:
            subprocess.TimeoutExpired: it has not ended in so many seconds.
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
        """Return the exit status, or None as long as it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0.0)
        return None

    def kill(self) -> None:
        """Kill it, if it has not ended, and wait for that; its server tells so within seconds."""
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
    """Fork on request until nobody is left who could ask.

    Args:
        descriptor: where requests come in.
        become: runs in the fork, with a request and its descriptors but the last one; returns its
            exit status.
        sweep: is told now and then which forks there are.
    """
    requests = socket.socket(fileno=descriptor)
    forks: dict[int, _Running] = {}
    while True:
        ready = _ready([descriptor, *(fd for fork in forks.values() for fd in fork.watched)])
        for fork in list(forks.values()):
            if fork.pidfd in ready:
                fork.end()
                del forks[fork.pid]
            elif not fork.is_given_up and fork.answers.fileno() in ready:
                fork.give_up()  # nothing is ever said on it: it was closed
            elif fork.is_overdue:
                fork.kill()
        if sweep is not None:
            sweep(forks)
        if descriptor in ready:
            try:
                packet, descriptors, _, _ = socket.recv_fds(requests, 65536, _MOST_DESCRIPTORS)
            except OSError:  # no descriptors to be had: for the next one, perhaps
                traceback.print_exc()
                continue
            if not packet:
                return
            made = _serve_one(packet, descriptors, become, [requests, *forks.values()])
            if made is not None:
                forks[made.pid] = made


def _ready(descriptors: Iterable[int]) -> frozenset[int]:
    """Wait for one of these; after a while for none."""
    poll = select.poll()  # knows descriptors beyond 1024, which select() does not
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return frozenset(descriptor for descriptor, _ in poll.poll(1000 * _SWEEP_S))


def _serve_one(
    packet: bytes,
    descriptors: list[int],
    become: Callable[[Mapping[str, Any], list[int]], int],
    held: Sequence[socket.socket | _Running],
) -> _Running | None:
    """Fork for one request; return the fork, or None where nobody wants it or there can be none."""
    if not descriptors:  # they were cut off: too many are open here
        return None
    *others, last = descriptors
    answers, pid = socket.socket(fileno=last), -1
    try:
        request = json.loads(packet)
        if _has_hung_up(last):
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


def _has_hung_up(descriptor: int) -> bool:
    """Whether whoever has the other end has gone, as who waited too long does."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


class _Running:
    """A fork as its server sees it."""

    def __init__(self, pid: int, answers: socket.socket) -> None:
        self.pid = pid
        self.answers = answers
        self.pidfd = os.pidfd_open(pid)
        self._given_up: float | None = None
        self._tell({"pid": pid})

    @property
    def watched(self) -> tuple[int, ...]:
        """The descriptors on which something may happen."""
        return (self.pidfd,) if self.is_given_up else (self.pidfd, self.answers.fileno())

    @property
    def is_given_up(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._given_up is not None

    @property
    def is_overdue(self) -> bool:
        """Whether it was given up and had time enough to end."""
        return self._given_up is not None and time.monotonic() > self._given_up + _GRACE_S

    def give_up(self) -> None:
        """Ask it to end."""
        self._given_up = time.monotonic()
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def end(self) -> None:
        """Tell its end, which has come."""
        self._tell({"status": os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])})
        self.close()

    def close(self) -> None:
        """Let go of what is held for it."""
        os.close(self.pidfd)
        self.answers.close()

    def _tell(self, what: Mapping[str, int]) -> None:
        with contextlib.suppress(OSError):  # who asked may be gone
            self.answers.send(json.dumps(what).encode())


def _run(
    become: Callable[[Mapping[str, Any], list[int]], int],
    request: Mapping[str, Any],
    descriptors: list[int],
    held: Sequence[socket.socket | _Running],
) -> NoReturn:
    status = 70
    try:
        for each in held:  # else nobody would notice that the server has died
            each.close()
        status = become(request, descriptors)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)  # never back into the loop that serves requests
