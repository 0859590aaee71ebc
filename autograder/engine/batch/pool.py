"""Worker processes, one for each thread of an executor, and what they grade.

`grade_payload` is the function that an executor runs: a pool of threads on this machine
(`local_crew`), or a Dask cluster whose workers find this module in their own checkout. Each thread
keeps its worker process, so that torch is imported once; a process that dies or gives no answer is
replaced by the next call.
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
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from autograder.engine.batch.worker_process import Settings, Shared
from autograder.engine.grading.judge_process import judge_server
from autograder.engine.sandbox.confine import become_subreaper, children, end_orphans
from autograder.engine.sandbox.isolated import command
from autograder.engine.sandbox.launch import open_prefork

SLACK_S = 120.0  # beyond a grading's own deadline, before its process is given up
_WORKER = "autograder.engine.batch.worker_process"
_START_S = 180.0  # imports, on a busy machine with a cold disk
_END_S = 10.0  # for a worker process to end, after its own children


class WorkerDied(Exception):
    """The worker process ended without an answer, or gave none in time."""


class NeverStarted(Exception):
    """No worker process of this process has ever become ready: no submission is to blame."""


@dataclass(frozen=True)
class Task:
    """One submission to grade.

    Args:
        key: names it; see `store.Listed`.
        payload: see `payload.pack`.
        settings: how to grade it.
        timeout_s: when its worker process is given up; above the grading's own deadline.
        module: the worker process.
        shared: what it shares with others on this machine.
        with_entries: whether the answer has the ledger's entries too.
    """

    key: str
    payload: bytes
    settings: Settings
    timeout_s: float
    module: str = _WORKER
    shared: Shared | None = None
    with_entries: bool = False


@dataclass(frozen=True)
class Crew:
    """The executor and the worker processes that grade.

    Args:
        executor: runs `grade_payload` with a `Task`.
        size: how many submissions it can grade at a time, now.
        mishaps: exceptions that are about one submission; any other ends the work.
        module: the worker process to start; see `Task`.
        shared: what the worker processes share, if they run on this machine.
    """

    executor: Executor
    size: Callable[[], int]
    mishaps: tuple[type[BaseException], ...] = (WorkerDied,)
    module: str = _WORKER
    shared: Shared | None = None


@contextlib.contextmanager
def local_crew(jobs: int, homework: Path | None = None) -> Iterator[Crew]:
    """Grade on this machine: a thread and a worker process for each job.

    With a homework's folder, they share its imports.
    """
    executor = ThreadPoolExecutor(jobs, thread_name_prefix="class")
    become_subreaper()
    with contextlib.ExitStack() as stack:
        # The children of a prefork server that was killed become ours.
        stack.callback(end_orphans, children())
        shared = None if homework is None else _share(homework, stack)
        try:
            yield Crew(executor, lambda: jobs, shared=shared)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
            # Before the threads end: the kernel kills a worker process with the thread that
            # started it, and one that ends normally ends its zygote too.
            end_worker_processes()
            executor.shutdown(wait=True)


def _share(homework: Path, stack: contextlib.ExitStack) -> Shared:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="class-")))
    folder.chmod(0o711)
    zygotes = stack.enter_context(contextlib.closing(open_prefork(homework, folder)))
    judges = stack.enter_context(contextlib.closing(judge_server(homework)))
    return Shared(zygotes.fileno(), judges.fileno())


class WorkerProcess:
    """Owns a worker process and the folder of all its files."""

    def __init__(self, settings: Settings, module: str, shared: Shared | None) -> None:
        self.serves = (settings.folder, module, shared)
        self._at_work = self._ready = False
        # Its own folder for temporary files, removed with it however it ends; sandboxed workers
        # pass through.
        self._folder = tempfile.mkdtemp(prefix="class-")
        os.chmod(self._folder, 0o711)
        self._process = subprocess.Popen(
            [*command(sys.executable, module), *([json.dumps(asdict(shared))] if shared else [])],
            pass_fds=(shared.zygotes, shared.judges) if shared is not None else (),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
            env={**os.environ, "TMPDIR": self._folder},
            start_new_session=True,  # Ctrl-C in a terminal must not reach it
        )
        with contextlib.suppress(OSError):  # it has ended already: the first exchange will fail
            self._write(json.dumps(asdict(settings)))

    def grade(self, task: Task) -> dict[str, Any]:
        """Return the answer to a task.

        Raises:
            WorkerDied: there is none; the process is closed.
        """
        self.wait_until_ready()
        request = {
            "payload": base64.b64encode(task.payload).decode("ascii"),
            "settings": asdict(task.settings),
            "with_entries": task.with_entries,
        }
        return self._exchange(json.dumps(request), task.timeout_s)

    def wait_until_ready(self) -> None:
        """Wait until it has imported what it needs.

        Raises:
            WorkerDied: it failed; the process is closed.
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
            raise WorkerDied(
                f"The grading process {how} (status {self._process.returncode})"
            ) from error
        finally:
            alarm.cancel()
        self._at_work = False
        if not isinstance(answer, dict):
            raise WorkerDied("The grading process gave an answer of another form")
        return answer

    def _write(self, line: str) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(f"{line}\n".encode("ascii"))
        stdin.flush()

    def close(self) -> None:
        """End the process, and with it a grading under way and everything that it started."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()  # an idle process ends then
        if self._at_work:
            self._process.terminate()  # the supervisor then ends its workers
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class _OfThread(threading.local):
    process: WorkerProcess | None = None


@dataclass
class _All:
    """All worker processes of this process, to end them."""

    processes: set[WorkerProcess] = field(default_factory=set)
    one_was_ready: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


_OF_THREAD = _OfThread()
_ALL = _All()


def grade_payload(task: Task) -> Mapping[str, Any]:
    """Grade a submission in the worker process of this thread.

    Raises:
        WorkerDied: see `WorkerProcess.grade`.
        NeverStarted: it does not become ready, and none did before.
    """
    process = _OF_THREAD.process
    if process is not None and process.serves != (task.settings.folder, task.module, task.shared):
        _forget(process)
        process = None
    if process is None:
        process = _OF_THREAD.process = WorkerProcess(task.settings, task.module, task.shared)
        with _ALL.lock:
            if not _ALL.processes:
                atexit.register(end_worker_processes)  # a Dask worker ends without telling us
            _ALL.processes.add(process)
    try:
        process.wait_until_ready()
        _ALL.one_was_ready = True
        return process.grade(task)
    except WorkerDied as error:
        _forget(process)
        if not _ALL.one_was_ready:
            raise NeverStarted(f"{error} before it was ready; see its messages above") from None
        raise


def _forget(process: WorkerProcess) -> None:
    _OF_THREAD.process = None
    with _ALL.lock:
        _ALL.processes.discard(process)
    process.close()


def end_worker_processes() -> None:
    """End all worker processes that threads of this process have started."""
    with _ALL.lock:
        processes, _ALL.processes = _ALL.processes, set()
        _ALL.one_was_ready = False
    atexit.unregister(end_worker_processes)
    for process in processes:
        process.close()
