"""The supervisor leaves valid results when something is killed, full or interrupted."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import jsonschema
import pytest

from autograder.engine.grading.ledger import Entry, LedgerWriter, Reserve, Verdict, read_ledger
from autograder.engine.results import gradescope
from tests.security.kit import ROOT, SCHEMA, Court, submission

KILLS = 10


@pytest.fixture(scope="module")
def court() -> Iterator[Court]:
    """One zygote for all tests."""
    with tempfile.TemporaryDirectory(prefix="supervisor-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        court = Court(folder, "")
        yield court
        court.zygote.close()


@pytest.mark.hostile
@pytest.mark.slow
def test_kill_9_at_random_moments_loses_nothing_that_was_finished() -> None:
    """A part of benchmarks/kills.py, which asserts the invariants after each kill."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.kills", "--times", str(KILLS), "--seed", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert sum(int(line.split()[0]) for line in done.stdout.splitlines()) == KILLS


@pytest.mark.slow
def test_a_killed_shared_zygote_is_replaced_and_the_new_one_is_kept(court: Court) -> None:
    """The replacement started during a grading is not ended with the grading's own processes."""
    with submission("import os, signal") as folder:
        court.grade(folder, ("1.2.5",))
        first = court.zygote.pid
        assert first is not None
        os.kill(first, 9)
        report = court.grade(folder, ("1.2.5",))
        second = court.zygote.pid
        assert report.entries[court.numbers["1.2.5"]].verdict is Verdict.PASSED
        assert second not in (None, first)
        court.grade(folder, ("1.2.5",))
        assert court.zygote.pid == second


def test_a_zygote_that_imported_for_one_submission_serves_no_other(court: Court) -> None:
    """`import sklearn` alone must give the next one no `sklearn.datasets`."""
    with submission("") as folder:
        court.grade(folder, ("1.2.5",))
    first = court.zygote.pid
    with submission("from sklearn import datasets") as folder:
        court.grade(folder, ("1.2.5",))
    assert (first is None, court.zygote.pid) == (False, None)


def test_a_worker_that_cannot_be_confined_is_the_graders_fault(court: Court) -> None:
    """The student gets an error number only; the cause is in the staff's log."""
    court.zygote.close()
    with submission("") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "autograder.engine.sandbox.launch.command",
            lambda python, module: [python, "-I", "-c", _UNCONFINED, str(ROOT), module],
        )
        report = court.grade(folder, ("1.2.5",))
    court.zygote.close()
    entry = report.entries[court.numbers["1.2.5"]]
    assert entry.verdict is Verdict.GRADER_ERROR
    number = re.search("Error number for the course staff: ([0-9a-f]{8})", entry.feedback)
    assert number is not None
    assert f"error {number[1]}: public/" in report.log, report.log + str(report.entries)
    assert "OSError: no such layer" in report.log
    assert "no such layer" not in json.dumps(report.results)


_UNCONFINED = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
from autograder.engine.sandbox import confine
def fails(*_):
    raise OSError("no such layer")
confine.confine_self = fails
sys.argv = sys.argv[2:]
from autograder.engine.sandbox import zygote
sys.exit(zygote.main(sys.argv[1:]))
"""


# ---- full disks ---------------------------------------------------------------------------


def test_a_ledger_on_a_full_disk_has_room_kept_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first write that fails frees the reserve and is tried again."""
    refusals = 1
    write = os.write

    def full_once(fd: int, data: bytes) -> int:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, data)

    path = tmp_path / "ledger.jsonl"
    with closing(LedgerWriter(path)) as ledger:
        monkeypatch.setattr(os, "write", full_once)
        ledger.write(Entry("a", Verdict.PASSED, 1.0, ""))
        refusals = 1  # the reserve is used up
        with pytest.raises(OSError, match="No space left"):
            ledger.write(Entry("b", Verdict.PASSED, 1.0, ""))
        monkeypatch.undo()
    assert path.read_text(encoding="utf-8").count("passed") == 1
    assert read_ledger(path, []) == {}
    assert [entry.name for entry in tmp_path.iterdir()] == ["ledger.jsonl"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leave no room at all."""
    fd = os.open(folder / "filler", os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(fd, b"x" * 4096)
    os.close(fd)


def test_results_are_written_although_the_disk_has_filled_up(
    small_disk: Path,
) -> None:
    """Space for them is reserved from the start."""
    reserve = Reserve(small_disk, 1024 * 1024)
    fill(small_disk)
    results = {"tests": [], "output": "x" * 100_000}
    with pytest.raises(OSError, match="make room"):
        gradescope.write_results(small_disk / "results.json", results)
    assert reserve.release()
    assert not reserve.release()
    gradescope.write_results(small_disk / "results.json", results)
    assert json.loads((small_disk / "results.json").read_text(encoding="utf-8")) == results


def test_without_free_space_there_is_no_reserve(small_disk: Path) -> None:
    """Grading works without a reserve."""
    fill(small_disk)
    assert not Reserve(small_disk, 1024 * 1024).release()


@pytest.mark.e2e
def test_a_full_results_folder_gives_one_line(small_disk: Path) -> None:
    """Exit status 2 and advice."""
    fill(small_disk)
    done = subprocess.run(
        [ROOT / "run_autograder", ROOT / "reference", "--results", small_disk / "r.json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_grading_without_a_folder_of_its_own_still_leaves_results(
    court: Court, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full /tmp is the grader's fault: every check says so, with an error number."""

    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", full)
    report = court.grade(tmp_path)
    assert {entry.verdict for entry in report.entries.values()} == {Verdict.GRADER_ERROR}
    jsonschema.validate(report.results, SCHEMA)
    number = re.search("Error number for the course staff: ([0-9a-f]{8})", report.trouble)
    assert number is not None
    assert f"error {number[1]}: the grading" in report.log
    assert "No space left on device" in report.log
    assert "No space left" not in str(report.results["output"])
