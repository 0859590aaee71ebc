"""A class on a Dask cluster: worker processes start, die and have other versions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from autograder.engine.batch.cluster import cluster_crew
from autograder.engine.batch.scheduler import WorkError
from autograder.engine.batch.store import Store
from autograder.engine.batch.worker_process import Settings, fingerprint
from autograder.engine.homework import load_homework
from tests.engine.batch.made_class.work import (
    class_of,
    grade_with,
    grading,
    keys,
)
from tests.processes import wait_until
from tests.this_homework import THIS

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two worker processes as in a real cluster: a nanny restarts one that dies."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(ROOT)
    try:
        with LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            host="127.0.0.1",
        ) as started:
            yield started
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def test_a_killed_worker_loses_no_submission(tmp_path: Path, cluster: LocalCluster) -> None:
    """After `kill -9` every submission has exactly one record in the store."""
    by = grading()
    export = class_of(tmp_path / "class", *["sleep 0.1"] * 40)
    done = []
    with Client(cluster.scheduler_address) as client:
        victim = next(iter(client.run(os.getpid).values()))
    with cluster_crew(cluster.scheduler_address, by.settings, by.checks) as crew:
        for record in grade_with(crew, export, tmp_path / "out", by):
            done.append(record)
            if len(done) == 10:
                os.kill(victim, signal.SIGKILL)
    assert Counter(keys(done)) == Counter(f"s{i:03d}" for i in range(40))
    assert not any(record.is_grader_error for record in done)
    assert len(list(tmp_path.glob("out/results/*/*.json"))) == 40


def test_a_submission_that_kills_its_process_does_not_stop_the_cluster(
    tmp_path: Path, cluster: LocalCluster
) -> None:
    """The others are graded, and that one is recorded as a grader error."""
    by = grading()
    export = class_of(tmp_path / "class", "a", "die", "b")
    with cluster_crew(cluster.scheduler_address, by.settings, by.checks) as crew:
        records = {record.key: record for record in grade_with(crew, export, tmp_path / "out", by)}
    assert [record.key for record in records.values() if record.is_grader_error] == ["s001"]
    assert "died (status 9)" in records["s001"].trouble
    stored = Store(tmp_path / "out").read("s002")
    assert stored is not None
    assert stored.results


def test_workers_with_other_checks_are_refused_before_any_grading(cluster: LocalCluster) -> None:
    """Another version of the project on a worker is reported at once."""
    settings = grading().settings
    with (
        pytest.raises(WorkError, match="the workers grade by other checks"),
        cluster_crew(cluster.scheduler_address, settings, "another hash"),
    ):
        pass


def test_the_settings_travel_to_the_workers(cluster: LocalCluster) -> None:
    """Workers use them in place of the settings in their own checkout."""
    homework = load_homework(THIS.folder, ROOT / "docs" / "examples" / "term.toml")
    settings = Settings.of(homework)
    checks = fingerprint(homework, ())
    assert checks != grading().checks
    with cluster_crew(cluster.scheduler_address, settings, checks):
        pass


def test_workers_that_cannot_run_the_project_are_refused(cluster: LocalCluster) -> None:
    """The message has the worker's error and what to do."""
    settings = Settings("no_such_homework", "")
    with (
        pytest.raises(WorkError, match=r"the cluster cannot run the project.*PYTHONPATH"),
        cluster_crew(cluster.scheduler_address, settings, "hash"),
    ):
        pass


def test_a_scheduler_without_the_project_is_an_error(tmp_path: Path) -> None:
    """It unpickles what it passes on, so a checkout on the workers is not enough."""
    (tmp_path / "autograder.py").write_text("raise ImportError\n", encoding="utf-8")
    file = tmp_path / "scheduler.json"
    options = [
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--no-dashboard",
        "--scheduler-file",
        str(file),
    ]
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(file.exists, "the scheduler's start")
        with (
            pytest.raises(WorkError, match=r"cannot run the project.*start its scheduler and its"),
            cluster_crew(str(file), grading().settings, "hash"),
        ):
            pass
    finally:
        scheduler.terminate()
        scheduler.wait()


def test_a_missing_scheduler_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has its address."""
    monkeypatch.setattr("autograder.engine.batch.cluster._CONNECT_S", 0.3)
    with (
        pytest.raises(WorkError, match=r"no Dask scheduler at tcp://127.0.0.1:9"),
        cluster_crew("tcp://127.0.0.1:9", grading().settings, "hash"),
    ):
        pass
