"""Start the judge of one grading: a fresh process, or a fork of a warm one.

Standard library only: the supervisor imports this.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Protocol

from autograder.engine.sandbox.fork_server import ForkServer
from autograder.engine.sandbox.isolated import command

_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    # The judge's arrays are tiny; more threads would only take cores from the workers.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def environment(private: Path) -> dict[str, str]:
    """Return a judge's environment variables; `private` is the folder of its job."""
    return {**_ENVIRONMENT, **_own_environment(private)}


def _own_environment(private: Path) -> dict[str, str]:
    return {"TMPDIR": str(private), "HYPOTHESIS_STORAGE_DIRECTORY": str(private / "hypothesis")}


class RunningJudge(Protocol):
    """A running judge, with two methods of `subprocess.Popen`."""

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status; raises `subprocess.TimeoutExpired`."""

    def kill(self) -> None:
        """Kill it; harmless if it has ended already."""


class Judges(Protocol):
    """Starts judges."""

    @property
    def kept(self) -> frozenset[int]:
        """The ids of processes that outlive a grading."""

    def start(self, job: Path, control_fd: int, log: Path) -> RunningJudge:
        """Start a judge.

        Args:
            job: its job file, in a private folder.
            control_fd: the zygote's control socket.
            log: the staff's log; output is appended.
        """


class ColdJudges:
    """A fresh process for every judge."""

    kept: frozenset[int] = frozenset()

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
    """Forks of one process that has imported everything, for many gradings of one homework.

    `close` ends that process.
    """

    def __init__(self, homework: Path, inherited: int | None = None) -> None:
        self._server = judge_server(homework, inherited)

    @property
    def pid(self) -> int | None:
        """The warm process's id, while this object owns one."""
        return self._server.pid

    @property
    def kept(self) -> frozenset[int]:
        """See `Judges`."""
        return frozenset() if self.pid is None else frozenset({self.pid})

    def start(self, job: Path, control_fd: int, log: Path) -> RunningJudge:
        """Fork a judge; see `Judges`. A warm process that died is replaced.

        Raises:
            OSError: even a new one does not answer.
        """
        request = {"job": str(job), "environment": _own_environment(job.parent)}
        with log.open("ab") as sink:
            return self._server.fork(request, [control_fd, sink.fileno()])

    def close(self) -> None:
        """End the warm process and all judges that still run."""
        self._server.close()


def judge_server(homework: Path, inherited: int | None = None) -> ForkServer:
    """Start the server that forks judges of a homework; see `judge/warm.py`."""
    return ForkServer(
        "autograder.engine.judge.warm", [str(homework)], _ENVIRONMENT, inherited=inherited
    )
