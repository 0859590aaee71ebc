"""Entry of the judge process: `isolated.py autograder.engine.judge JOB_FILE CONTROL_FD`."""

from __future__ import annotations

import gc
import os
import resource
import socket
import sys
from pathlib import Path

import pytest

from autograder.engine.grading.ledger import LedgerWriter
from autograder.engine.grading.plan import plan_checks
from autograder.engine.homework import Homework, load_homework
from autograder.engine.judge.job import Job
from autograder.engine.judge.launcher import Launcher
from autograder.engine.judge.plugin import JudgePlugin
from autograder.engine.sandbox.confine import die_with_parent
from autograder.engine.sandbox.container import container

# Importing torch takes the zygote about a second; on half a core, with a cold disk, far more.
_ZYGOTE_START_S = 90.0
_MOST_BYTES = 2_000_000_000
# New objects until the garbage collector runs; with Python's 700 it runs hundreds of times.
_COLLECT_AFTER = 10_000


def main(argv: list[str]) -> int:
    """Run the job in a file, with the zygote at a descriptor."""
    return judge(Job.read(Path(argv[0])), socket.socket(fileno=int(argv[1])))


def judge(job: Job, control: socket.socket) -> int:
    """Run the checks, write the ledger, and return pytest's exit status."""
    die_with_parent()
    _bound_memory()
    gc.freeze()  # what is imported stays
    gc.set_threshold(_COLLECT_AFTER, 20, 20)
    homework = load_homework(Path(job.homework), Path(job.config))
    plan = plan_checks(homework)
    control.set_inheritable(False)
    launcher = Launcher(
        control,
        Path(job.submission),
        _ZYGOTE_START_S,
        ahead=True,
        side_by_side=container().side_by_side,
        modules=job.modules,
        code=homework.code_folder,
        tries_environment=True,
    )
    plugin = JudgePlugin(homework, plan, launcher, LedgerWriter(Path(job.ledger)), job)
    try:
        return _run(homework, plugin, job)
    finally:
        launcher.close()


def _bound_memory() -> None:
    """Limit the judge's memory (it needs 200 MB): a huge reply must fail in the judge alone."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = _MOST_BYTES if hard == resource.RLIM_INFINITY else min(hard, _MOST_BYTES)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _run(homework: Homework, plugin: JudgePlugin, job: Job) -> int:
    """Run pytest; return its exit status."""
    checks = homework.folder / "checks"
    os.chdir(checks)  # the checks' ids are relative to it
    return int(
        pytest.main(
            [
                *("-p", "no:logging", "-p", "no:junitxml"),
                *("-p", "no:pastebin", "-p", "no:setuponly"),
                *("-c", str(Path(__file__).with_name("pytest.ini"))),
                *("--rootdir", str(checks)),
                *("--confcutdir", str(checks)),
                *("-p", "no:cacheprovider", "-p", "no:unittest", "-p", "no:doctest"),
                # It collects garbage many times at the end, for warnings that nobody reads here.
                *("-p", "no:unraisableexception"),
                # A file of checks that cannot be imported costs its own checks only.
                "--continue-on-collection-errors",
                *("--assert", "plain", "--import-mode", "importlib", "-q", "--tb", "no"),
                *(job.only or ("public", "private")),
            ],
            plugins=[plugin],
        )
    )


if __name__ == "__main__":
    ended = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ended)  # the ledger is written; a normal exit would only cost time
