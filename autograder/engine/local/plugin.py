"""pytest's plugin for the public checks: they give the same verdicts as on Gradescope.

Every check stays an ordinary test; this plugin provides its fixtures and translates its verdict for
pytest: a stub is a skip, an incorrect answer a failure that shows its feedback. Points and known
mistakes travel as `report.check`, also from pytest-xdist's workers, to the summary.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict
from autograder.engine.homework import load_homework
from autograder.engine.judge.base_plugin import BasePlugin, Submitted
from autograder.engine.judge.conclusions import Conclusion
from autograder.engine.judge.exceptions import WorkerLost
from autograder.engine.judge.newer_python import problems_with
from autograder.engine.judge.requirements import required_by
from autograder.engine.local import environment
from autograder.engine.local.caller import LocalCaller
from autograder.engine.local.planned import PRISTINE, read_plan
from autograder.engine.local.terminal import Feedback, Summary

if TYPE_CHECKING:
    from autograder.engine.local.process import Runner

_SKIPS = (Verdict.NOT_ATTEMPTED, Verdict.BLOCKED)


@dataclass(frozen=True)
class _Judged:
    """The result of a check: its conclusion, and its entry once its requirements are applied."""

    conclusion: Conclusion
    settled: Entry
    error: BaseException | None


_CHECK: pytest.StashKey[PlannedCheck] = pytest.StashKey()
_JUDGED: pytest.StashKey[_Judged] = pytest.StashKey()


class LocalChecks(BasePlugin):
    """The public checks of one pytest session."""

    def __init__(self, folder: Path, homework: Path) -> None:
        settings = load_homework(homework)
        self._public_plan = read_plan(settings.folder)
        missing = tuple(f for f in settings.files if not (folder / f).is_file())
        super().__init__(
            settings,
            self._public_plan.checks,
            self._public_plan.titles,
            Submitted(folder, settings.folder / PRISTINE, missing),
        )
        self._checks = settings.folder / "checks"
        self._runner: Runner | None = None
        self.summary = Summary(self._public_plan)

    def id_of(self, item: pytest.Item) -> str:
        return item.stash[_CHECK].check_id

    def new_caller(self) -> LocalCaller:
        return LocalCaller(self._start_runner)

    def _start_runner(self) -> Runner:
        """Return the session's runner; import torch and the experiments at the first call."""
        if self._runner is None:
            from autograder.engine.local.process import Runner

            self._runner = Runner(
                self._submitted.submission, self.settings, self._submitted.missing
            )
        return self._runner

    @pytest.fixture
    def caller(self) -> LocalCaller:
        """Calls the student's code for one check."""
        return self.new_caller()

    # ---- collection -----------------------------------------------------------------------

    def pytest_configure(self, config: pytest.Config) -> None:
        """Load the hypothesis profile, too, if a check draws cases."""
        super().pytest_configure(config)
        config.addinivalue_line("markers", "advice: gives no points")
        if any("hypothesis" in _read(p) for p in (self._checks / "public").glob("*.py")):
            from autograder.engine.judge import hypothesis_profile

            hypothesis_profile.set_up()

    def pytest_report_header(self) -> list[str]:
        """Name the homework; warn of code that fails on Gradescope."""
        return [f"{self.settings.title}: public checks", *self._warnings()]

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Select a check by its number: `-k 1.2` or `-k 1.2.5`."""
        check = self._planned(item)
        if check is None:
            return
        item.stash[_CHECK] = check
        item.extra_keyword_matches.update((check.number, check.part))
        if check.points is None:
            item.add_marker(pytest.mark.advice)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        """Put the checks in their order and seed each, before other plugins shuffle tests."""
        checks = [item for item in items if _CHECK in item.stash]
        others = [item for item in items if _CHECK not in item.stash]
        self.prepare(checks)
        items[:] = checks + others
        yield

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Report a broken Python environment once, before the first check.

        Raises:
            UsageError: torch and numpy do not work together.
        """
        has_checks = any(_CHECK in item.stash for item in session.items)
        if has_checks and not session.config.option.collectonly:
            problem = environment.broken()
            if problem:
                raise pytest.UsageError(problem)

    # ---- a check ----------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Judge a check as Gradescope does; skip, fail or pass it for pytest."""
        __tracebackhide__ = True
        if _CHECK not in pyfuncitem.stash:
            return (yield)
        error: BaseException | None = None
        with self._start_runner().fresh():
            try:
                yield
            except (KeyboardInterrupt, pytest.exit.Exception, pytest.skip.Exception):
                raise
            except BaseException as raised:
                error = raised
        judged = self._judge(pyfuncitem, error)
        pyfuncitem.stash[_JUDGED] = judged
        if judged.settled.verdict in _SKIPS:
            reason = _reason(pyfuncitem.stash[_CHECK], self._public_plan.titles, judged)
            raise pytest.skip.Exception(reason, _use_item_location=True) from error
        # Advice costs nothing, so it is no failure.
        if error is not None and pyfuncitem.stash[_CHECK].points is not None:
            raise error
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give the report of a check its title, and its feedback in place of our traceback."""
        report = yield
        if _CHECK not in item.stash or call.when != "call":
            return report
        check = item.stash[_CHECK]
        report.location = (*report.location[:2], f"{check.number} {check.title}")
        judged = item.stash.get(_JUDGED, None)
        if judged is None:  # Ctrl-C
            return report
        cause = _cause(judged.error)
        entry, failure = judged.conclusion.entry, judged.conclusion.failure
        blocked_by, requires_any_of, explained_by = required_by(item)
        data: dict[str, Any] = {
            "entry": {**asdict(entry), "verdict": entry.verdict.value},
            "blocked_by": blocked_by,
            "requires_any_of": [list(numbers) for numbers in requires_any_of],
            "explained_by": list(explained_by),
            "snippet": "" if failure is None else failure.snippet,
            "of_file": judged.conclusion.of_file,
            "run_last": item.get_closest_marker("run_last") is not None,
            "frames": "",
            "cause": "" if cause is None else type(cause).__name__,
        }
        # Plain values only: pytest-xdist sends them to another process.
        report.check = data  # type: ignore[attr-defined]
        if report.failed and entry.verdict is not Verdict.GRADER_ERROR:
            frames = None if cause is None else self._frames(item, cause)
            data["frames"] = "" if frames is None else str(frames)
            report.longrepr = Feedback.of(data, check, frames)  # type: ignore[assignment]
            if cause is not None:  # where `--pdb` begins
                call.excinfo = pytest.ExceptionInfo.from_exception(cause)
        return report

    def _judge(self, item: pytest.Item, error: BaseException | None) -> _Judged:
        raised = error
        if isinstance(error, pytest.fail.Exception):  # pytest-timeout's
            limit = re.search(r"[\d.]+(?=s)", str(error.msg))
            raised = WorkerLost(
                f"Your code did not return within {limit[0] if limit else 'its'} s.\n"
                "Look for a loop that never ends, or work that grows with the size of the input."
            )
        conclusion = self.conclude(item, raised)
        return _Judged(conclusion, self.settle(item, conclusion.entry), error)

    def _frames(self, item: pytest.Item, cause: BaseException) -> Any:
        """Return the student's own frames of an exception as pytest shows them; None if none."""
        place_of = self._start_runner().code.place_of
        cause = self._start_runner().raised(cause)
        if isinstance(cause, SyntaxError):
            return "".join(traceback.format_exception_only(cause)).rstrip()
        info = pytest.ExceptionInfo.from_exception(cause)
        own = info.traceback.filter(lambda entry: place_of(str(entry.path)) is not None)
        if not own:
            return None
        style = item.config.getoption("tbstyle")
        return info.getrepr(
            style="long" if style in ("auto", "long") else "short",
            showlocals=item.config.getoption("showlocals", False),
            tbfilter=lambda _: own,
            chain=False,
        )

    # ---- the terminal -----------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a verdict, also one of another process; show each exception in full once only."""
        data = getattr(report, "check", None)
        if data is not None:
            self.summary.add(data)
            if report.failed and data["entry"]["verdict"] != Verdict.GRADER_ERROR.value:
                check = self._plan[data["entry"]["check_id"]]
                earlier = self.summary.same_cause(data)
                if earlier or not isinstance(report.longrepr, Feedback):
                    report.longrepr = Feedback.of(  # type: ignore[assignment]
                        data, check, data["frames"] or None, earlier
                    )

    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """Count advice as advice, not as a pass or a failure."""
        data = getattr(report, "check", None)
        if data is not None and report.passed and data["entry"]["verdict"] == Verdict.FAILED.value:
            return "advice", "A", ("ADVICE", {"yellow": True})
        return None

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, exitstatus: int
    ) -> None:
        """Show points by part, and the next step."""
        nothing_ran = exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED
        self.summary.show(terminalreporter, self._warnings(), nothing_ran=nothing_ran)

    def _warnings(self) -> list[str]:
        """Return the problems that Gradescope's Python has with the student's files."""
        python = self.settings.python
        version = None if python is None else (3, int(python.partition(".")[2]))
        return [
            problem
            for name in self.settings.files
            if version is not None and name not in self._submitted.missing
            for problem in problems_with(_read(self._submitted.submission / name), name, version)
        ]

    def _planned(self, item: pytest.Item) -> PlannedCheck | None:
        if not item.path.is_relative_to(self._checks):
            return None
        file = item.path.relative_to(self._checks).as_posix()
        return self._plan.get(f"{file}::{item.name.partition('[')[0]}")


def _read(path: Path) -> str:
    """Return a file's text, "" if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _cause(error: BaseException | None) -> BaseException | None:
    """Return the exception of the student's code, or that of pytest-timeout within it."""
    return error if isinstance(error, pytest.fail.Exception) else getattr(error, "__cause__", None)


def _reason(check: PlannedCheck, titles: Mapping[str, str], judged: _Judged) -> str:
    """Return the reason why a check is skipped."""
    if judged.settled.verdict is Verdict.BLOCKED:
        return f"{check.number}: {judged.settled.feedback}"
    stub = getattr(judged.error, "__cause__", None)
    if stub is None:
        return f"{check.number}: {judged.conclusion.entry.feedback.removeprefix('Not attempted: ')}"
    function = ""
    for frame in traceback.extract_tb(stub.__traceback__):
        function = frame.name
    named = re.search(rf"[\w.]*\b{re.escape(function)}\b", titles[check.part])
    return f"{check.part} {named[0] if named else function} is not implemented yet"
