"""Start a zygote. The judge's side takes this and `frames` from here, and nothing else."""

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
    """A started zygote and the end of its control socket that belongs to the judge."""

    process: subprocess.Popen[bytes] | Fork
    control: socket.socket


class ZygoteHolder:
    """Owns at most one zygote, starts it when it is needed, and ends it with all its workers.

    One holder can serve many gradings, one after the other: torch is then imported once.

    Args:
        homework: the package that holds `experiments`.
        temporary: a folder for the workers' private folders.
        log: the file that gets what the zygote itself prints.
        prefork: where zygotes are forked; without one they are started. It stays its owner's.
    """

    def __init__(
        self, homework: str, temporary: Path, log: Path, prefork: ForkServer | None = None
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
        """The zygote's process id, while there is one."""
        return None if self._running is None else self._running.process.pid

    @property
    def kept(self) -> frozenset[int]:
        """The processes that this one started and that outlive a grading."""
        started = (self.pid, None if self._prefork is None else self._prefork.pid)
        return frozenset(pid for pid in started if pid is not None)

    def close(self) -> None:
        """End the zygote and all workers by closing the control socket; kill it if it lingers.

        Its workers die with it.
        """
        if self._running is None:
            return
        running, self._running = self._running, None
        running.control.close()
        try:
            running.process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            running.process.kill()
            running.process.wait()


def start_zygote(homework: str, temporary: Path, log: Path) -> RunningZygote:
    """Start a zygote; it imports torch while the caller goes on.

    Args:
        homework: the package that holds `experiments`, such as "autograder.homework".
        temporary: a folder for the workers' private folders.
        log: the file that gets what the zygote itself prints (staff only).
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, log.open("ab") as sink:
        process = subprocess.Popen(
            [
                *command(sys.executable, "autograder.engine.sandbox.zygote"),
                "--control-fd",
                str(theirs.fileno()),
                "--homework",
                homework,
                "--temporary",
                str(temporary),
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


def open_prefork(homework: str, folder: Path, inherited: int | None = None) -> ForkServer:
    """Start what forks zygotes of a homework; it imports torch while the caller goes on.

    Args:
        homework: see `start_zygote`.
        folder: its home, where it writes nothing.
        inherited: see `ForkServer`.
    """
    environment = scrubbed_environment(folder)
    return ForkServer(
        "autograder.engine.sandbox.prefork", [homework], environment, folder, inherited
    )


def fork_zygote(prefork: ForkServer, temporary: Path, log: Path) -> RunningZygote:
    """Fork a zygote; waits until the prefork server has imported torch.

    Raises:
        OSError: not even a new prefork server answers.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        with theirs, log.open("ab") as sink:
            process = prefork.fork({"temporary": str(temporary)}, [theirs.fileno(), sink.fileno()])
    except OSError:
        ours.close()
        raise
    return RunningZygote(process, ours)
