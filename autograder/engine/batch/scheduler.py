"""Grade what is missing of a class: find out what that is, hand it out, keep what comes back.

Nothing here knows where the work is done: an executor of the standard library's kind takes it, be
it threads that own a grading process each or a Dask cluster. So many submissions are on their way
as keep it busy, and no more are held in memory.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.engine.batch.export import Export, NothingHandedIn, Submission
from autograder.engine.batch.payload import UnreadableSubmission, hash_of
from autograder.engine.batch.pool import (
    GraderDied,
    Task,
    end_grading_processes,
    grade_parcel,
)
from autograder.engine.batch.privacy import Names
from autograder.engine.batch.store import Record, Store
from autograder.engine.batch.worker_process import Settings, Shared
from autograder.engine.grading.judge_process import judge_server
from autograder.engine.sandbox.confine import become_subreaper, children, end_orphans
from autograder.engine.sandbox.launch import open_prefork

_ATTEMPTS = 2  # a grading that ended in the grader's own fault is done once more


class WorkError(RuntimeError):
    """The work cannot go on, and no submission is to blame; what is done is kept."""


@dataclass(frozen=True)
class Crew:
    """Who does the work.

    Args:
        executor: takes `grade_parcel` and a `Task`.
        size: how many submissions it can grade at a time, now.
        mishaps: exceptions that are about one submission; any other ends the work.
        module: the grading process to start; see `Task`.
        shared: what the grading processes share, where they run on this machine.
    """

    executor: Executor
    size: Callable[[], int]
    mishaps: tuple[type[BaseException], ...] = (GraderDied,)
    module: str = "autograder.engine.batch.worker_process"
    shared: Shared | None = None


@contextlib.contextmanager
def local_crew(jobs: int, package: str | None = None) -> Iterator[Crew]:
    """Grade on this machine: a thread and a grading process for each job.

    Args:
        jobs: how many.
        package: the homework, whose imports they then share.
    """
    executor = ThreadPoolExecutor(jobs, thread_name_prefix="class")
    become_subreaper()
    with contextlib.ExitStack() as stack:
        # What a killed prefork server leaves behind comes to us.
        stack.callback(end_orphans, children())
        shared = None if package is None else _share(package, stack)
        try:
            yield Crew(executor, lambda: jobs, shared=shared)
        finally:
            # Before the threads end: the kernel kills a grading process with the thread that
            # started it, and one that ends by itself ends its zygote too.
            end_grading_processes()
            executor.shutdown(wait=True, cancel_futures=True)


def _share(package: str, stack: contextlib.ExitStack) -> Shared:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="class-")))
    folder.chmod(0o711)
    zygotes = stack.enter_context(contextlib.closing(open_prefork(package, folder)))
    judges = stack.enter_context(contextlib.closing(judge_server(package)))
    return Shared(zygotes.fileno(), judges.fileno())


@dataclass(frozen=True)
class Grading:
    """What a class is graded by.

    Args:
        settings: for the grading processes.
        checks: hash of what decides a grade; see `grader.fingerprint`.
        wanted: the files of a submission that are read.
        timeout_s: when a grading process is given up.
    """

    settings: Settings
    checks: str
    wanted: Sequence[str]
    timeout_s: float


@dataclass(frozen=True)
class Plan:
    """Which submissions of an export have to be graded: a byte for each, in its order."""

    due: bytearray

    @property
    def total(self) -> int:
        """The number of submissions."""
        return len(self.due)

    @property
    def todo(self) -> int:
        """How many have to be graded."""
        return self.due.count(1)


def make_plan(export: Export, store: Store, grading: Grading, names: Names) -> Plan:
    """Write the class list and find out what has to be graded.

    A submission is graded again when there is no result, when other checks or another content
    were graded, and when its grading ended in the grader's own fault.
    """
    store.write_list(names.listed(submission) for submission in export.submissions())
    store.write_not_graded(map(names.not_graded, export.not_graded))
    return Plan(bytearray(_is_due(s, export, store, grading, names) for s in export.submissions()))


def _is_due(
    submission: Submission, export: Export, store: Store, grading: Grading, names: Names
) -> bool:
    record = store.read(names.listed(submission).key)
    if record is None or record.checks != grading.checks or record.is_grader_error:
        return True
    try:
        return record.parcel != hash_of(export.parcel(submission.name, grading.wanted))
    except NothingHandedIn:
        return not record.absent
    except UnreadableSubmission:
        return True


def grade_due(
    plan: Plan, export: Export, store: Store, grading: Grading, names: Names, crew: Crew
) -> Generator[Record, None, None]:
    """Grade what is due; yield each record when it lies in the store.

    Raises:
        WorkError: the executor does not work.
        OSError: the store cannot be written.
    """
    on_their_way: dict[Future[Mapping[str, Any]], _Order] = {}
    try:
        yield from _grade_due(plan, export, store, grading, names, crew, on_their_way)
    finally:
        for future in on_their_way:  # stopped in the middle: what has not begun will not
            future.cancel()


def _grade_due(
    plan: Plan,
    export: Export,
    store: Store,
    grading: Grading,
    names: Names,
    crew: Crew,
    on_their_way: dict[Future[Mapping[str, Any]], _Order],
) -> Iterator[Record]:
    tasks = _tasks(plan, export, grading, names, crew)
    more = True
    while more or on_their_way:
        # Two for each place: one is at work, one waits beside it.
        while more and len(on_their_way) < max(2 * crew.size(), 2):
            order = next(tasks, None)
            if order is None:
                more = False
            elif isinstance(order, Record):
                store.write(order)
                yield order
            else:
                on_their_way[crew.executor.submit(grade_parcel, order.task)] = order
        done, _ = wait(on_their_way, timeout=5.0, return_when=FIRST_COMPLETED)
        for future in done:
            order = on_their_way.pop(future)
            record = _record(order, _answer(future, crew), grading)
            if record.is_grader_error and order.attempt < _ATTEMPTS:
                again = _Order(order.submission, order.task, order.parcel, order.attempt + 1)
                on_their_way[crew.executor.submit(grade_parcel, again.task)] = again
                continue
            record = names.cleaned(record, order.submission)
            store.write(record)
            yield record


@dataclass(frozen=True)
class _Order:
    """A task with what the head remembers of it."""

    submission: Submission
    task: Task
    parcel: str
    attempt: int = 1


def _tasks(
    plan: Plan, export: Export, grading: Grading, names: Names, crew: Crew
) -> Iterator[_Order | Record]:
    for due, submission in zip(plan.due, export.submissions(), strict=True):
        if not due:
            continue
        key = names.listed(submission).key
        try:
            parcel = export.parcel(submission.name, grading.wanted)
        except NothingHandedIn as error:
            absent = Record(key, checks=grading.checks, refused=str(error), absent=True)
            yield names.cleaned(absent, submission)
            continue
        except UnreadableSubmission as error:
            yield names.cleaned(Record(key, trouble=str(error)), submission)
            continue
        task = Task(key, parcel, grading.settings, grading.timeout_s, crew.module, crew.shared)
        yield _Order(submission, task, hash_of(parcel))


def _answer(future: Future[Mapping[str, Any]], crew: Crew) -> Mapping[str, Any]:
    """Return what came back; a mishap is an answer without results."""
    try:
        return future.result()
    except crew.mishaps as error:
        return {"trouble": str(error) or type(error).__name__}
    except Exception as error:
        raise WorkError(f"the work stopped: {type(error).__name__}: {error}") from error


def _record(order: _Order, answer: Mapping[str, Any], grading: Grading) -> Record:
    checks = answer.get("checks", grading.checks)
    if checks != grading.checks:
        raise WorkError(
            f"a worker grades by other checks ({checks}, here {grading.checks}): give all "
            "machines the same version of the project"
        )
    record = Record(
        key=order.task.key,
        parcel=order.parcel,
        checks=grading.checks,
        results=answer.get("results", {}),
        trouble=str(answer.get("trouble", "")),
        refused=str(answer.get("refused", "")),
        seconds=float(answer.get("seconds", 0.0)),
        attempts=order.attempt,
    )
    if not record.is_grader_error:
        return record
    return Record(**{**vars(record), "log": str(answer.get("log", ""))})
