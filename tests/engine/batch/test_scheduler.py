"""Grading a class: only what is due, mishaps, and no submission graded twice or lost."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from autograder.engine.batch.pool import Crew, local_crew
from autograder.engine.batch.privacy import Pseudonyms
from autograder.engine.batch.scheduler import WorkError
from autograder.engine.batch.store import Store
from autograder.engine.batch.summary import ABSENT, GRADED, REFUSED, state_of
from tests.engine.batch.made_class import PLAN
from tests.engine.batch.made_class.work import (
    class_of,
    grade_here,
    grade_with,
    grading,
    keys,
)
from tests.this_homework import THIS

ROOT = Path(__file__).resolve().parents[3]


# ---- what is due ------------------------------------------------------------------------------


def test_a_rerun_grades_only_what_is_missing(tmp_path: Path) -> None:
    """Results stay; a deleted result or a new submission is graded."""
    export = class_of(tmp_path / "class", "a", "b", "c")
    assert keys(grade_here(export, tmp_path / "out")) == ["s000", "s001", "s002"]
    assert grade_here(export, tmp_path / "out") == []
    Store(tmp_path / "out").path("results", "s001", "json").unlink()
    class_of(tmp_path / "class", "a", "b", "c", "d")
    assert keys(grade_here(export, tmp_path / "out")) == ["s001", "s003"]


def test_a_changed_submission_is_graded_again(tmp_path: Path) -> None:
    """Another content counts; only newer files do not."""
    export = class_of(tmp_path / "class", "a", "b")
    grade_here(export, tmp_path / "out")
    class_of(tmp_path / "class", "a", "changed")
    assert keys(grade_here(export, tmp_path / "out")) == ["s001"]


def test_other_checks_grade_everything_again(tmp_path: Path) -> None:
    """Their hash decides."""
    export = class_of(tmp_path / "class", "a", "b")
    grade_here(export, tmp_path / "out")
    store = Store(tmp_path / "out")
    for record in [store.read("s000"), store.read("s001")]:
        assert record is not None
        store.write(dataclasses.replace(record, checks="older"))
    assert len(grade_here(export, tmp_path / "out")) == 2


def test_a_grader_error_is_tried_twice_and_again_in_the_next_run(tmp_path: Path) -> None:
    """It is not a grade; its log is kept."""
    export = class_of(tmp_path / "class", "fault", f"fault once {tmp_path / 'mark'}")
    records = {record.key: record for record in grade_here(export, tmp_path / "out")}
    assert records["s000"].is_grader_error
    assert (records["s000"].attempts, records["s001"].attempts) == (2, 2)
    assert records["s000"].log == "staff only: it broke"
    assert not records["s001"].is_grader_error
    assert keys(grade_here(export, tmp_path / "out")) == ["s000"]


def test_a_refused_or_missing_submission_is_no_grader_error(tmp_path: Path) -> None:
    """It has a reason and no points, and is not graded again before it changes."""
    export = class_of(tmp_path / "class", "refuse", "a")
    (export / "submission_metadata.yml").write_text("s001: {}\nbob:\n  :submitters: []\n")
    records = {record.key: record for record in grade_here(export, tmp_path / "out")}
    assert {key: state_of(record) for key, record in records.items()} == {
        "s000": REFUSED,
        "s001": GRADED,
        "bob": ABSENT,
    }
    assert records["s000"].refused == "There is nothing in it."
    assert "contains no file from bob" in records["bob"].refused
    assert grade_here(export, tmp_path / "out") == []
    shutil.copytree(export / "s001", export / "bob")
    class_of(export, "b")
    assert keys(grade_here(export, tmp_path / "out")) == ["bob", "s000"]


# ---- mishaps ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_one_bad_submission_does_not_stop_the_others(tmp_path: Path) -> None:
    """One kills its worker process, one gives no answer, one cannot be read."""
    export = class_of(tmp_path / "class", "die", "a", "silent", "b", "c")
    (export / "no.zip").symlink_to("/proc/self/mem")
    records = {r.key: r for r in grade_here(export, tmp_path / "out", grading(timeout_s=3.0))}
    assert sorted(records) == ["no.zip", "s000", "s001", "s002", "s003", "s004"]
    assert not any(records[key].is_grader_error for key in ("s001", "s003", "s004"))
    assert "died (status 9)" in records["s000"].trouble
    assert "gave no answer within 3 s" in records["s002"].trouble
    assert "no.zip cannot be read" in records["no.zip"].trouble


def test_a_worker_process_that_died_is_replaced(tmp_path: Path) -> None:
    """The new process grades the same submission once more."""
    export = class_of(tmp_path / "class", f"die once {tmp_path / 'mark'}", "a")
    records = grade_here(export, tmp_path / "out", jobs=1)
    assert not any(record.is_grader_error for record in records)


class Refuses(Executor):
    """An executor whose machinery is broken."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return a future that has failed."""
        future: Future[Any] = Future()
        future.set_exception(ConnectionError("the scheduler is gone"))
        return future


def test_a_broken_executor_stops_the_work(tmp_path: Path) -> None:
    """A lost scheduler is not recorded as an error of 30,000 submissions."""
    export = class_of(tmp_path / "class", "a", "b")
    with pytest.raises(WorkError, match="the scheduler is gone"):
        list(grade_with(Crew(Refuses(), lambda: 1), export, tmp_path / "out"))
    assert not (tmp_path / "out" / "results").exists()


class OtherChecks(Executor):
    """An executor on a machine with another version of the project."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return a future with the hash of other checks."""
        future: Future[Any] = Future()
        future.set_result({"checks": "other", "results": {}})
        return future


def test_worker_processes_that_cannot_start_stop_the_work(tmp_path: Path) -> None:
    """The common reason is reported once, not as an error of every submission."""
    export = class_of(tmp_path / "class", "a", "b", "c")
    with (
        local_crew(2) as crew,
        pytest.raises(WorkError, match=r"NeverStarted: .* died .* before it was ready"),
    ):
        list(grade_with(crew, export, tmp_path / "out", module="tests.no_such_module"))
    assert not list((tmp_path / "out").glob("results/*/*.json"))


def test_a_machine_with_other_checks_is_refused(tmp_path: Path) -> None:
    """Two versions of the checks are never mixed in one class."""
    export = class_of(tmp_path / "class", "a")
    with pytest.raises(WorkError, match="grades by other checks"):
        list(grade_with(Crew(OtherChecks(), lambda: 1), export, tmp_path / "out"))


def test_only_as_many_submissions_are_queued_as_keep_the_crew_busy(tmp_path: Path) -> None:
    """Payloads are made when they are needed, so memory does not grow with the class."""
    export = class_of(tmp_path / "class", *["a"] * 40)
    waiting: set[Future[Any]] = set()
    most = 0

    class Counting(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            nonlocal most
            future = super().submit(dict, trouble="none")
            waiting.add(future)
            future.add_done_callback(lambda _: time.sleep(0.01))
            most = max(most, sum(not each.done() for each in waiting))
            return future

    with Counting(2) as executor:
        records = list(grade_with(Crew(executor, lambda: 3), export, tmp_path / "out"))
    assert len(records) == 40
    assert 3 <= most <= 6


# ---- without names ----------------------------------------------------------------------------


def test_an_anonymous_store_has_no_names_and_recognises_its_submissions(tmp_path: Path) -> None:
    """No name in contents or file names; a rerun grades nothing."""
    export = class_of(tmp_path / "class", "a", "b")
    (export / "s000").rename(export / "Ada Lovelace")
    names = Pseudonyms(b"key")
    assert len(grade_here(export, tmp_path / "out", names=names)) == 2
    for path in (tmp_path / "out").rglob("*"):
        assert "Ada" not in path.name
        assert path.is_dir() or "Lovelace" not in path.read_text(encoding="utf-8")
    assert grade_here(export, tmp_path / "out", names=names) == []


# ---- the real grader --------------------------------------------------------------------------


def real_class(tmp_path: Path, count: int) -> Path:
    """An export with copies of the reference."""
    export = tmp_path / "class"
    for i in range(count):
        for name in ("codebase/flow_network.py", "codebase/gan.py"):
            target = export / f"s{i:03d}" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "reference" / name, target)
    return export


def command(export: Path, out: Path, *more: str | Path) -> list[str | Path]:
    """The command with one quick check."""
    start: list[str | Path] = [sys.executable, "-m", "autograder", "class", export, "--out", out]
    return [*start, "--only", "1.1.1", "--jobs", "1", *more]


def done_files(out: Path) -> dict[Path, int]:
    """The stored records, with the time they were written."""
    return {path: path.stat().st_mtime_ns for path in out.glob("results/*/s*.json")}


@pytest.mark.e2e
@pytest.mark.slow
def test_the_jobs_of_a_machine_share_what_is_imported(tmp_path: Path) -> None:
    """One process imports torch and one the judge for all jobs; all of them end with the crew."""
    export = class_of(tmp_path / "class", "a = 1", "b = 2", "c = 3")
    only = tuple(check.check_id for check in PLAN if check.number == "1.1.1")
    ours = psutil.Process()
    others = set(ours.children(recursive=True))
    with local_crew(2, THIS.folder) as crew:
        by = grading(120.0, only)
        records = list(grade_with(crew, export, tmp_path / "out", by, module=crew.module))
        family = [p for p in ours.children(recursive=True) if p not in others]
        modules = Counter(_module_of(process) for process in family)
        assert modules["autograder.engine.batch.worker_process"] == 2
        prefork = [p for p in family if _module_of(p) == "autograder.engine.sandbox.prefork"]
        assert len([p for p in prefork if p.ppid() == ours.pid]) == 1
        assert modules["autograder.engine.sandbox.zygote"] == 0
        assert modules["autograder.engine.judge.warm"] == 1
    assert keys(records) == ["s000", "s001", "s002"]
    assert not any(record.is_grader_error for record in records)
    assert psutil.wait_procs(family, 10.0)[1] == []


def _module_of(process: psutil.Process) -> str:
    """The module that a process was started to run; a fork has that of its server."""
    try:
        words = process.cmdline()
    except psutil.Error:  # it has ended
        return ""
    return words[words.index("-I") + 2] if "-I" in words else ""


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)],
    ids=["kill -9", "Ctrl-C", "kill"],
)
def test_a_killed_run_can_be_continued(tmp_path: Path, number: int, status: int) -> None:
    """Results stay, the rest is graded, and no process or folder outlives the killed run."""
    export, out, folders = real_class(tmp_path, 3), tmp_path / "out", tmp_path / "temporary"
    folders.mkdir()
    run = subprocess.Popen(
        command(export, out),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(folders)},
    )
    while not done_files(out) and run.poll() is None:
        time.sleep(0.02)
    family = psutil.Process(run.pid).children(recursive=True)
    # A terminal sends its signal to the whole process group.
    (os.killpg if number == signal.SIGINT else os.kill)(run.pid, number)
    printed, complaints = run.communicate(timeout=120)
    assert "Traceback" not in complaints
    assert run.returncode == status
    if number != signal.SIGKILL:
        assert "run the same command to continue" in printed
        assert not list(folders.iterdir())
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive
    kept = done_files(out)
    assert 1 <= len(kept) < 3
    again = subprocess.run(
        command(export, out), cwd=ROOT, capture_output=True, text=True, timeout=400, check=False
    )
    assert again.returncode == 0, again.stderr
    assert f"{3 - len(kept)} to grade" in again.stdout
    now = done_files(out)
    assert len(now) == 3
    assert kept.items() <= now.items()


@pytest.mark.e2e
@pytest.mark.slow
def test_the_exit_status_shows_whether_results_changed(tmp_path: Path) -> None:
    """0 without changes, 1 with changes, 2 for wrong arguments; a crash costs all points."""
    export, old, new = real_class(tmp_path, 2), tmp_path / "old", tmp_path / "new"
    gan = export / "s001" / "codebase" / "flow_network.py"
    right = gan.read_text(encoding="utf-8")
    gan.write_text("import os; os._exit(0)\n", encoding="utf-8")

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            arguments, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False
        )

    first = run(*command(export, old))
    assert first.returncode == 0, first.stderr
    assert "2 graded" in first.stdout
    assert sum(test.get("score", 0) for test in Store(old).read("s001").tests) == 0  # type: ignore[union-attr]
    same = run(*command(export, new, "--compare", old))
    assert (same.returncode, "Nothing changed." in same.stdout) == (0, True)
    gan.write_text(right, encoding="utf-8")
    other = run(*command(export, new, "--compare", old))
    assert other.returncode == 1
    assert "1 of 2 submissions changed in points: 1 gained and 0 lost points." in other.stdout
    rebuilt = run(sys.executable, "-m", "autograder", "class", "--out", new, "--compare", old)
    assert rebuilt.returncode == 1
    assert "to grade" not in rebuilt.stdout


def test_wrong_arguments_give_one_line(tmp_path: Path) -> None:
    """Status 2, before anything is graded or written."""

    def run(*arguments: str | Path) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "autograder", "class", *arguments, "--out", tmp_path / "out"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2, done.stdout
        assert not (tmp_path / "out").exists()
        (line,) = done.stderr.splitlines()
        return line

    assert "no export at" in run(tmp_path / "none")
    assert "must be at least 1" in run(tmp_path, "--jobs", "0")
    assert "no check matches 9.9" in run(tmp_path, "--only", "9.9")
    assert "no results of a class" in run(tmp_path, "--compare", tmp_path / "none")
    assert "no results of a class" in run()
