"""Grade what is due in a class: find out what that is, hand it out, store what comes back.

Nothing here knows where the work is done: an executor takes it, whose threads own a worker process
each or which is a Dask cluster. At any time it has just enough submissions to keep busy, so that
memory does not grow with the class.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from typing import Any

from autograder.engine.batch.export import Export, NothingHandedIn, Submission
from autograder.engine.batch.payload import UnreadableSubmission, hash_of
from autograder.engine.batch.pool import Crew, Task, grade_payload
from autograder.engine.batch.privacy import Names
from autograder.engine.batch.store import Record, Store
from autograder.engine.batch.worker_process import Settings

_ATTEMPTS = 2  # a grading that ended in a grader error is repeated once


class WorkError(RuntimeError):
    """The work must stop, and no submission is to blame; what is done is kept."""


@dataclass(frozen=True)
class Grading:
    """How to grade a class.

    Args:
        settings: for the worker processes.
        checks: hash of what decides a grade; see `worker_process.fingerprint`.
        wanted: the files of a submission that are read.
        timeout_s: when a worker process is given up.
    """

    settings: Settings
    checks: str
    wanted: Sequence[str]
    timeout_s: float


def make_plan(export: Export, store: Store, grading: Grading, names: Names) -> bytearray:
    """Write the class list; return which submissions to grade: a byte for each, in its order.

    A submission is graded again if it has no result, if the result comes from other checks or
    another content, and if its grading ended in a grader error.
    """
    store.write_list(names.listed(submission) for submission in export.submissions())
    store.write_not_graded(map(names.not_graded, export.not_graded))
    return bytearray(_is_due(s, export, store, grading, names) for s in export.submissions())


def _is_due(
    submission: Submission, export: Export, store: Store, grading: Grading, names: Names
) -> bool:
    record = store.read(names.listed(submission).key)
    if record is None or record.checks != grading.checks or record.is_grader_error:
        return True
    try:
        return record.payload != hash_of(export.payload(submission.name, grading.wanted))
    except NothingHandedIn:
        return not record.absent
    except UnreadableSubmission:
        return True


@dataclass(frozen=True)
class _Order:
    """A task, and what its record needs to know of it."""

    submission: Submission
    task: Task
    payload: str
    attempt: int = 1


def grade_due(
    plan: bytearray, export: Export, store: Store, grading: Grading, names: Names, crew: Crew
) -> Generator[Record, None, None]:
    """Grade what is due; yield each record once it is stored.

    Raises:
        WorkError: the executor does not work.
        OSError: the store cannot be written.
    """
    orders = _orders(plan, export, grading, names, crew)
    running: dict[Future[Mapping[str, Any]], _Order] = {}
    more = True
    try:
        while more or running:
            # Two for each place: one is being graded, one waits.
            while more and len(running) < max(2 * crew.size(), 2):
                order = next(orders, None)
                if order is None:
                    more = False
                elif isinstance(order, Record):
                    store.write(order)
                    yield order
                else:
                    running[crew.executor.submit(grade_payload, order.task)] = order
            done, _ = wait(running, timeout=5.0, return_when=FIRST_COMPLETED)
            for future in done:
                order = running.pop(future)
                record = _record(order, _answer(future, crew), grading)
                if record.is_grader_error and order.attempt < _ATTEMPTS:
                    again = replace(order, attempt=order.attempt + 1)
                    running[crew.executor.submit(grade_payload, again.task)] = again
                    continue
                record = names.cleaned(record, order.submission)
                store.write(record)
                yield record
    finally:
        for future in running:  # stopped halfway: what has not begun must not begin
            future.cancel()


def _orders(
    plan: bytearray, export: Export, grading: Grading, names: Names, crew: Crew
) -> Iterator[_Order | Record]:
    """Yield an order for each submission that is due, or its record if it cannot be graded."""
    for due, submission in zip(plan, export.submissions(), strict=True):
        if not due:
            continue
        key = names.listed(submission).key
        try:
            payload = export.payload(submission.name, grading.wanted)
        except NothingHandedIn as error:
            absent = Record(key, checks=grading.checks, refused=str(error), absent=True)
            yield names.cleaned(absent, submission)
        except UnreadableSubmission as error:
            yield names.cleaned(Record(key, trouble=str(error)), submission)
        else:
            task = Task(key, payload, grading.settings, grading.timeout_s, crew.module, crew.shared)
            yield _Order(submission, task, hash_of(payload))


def _answer(future: Future[Mapping[str, Any]], crew: Crew) -> Mapping[str, Any]:
    """Return the answer; a mishap is one without results."""
    try:
        return future.result()
    except crew.mishaps as error:
        return {"trouble": str(error) or type(error).__name__}
    except Exception as error:
        raise WorkError(f"grading stopped: {type(error).__name__}: {error}") from error


def _record(order: _Order, answer: Mapping[str, Any], grading: Grading) -> Record:
    checks = answer.get("checks", grading.checks)
    if checks != grading.checks:
        raise WorkError(
            f"a worker grades by other checks ({checks}, here {grading.checks}): give all "
            "machines the same version of the project"
        )
    record = Record(
        key=order.task.key,
        payload=order.payload,
        checks=grading.checks,
        results=answer.get("results", {}),
        trouble=str(answer.get("trouble", "")),
        refused=str(answer.get("refused", "")),
        seconds=float(answer.get("seconds", 0.0)),
        attempts=order.attempt,
    )
    return replace(record, log=str(answer.get("log", ""))) if record.is_grader_error else record
