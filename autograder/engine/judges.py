"""Start the judge of one grading: a process of its own, or a fork of one that is warm already.

Standard library only: the supervisor imports this.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from autograder.engine.boot import command

# Importing takes a third of a second; on a busy machine far more.
_START_TIMEOUT_S = 60.0
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    # The judge's arrays are tiny: more threads would only take the workers' cores.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def environment(private: Path) -> dict[str, str]:
    """Return a judge's environment; `private` is the folder of its job."""
    return {**_ENVIRONMENT, **_own_environment(private)}


def _own_environment(private: Path) -> dict[str, str]:
    return {"TMPDIR": str(private), "HYPOTHESIS_STORAGE_DIRECTORY": str(private / "hypothesis")}


class RunningJudge(Protocol):
    """A judge at work; the two methods are those of `subprocess.Popen`."""

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status; raises `subprocess.TimeoutExpired`."""

    def kill(self) -> None:
        """End it at once; it may have ended already."""


class Judges(Protocol):
    """Where a grading gets its judge from."""

    def start(self, job: Path, control_fd: int, log: Path) -> RunningJudge:
        """Start a judge.

        Args:
            job: the file with its job, in a folder of its own that nobody else can enter.
            control_fd: the zygote's control socket.
            log: the staff's log, to append to.
        """


class ColdJudges:
    """A fresh process for every judge."""

    def start(self, job: Path, control_fd: int, log: Path) -> RunningJudge:
        """Start a judge; see `Judges`."""
        with log.open("ab") as sink:
            return subprocess.Popen(
                [
                    *command(sys.executable, "autograder.engine.judge"),
                    str(job),
                    str(control_fd),
                ],
                pass_fds=(control_fd,),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd=job.parent,
                env=environment(job.parent),
            )


class WarmJudges:
    """One process that has imported everything, and a fork of it for every judge.

    For many gradings of one homework; `close` ends it.

    Args:
        package: the homework's package.
    """

    def __init__(self, package: str) -> None:
        self._package = package
        self._running: tuple[subprocess.Popen[bytes], socket.socket] | None = None
        self._requests()

    @property
    def pid(self) -> int | None:
        """The warm process's id, while there is one."""
        return None if self._running is None else self._running[0].pid

    def start(self, job: Path, control_fd: int, log: Path) -> RunningJudge:
        """Fork a judge; see `Judges`. A warm process that died is replaced.

        Raises:
            OSError: even a new one does not answer.
        """
        told = {"job": str(job), "environment": _own_environment(job.parent)}
        request = json.dumps(told).encode()
        try:
            return self._fork(request, control_fd, log)
        except OSError:  # it may have been dying when it was asked
            self.close()
            return self._fork(request, control_fd, log)

    def _fork(self, request: bytes, control_fd: int, log: Path) -> RunningJudge:
        requests = self._requests()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, log.open("ab") as sink:
            socket.send_fds(requests, [request], [control_fd, sink.fileno(), theirs.fileno()])
        ours.settimeout(_START_TIMEOUT_S)
        packet = ours.recv(4096)
        if not packet:
            raise ConnectionError("the warm judge ended before it had forked")
        return _ForkedJudge(ours, int(json.loads(packet)["pid"]))

    def close(self) -> None:
        """End the warm process; judges that still run end with it."""
        if self._running is not None:
            process, requests = self._running
            self._running = None
            requests.close()
            process.kill()
            process.wait()

    def _requests(self) -> socket.socket:
        if self._running is None or self._running[0].poll() is not None:
            self.close()
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                process = subprocess.Popen(
                    [
                        *command(sys.executable, "autograder.engine.judge.warm"),
                        str(theirs.fileno()),
                        self._package,
                    ],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    env=_ENVIRONMENT,
                )
            self._running = process, ours
        return self._running[1]


class _ForkedJudge:
    """A fork of the warm process; its end is told on a socket."""

    def __init__(self, answers: socket.socket, pid: int) -> None:
        self._answers = answers
        self._pid = pid
        self._status: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status; one whose warm parent died counts as killed."""
        if self._status is None:
            self._answers.settimeout(timeout)
            try:
                packet = self._answers.recv(4096)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("judge", timeout or 0.0) from None
            self._status = int(json.loads(packet)["status"]) if packet else -signal.SIGKILL
            self._answers.close()
        return self._status

    def kill(self) -> None:
        """Kill it. Its id is its own until its end has been told."""
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
