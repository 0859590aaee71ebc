"""Start or fork a zygote, and end it."""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from autograder.engine.sandbox.confine import scrubbed_environment
from autograder.engine.sandbox.fork_server import Fork, ForkServer
from autograder.engine.sandbox.isolated import command

_END_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class RunningZygote:
    """A zygote and the judge's end of its control socket."""

    process: subprocess.Popen[bytes] | Fork
    control: socket.socket


class ZygoteHolder:
    """Owns at most one zygote: starts it when needed, and ends it with all its workers.

    A holder can serve many gradings in turn, so that torch is imported once.

    Args:
        homework: the homework's folder.
        temporary: the parent of the workers' private folders.
        log: the file for the zygote's output.
        prefork: the server that forks zygotes; it is not closed here. Without one they are started.
    """

    def __init__(
        self, homework: Path, temporary: Path, log: Path, prefork: ForkServer | None = None
    ) -> None:
        self._homework = homework
        self._temporary = temporary
        self._log = log
        self._prefork = prefork
        self._running: RunningZygote | None = None

    def connect(self) -> socket.socket:
        """Return the judge's end of the control socket; start a zygote if none is running.

        Raises:
            OSError: not even a new prefork server answers.
        """
        if self._running is None or self._running.process.poll() is not None:
            self.close()
            self._running = (
                start_zygote(self._homework, self._temporary, self._log)
                if self._prefork is None
                else fork_zygote(self._prefork, self._temporary, self._log)
            )
        return self._running.control

    @property
    def pid(self) -> int | None:
        """The zygote's process id, if there is one."""
        return None if self._running is None else self._running.process.pid

    @property
    def kept(self) -> frozenset[int]:
        """The processes that outlive a grading: zygote and prefork server."""
        started = (self.pid, None if self._prefork is None else self._prefork.pid)
        return frozenset(pid for pid in started if pid is not None)

    def close(self) -> None:
        """End the zygote and its workers by closing the control socket; kill it if it lingers."""
        if self._running is None:
            return
        running, self._running = self._running, None
        running.control.close()
        try:
            running.process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            running.process.kill()
            running.process.wait()


def start_zygote(homework: Path, temporary: Path, log: Path) -> RunningZygote:
    """Start a zygote, without waiting for it to import torch.

    Args:
        homework: the homework's folder.
        temporary: the parent of the workers' private folders.
        log: the file for the zygote's output, for staff only.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, log.open("ab") as sink:
        process = subprocess.Popen(
            [
                *command(sys.executable, "autograder.engine.sandbox.zygote"),
                f"--control-fd={theirs.fileno()}",
                f"--homework={homework}",
                f"--temporary={temporary}",
            ],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd=temporary,
            env=scrubbed_environment(temporary),
            start_new_session=True,
        )
    return RunningZygote(process, ours)


def open_prefork(homework: Path, folder: Path, inherited: int | None = None) -> ForkServer:
    """Start a prefork server, without waiting for it to import torch."""
    environment = scrubbed_environment(folder)
    return ForkServer(
        "autograder.engine.sandbox.prefork", [str(homework)], environment, folder, inherited
    )


def fork_zygote(prefork: ForkServer, temporary: Path, log: Path) -> RunningZygote:
    """Fork a zygote, after the prefork server has imported torch.

    Raises:
        OSError: a new prefork server does not answer either.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        with theirs, log.open("ab") as sink:
            process = prefork.fork({"temporary": str(temporary)}, [theirs.fileno(), sink.fileno()])
    except OSError:
        ours.close()
        raise
    return RunningZygote(process, ours)
