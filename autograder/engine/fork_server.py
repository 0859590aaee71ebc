"""Processes forked, warm already, from one that has imported what they need.

Who grades many submissions pays for the imports once: a fork server imports, and never does the
work itself; what a piece of work leaves behind ends with its fork.

It talks over a SOCK_SEQPACKET pair, whose near end several processes may hold: they share the
server. A request is one packet of JSON with descriptors. The last one is a socket for the answers:
`{"pid": N}`, and once the fork has ended `{"status": N}`. Closing the other end of that socket
gives the fork up: it gets SIGTERM.

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
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from autograder.engine.boot import command

# Importing torch takes seconds; on a busy machine with a cold disk far more.
_START_TIMEOUT_S = 120.0
_MOST_DESCRIPTORS = 8
# How often a server looks for orphans while nothing happens.
_SWEEP_S = 1.0


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
            OSError: not even a new server answers.
        """
        packet = json.dumps(request).encode()
        try:
            return self._fork(packet, descriptors)
        except OSError:  # it may have been dying when it was asked
            self.close()
            return self._fork(packet, descriptors)

    def _fork(self, packet: bytes, descriptors: Sequence[int]) -> Fork:
        requests = self._requests()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                socket.send_fds(requests, [packet], [*descriptors, theirs.fileno()])
            ours.settimeout(_START_TIMEOUT_S)
            answer = ours.recv(4096)
            if not answer:
                raise ConnectionError("the fork server ended before it had forked")
        except OSError:
            ours.close()
            raise
        return Fork(int(json.loads(answer)["pid"]), ours)

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
                    cwd=self._folder,
                    env=self._environment,
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
        """Kill it, if it has not ended. Its id is its own until its end has been told."""
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


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
        ends = {fork.pidfd: fork for fork in forks.values()}
        askers = {fork.answers.fileno(): fork for fork in forks.values() if not fork.is_given_up}
        timeout = None if sweep is None else _SWEEP_S
        ready, _, _ = select.select([descriptor, *ends, *askers], [], [], timeout)
        for fork in (askers[each] for each in ready if each in askers):
            fork.give_up()  # nothing is ever said on it: it was closed
        for fork in (ends[each] for each in ready if each in ends):
            fork.end()
            del forks[fork.pid]
        if sweep is not None:
            sweep(forks)
        if descriptor in ready:
            packet, descriptors, _, _ = socket.recv_fds(requests, 65536, _MOST_DESCRIPTORS)
            if not packet:
                return
            *others, answers = descriptors
            pid = os.fork()
            if pid == 0:
                requests.close()
                for fork in forks.values():
                    fork.let_go()
                os.close(answers)  # else nobody would notice that the server has died
                _run(become, json.loads(packet), others)
            for other in others:
                os.close(other)
            forks[pid] = _Running(pid, socket.socket(fileno=answers))


class _Running:
    """A fork as its server sees it."""

    def __init__(self, pid: int, answers: socket.socket) -> None:
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        self.answers = answers
        self.is_given_up = False
        self._tell({"pid": pid})

    def give_up(self) -> None:
        """Ask it to end: nobody waits for it any more."""
        self.is_given_up = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def end(self) -> None:
        """Tell its end, which has come."""
        self._tell({"status": os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])})
        self.let_go()

    def let_go(self) -> None:
        """Close what is held for it."""
        os.close(self.pidfd)
        self.answers.close()

    def _tell(self, what: Mapping[str, int]) -> None:
        with contextlib.suppress(OSError):  # who asked may be gone
            self.answers.send(json.dumps(what).encode())


def _run(
    become: Callable[[Mapping[str, Any], list[int]], int],
    request: Mapping[str, Any],
    descriptors: list[int],
) -> NoReturn:
    status = 70
    try:
        status = become(request, descriptors)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)  # never back into the loop that serves requests
