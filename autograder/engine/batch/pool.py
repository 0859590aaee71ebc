"""Hand a parcel to a grading process of this thread and wait for the answer.

`grade_parcel` is what an executor runs: a pool of threads on one machine, or a Dask cluster whose
workers find this module in their own checkout. Each thread keeps one grading process, so that
torch is imported once; a process that dies or stays silent is replaced by the next call.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from autograder.engine.batch.worker_process import Settings, Shared
from autograder.engine.sandbox.isolated import command

_GRADER = "autograder.engine.batch.worker_process"
_START_S = 180.0  # imports, on a busy machine with a cold disk
_END_S = 10.0  # what a grading process may take to end, and before it its workers


class GraderDied(Exception):
    """The grading process ended without an answer, or gave none in time."""


class NeverStarted(Exception):
    """No grading process of this process has ever become ready: no submission is to blame."""


@dataclass(frozen=True)
class Task:
    """One submission on its way.

    Args:
        key: see `store.Listed`.
        parcel: see `parcel.pack`.
        timeout_s: when its grader is given up; above the grading's own deadline.
        module: the grading process.
        shared: what it shares with others on this machine.
    """

    key: str
    parcel: bytes
    settings: Settings
    timeout_s: float
    module: str = _GRADER
    shared: Shared | None = None


class GradingProcess:
    """Owns a grading process and the folder that everything it makes lies in."""

    def __init__(self, settings: Settings, module: str, shared: Shared | None) -> None:
        self.serves = (settings, module, shared)
        self._at_work = self._ready = False
        # Its own folder for temporary files, gone with it however it ends; workers pass through.
        self._folder = tempfile.mkdtemp(prefix="class-")
        os.chmod(self._folder, 0o711)
        self._process = subprocess.Popen(
            [*command(sys.executable, module), *([json.dumps(asdict(shared))] if shared else [])],
            pass_fds=(shared.zygotes, shared.judges) if shared is not None else (),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
            env={**os.environ, "TMPDIR": self._folder},
            start_new_session=True,  # Ctrl-C in a terminal is not meant for it
        )
        with contextlib.suppress(OSError):  # it has ended already: the first exchange tells
            self._write(json.dumps(asdict(settings)))

    def grade(self, task: Task) -> dict[str, Any]:
        """Return the answer to a task.

        Raises:
            GraderDied: there is none; the process is of no use any more.
        """
        self.wait_until_ready()
        line = json.dumps({"parcel": base64.b64encode(task.parcel).decode("ascii")})
        return self._exchange(line, task.timeout_s)

    def wait_until_ready(self) -> None:
        """Wait until it has imported what it needs.

        Raises:
            GraderDied: it could not; the process is of no use any more.
        """
        if not self._ready:
            self._exchange("", _START_S)
            self._ready = True

    def _exchange(self, line: str, timeout_s: float) -> dict[str, Any]:
        """Write a line, or nothing, and read one."""
        stdout = self._process.stdout
        assert stdout is not None
        alarm = threading.Timer(timeout_s, self._process.kill)
        alarm.start()
        self._at_work = True
        try:
            if line:
                self._write(line)
            answer = json.loads(stdout.readline())
        except (OSError, ValueError) as error:
            silent = not alarm.is_alive()
            self.close()
            how = f"gave no answer within {timeout_s:g} s" if silent else "died"
            raise GraderDied(
                f"The grading process {how} (status {self._process.returncode})"
            ) from error
        finally:
            alarm.cancel()
        self._at_work = False
        if not isinstance(answer, dict):
            raise GraderDied("The grading process answered with something else")
        return answer

    def _write(self, line: str) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(f"{line}\n".encode("ascii"))
        stdin.flush()

    def close(self) -> None:
        """End the process; a grading that is on its way ends with it, and what it started."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()  # one that has nothing to do ends by itself
        if self._at_work:
            self._process.terminate()  # the supervisor ends its workers when this comes
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class _Mine(threading.local):
    process: GradingProcess | None = None


_MINE = _Mine()


@dataclass
class _All:
    """All grading processes of this process, for its end."""

    processes: set[GradingProcess] = field(default_factory=set)
    one_was_ready: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


_ALL = _All()


def grade_parcel(task: Task) -> Mapping[str, Any]:
    """Grade a submission in the grading process of this thread.

    Raises:
        GraderDied: see `GradingProcess.grade`.
        NeverStarted: it does not become ready, and none did before.
    """
    process = _MINE.process
    wanted = (task.settings, task.module, task.shared)
    if process is not None and process.serves != wanted:
        _forget(process)
        process = None
    if process is None:
        process = _MINE.process = GradingProcess(*wanted)
        with _ALL.lock:
            if not _ALL.processes:
                atexit.register(end_grading_processes)  # of a Dask worker, which ends by itself
            _ALL.processes.add(process)
    try:
        process.wait_until_ready()
        _ALL.one_was_ready = True
        return process.grade(task)
    except GraderDied as error:
        _forget(process)
        if not _ALL.one_was_ready:
            raise NeverStarted(f"{error} before it was ready; its own words stand above") from None
        raise


def _forget(process: GradingProcess) -> None:
    _MINE.process = None
    with _ALL.lock:
        _ALL.processes.discard(process)
    process.close()


def end_grading_processes() -> None:
    """End all grading processes that threads of this process have started."""
    with _ALL.lock:
        processes, _ALL.processes = _ALL.processes, set()
        _ALL.one_was_ready = False
    atexit.unregister(end_grading_processes)
    for process in processes:
        process.close()
