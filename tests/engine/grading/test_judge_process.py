"""Judges forked from a warm process grade like fresh ones, and can be killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from autograder.commands.common import HOMEWORK
from autograder.engine.grading.judge_process import ColdJudges, Judges, WarmJudges
from autograder.engine.grading.ledger import Entry, read_ledger
from autograder.engine.grading.plan import plan_checks
from autograder.engine.judge.job import Job
from autograder.engine.judge.warm import preload
from tests.this_homework import REFERENCE, TEMPLATE, THIS

PATIENCE_S = 120.0
PLAN = plan_checks(THIS)
# Two checks that read files only, and one whose worker never comes: nobody serves the socket.
READS_FILES = tuple(check.check_id for check in PLAN if "changed_in_its_regions" in check.check_id)
NEEDS_A_WORKER = (PLAN[0].check_id,)


@pytest.fixture(scope="module")
def warm() -> Iterator[WarmJudges]:
    """One warm process for all tests here."""
    judges = WarmJudges(HOMEWORK)
    yield judges
    judges.close()


@pytest.fixture
def control() -> Iterator[socket.socket]:
    """The judge's end of a control socket whose other end is silent."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours


def write_job(folder: Path, only: tuple[str, ...]) -> Path:
    """A job that grades the reference with a line more, in a new folder."""
    submission = folder / "submission"
    for name in THIS.files:
        (submission / name).parent.mkdir(parents=True, exist_ok=True)
        text = (REFERENCE / name).read_text(encoding="utf-8")
        # An edit: the advice on it calls no worker.
        (submission / name).write_text(f"EXTRA = 1\n{text}", encoding="utf-8")
    Job(
        homework=str(HOMEWORK),
        config=str(THIS.folder / "assignment.toml"),
        submission=str(submission),
        pristine=str(TEMPLATE),
        missing=(),
        ledger=str(folder / "ledger"),
        log=str(folder / "log"),
        only=only,
    ).write(folder / "job.json")
    return folder / "job.json"


def entries_of(judges: Judges, job: Path, control: socket.socket) -> dict[str, Entry]:
    """The ledger after a judge has done this job, without the times."""
    running = judges.start(job, control.fileno(), job.parent / "log")
    assert running.wait(PATIENCE_S) == 1  # there is advice
    entries = read_ledger(job.parent / "ledger", PLAN)
    return {name: replace(entry, seconds=0.0) for name, entry in entries.items()}


def test_a_fork_writes_what_a_fresh_process_writes(
    warm: WarmJudges, control: socket.socket, tmp_path: Path
) -> None:
    """Twice in a row: a judge leaves nothing behind for the next one."""
    fresh = entries_of(ColdJudges(), write_job(tmp_path / "cold", READS_FILES), control)
    for name in ("first", "second"):
        assert entries_of(warm, write_job(tmp_path / name, READS_FILES), control) == fresh
    assert {fresh[check].verdict.value for check in READS_FILES} == {"failed"}


def test_a_killed_judge_reports_the_signal(
    warm: WarmJudges, control: socket.socket, tmp_path: Path
) -> None:
    """Its exit status is that of a killed process, and the next judge runs."""
    job = write_job(tmp_path / "waits", NEEDS_A_WORKER)
    running = warm.start(job, control.fileno(), tmp_path / "log")
    with pytest.raises(subprocess.TimeoutExpired):
        running.wait(0.2)
    running.kill()
    assert running.wait(PATIENCE_S) == -signal.SIGKILL
    running.kill()  # once more does no harm
    entries_of(warm, write_job(tmp_path / "next", READS_FILES), control)


def test_a_warm_process_that_died_is_replaced(control: socket.socket, tmp_path: Path) -> None:
    """A judge that was running counts as killed."""
    judges = WarmJudges(HOMEWORK)
    try:
        at_work = judges.start(
            write_job(tmp_path / "waits", NEEDS_A_WORKER), control.fileno(), tmp_path / "log"
        )
        first = judges.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        assert at_work.wait(PATIENCE_S) == -signal.SIGKILL
        entries_of(judges, write_job(tmp_path / "next", READS_FILES), control)
        assert judges.pid != first
    finally:
        judges.close()
    assert judges.pid is None


def test_closing_ends_judges_at_work(control: socket.socket, tmp_path: Path) -> None:
    """No judge keeps running after its server is closed."""
    judges = WarmJudges(HOMEWORK)
    running = judges.start(
        write_job(tmp_path / "waits", NEEDS_A_WORKER), control.fileno(), tmp_path / "log"
    )
    assert judges.pid is not None
    forks = psutil.Process(judges.pid).children()
    judges.close()
    assert running.wait(PATIENCE_S) == -signal.SIGKILL
    assert psutil.wait_procs(forks, PATIENCE_S)[1] == []


def test_a_pytest_with_other_internals_is_preloaded_by_its_judges(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The internal modules only save time, so the homework's are imported without them."""
    monkeypatch.setitem(sys.modules, "_pytest.config", None)
    monkeypatch.delitem(sys.modules, "autograder.homework.text_advice", raising=False)
    preload(HOMEWORK)
    assert "autograder.homework.text_advice" in sys.modules
