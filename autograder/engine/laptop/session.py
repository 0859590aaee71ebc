"""Run the public checks in this process, with the judge of Gradescope and a worker beside it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pytest

from autograder.engine import fingerprint
from autograder.engine.assignment import Assignment, load_assignment
from autograder.engine.inventory import AUDIENCES
from autograder.engine.judge.client import Launcher
from autograder.engine.judge.job import Job
from autograder.engine.judge.plugin import JudgePlugin
from autograder.engine.judge.verdicts import CheckFailed
from autograder.engine.laptop.planned import PublicPlan, read_plan
from autograder.engine.laptop.report import Report, by_number
from autograder.engine.laptop.spawn import SpawnLauncher
from autograder.engine.ledger import Entry

# "fork" or "spawn"; without it, fork where that is known to work.
SWITCH = "AUTOGRADER_WORKER"
PRISTINE = "pristine"  # beside the homework's checks: the template as it was handed out

_ZYGOTE_START_S = 120.0
_NO_WORKER = 3  # pytest's exit status when the judge finds no worker
_LOG_SHOWN = 3000
_BROKEN = (_NO_WORKER, int(pytest.ExitCode.INTERRUPTED), int(pytest.ExitCode.INTERNAL_ERROR))


@dataclass(frozen=True)
class Wish:
    """What a student asked for.

    Args:
        folder: where his homework lies.
        package: the homework's package, such as "autograder.homework".
        numbers: parts or checks, such as "1.2"; none means all.
        keyword: an expression of pytest's `-k` beside that.
    """

    folder: Path
    package: str
    numbers: tuple[str, ...] = ()
    keyword: str = ""


def run(wish: Wish, out: TextIO) -> int:
    """Run checks and print what became of them; return pytest's exit status."""
    assignment = load_assignment(wish.package)
    plan = read_plan(assignment.folder)
    wanted = by_number(plan.checks, wish.numbers) if wish.numbers else list(plan.checks)
    report = Report(plan, wanted, out)
    if not wanted:
        numbers = ", ".join(dict.fromkeys(check.part for check in plan.checks))
        report.paragraph(
            f"No public check is called {' or '.join(wish.numbers)}; the parts are {numbers}."
        )
        return int(pytest.ExitCode.NO_TESTS_COLLECTED)
    report.say(f"{assignment.title}. Public checks:\n")
    for name in assignment.files:
        if not (wish.folder / name).is_file():
            report.say(f"{name} is not in {wish.folder}: its checks have nothing to do.")
    status, log = _NO_WORKER, ""
    for fork in (True, False) if _may_fork() else (False,):
        with workplace() as place, _launcher(assignment, place, fork) as launcher:
            status = judge(assignment, plan, wish, report, place, launcher)
            log = _log_of(place)
        if status != _NO_WORKER or report.entries:
            break
    if status in _BROKEN:
        report.paragraph("The checks stopped: the process that runs your code said")
        report.say(log or "nothing.")
    if not report.entries:
        report.say("No check was run.")
        return status or int(pytest.ExitCode.NO_TESTS_COLLECTED)
    report.finish(what_ran=bool(wish.keyword))
    if report.grader_failed:
        report.say(f"\nThe log of what went wrong, for the course staff:\n{log}")
    report.say(f"Fingerprint: {fingerprint.take(assignment, wish.folder)}")
    return status if status in _BROKEN else int(not report.all_passed)


def compare(package: str, folder: Path, pasted: str, out: TextIO) -> int:
    """Explain how the fingerprint of another result differs from the one that is taken here."""
    assignment = load_assignment(package)
    report = Report(read_plan(assignment.folder), (), out)
    there = fingerprint.parse(pasted)
    if there is None:
        report.paragraph(
            "That holds no fingerprint. Copy the line that begins with Fingerprint: from the top "
            "of your result on Gradescope."
        )
        return int(pytest.ExitCode.USAGE_ERROR)
    for reason in fingerprint.explain(fingerprint.take(assignment, folder), there):
        report.paragraph(reason)
    return 0


class _LaptopJudge(JudgePlugin):
    """The judge, whose verdicts go to a terminal, with a snippet for those that failed."""

    report: Report

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Silence pytest's own report; ours is printed in its place."""
        session.config.pluginmanager.unregister(name="terminalreporter")

    def _entry(self, item: pytest.Item, error: BaseException | None) -> Entry:
        if isinstance(error, CheckFailed) and error.snippet:
            self.report.snippets[item.nodeid] = error.snippet
        return super()._entry(item, error)


@dataclass(frozen=True)
class Workplace:
    """Temporary folders; a worker may pass through the root, and read `submission` only."""

    root: Path

    @property
    def submission(self) -> Path:
        """The student's files beside the pristine rest."""
        return self.root / "submission"

    @property
    def workers(self) -> Path:
        """Private folders of the workers."""
        return self.root / "workers"

    @property
    def log(self) -> Path:
        """What went wrong, and what workers printed."""
        return self.root / "private" / "log"


@contextlib.contextmanager
def workplace() -> Iterator[Workplace]:
    """Make the folders of one session."""
    with tempfile.TemporaryDirectory(prefix="checks-", ignore_cleanup_errors=True) as name:
        place = Workplace(Path(name).resolve())
        place.root.chmod(0o711)
        place.log.parent.mkdir(mode=0o700)
        place.workers.mkdir(mode=0o711)
        yield place


def _may_fork() -> bool:
    told = os.environ.get(SWITCH, "")
    if told in ("fork", "spawn"):
        return told == "fork"
    # Other systems have fork too, but not beside the libraries that torch brings along.
    return sys.platform.startswith("linux")


def _stage(assignment: Assignment, folder: Path, place: Workplace) -> tuple[str, ...]:
    """Put the student's files beside the pristine rest, as Gradescope does; name missing ones."""
    shutil.copytree(assignment.folder / PRISTINE, place.submission, dirs_exist_ok=True)
    missing = []
    for name in assignment.files:
        staged, own = place.submission / name, folder / name
        staged.unlink(missing_ok=True)
        if own.is_file():
            shutil.copyfile(own, staged)
        else:
            missing.append(name)
    for path in (place.submission, *place.submission.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)  # a worker may have another user
    return tuple(missing)


def judge(
    assignment: Assignment,
    plan: PublicPlan,
    wish: Wish,
    report: Report,
    place: Workplace,
    launcher: Launcher,
) -> int:
    """Stage the student's files and run the checks; return pytest's exit status."""
    missing = _stage(assignment, wish.folder, place)
    checks = assignment.folder / "checks"
    job = Job(
        package=assignment.package,
        config=str(assignment.settings_file),
        submission=str(place.submission),
        pristine=str(assignment.folder / PRISTINE),
        missing=missing,
        ledger="",
        log=str(place.log),
    )
    names = [str(checks / AUDIENCES[0])]
    if wish.numbers:
        names = [str(checks / check.check_id) for check in by_number(plan.checks, wish.numbers)]
    with _own_pytest():
        plugin = _LaptopJudge(assignment, plan.checks, launcher, report, job)
        plugin.report = report
        return int(
            pytest.main(
                [
                    *("-c", str(Path(__file__).parents[1] / "judge" / "pytest.ini")),
                    *("--rootdir", str(checks), "--confcutdir", str(checks)),
                    *("-p", "no:cacheprovider", "-p", "no:unittest", "-p", "no:doctest"),
                    *("-p", "no:logging", "-p", "no:junitxml", "-p", "no:pastebin"),
                    *("-p", "no:unraisableexception"),
                    "--continue-on-collection-errors",
                    *("--assert", "plain", "--import-mode", "importlib", "-q", "--tb", "no"),
                    *(("-k", wish.keyword) if wish.keyword else ()),
                    *names,
                ],
                plugins=[plugin],
            )
        )


@contextlib.contextmanager
def _launcher(assignment: Assignment, place: Workplace, fork: bool) -> Iterator[Launcher]:
    if not fork:
        spawned = SpawnLauncher(assignment.package, place.submission, place.log)
        try:
            yield spawned
        finally:
            spawned.close()
        return
    # Not at the top: other systems lack what it imports.
    from autograder.engine.worker.launch import ZygoteHolder

    zygote = ZygoteHolder(assignment.package, place.workers, place.log)
    try:
        yield Launcher(zygote.control, place.submission, _ZYGOTE_START_S)
    finally:
        zygote.close()


@contextlib.contextmanager
def _own_pytest() -> Iterator[None]:
    """Keep the student's plugins and options out of the judge's session."""
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    bytecode = sys.dont_write_bytecode
    os.environ.update({name: value for name, value in _ENVIRONMENT.items() if value})
    os.environ.pop("PYTEST_ADDOPTS", None)
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = bytecode
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_ENVIRONMENT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}


def _log_of(place: Workplace) -> str:
    try:
        return place.log.read_text(encoding="utf-8", errors="backslashreplace")[-_LOG_SHOWN:]
    except OSError:
        return ""


def words(expression: str) -> Sequence[str] | None:
    """Return the numbers of a `-k` expression that is made of them, "1.2 or 2.2"; else None."""
    found = [word.strip() for word in expression.split(" or ")]
    numbers = all(word and set(word) <= set("0123456789.") for word in found)
    return found if numbers else None
