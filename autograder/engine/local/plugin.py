"""pytest's plugin for the public checks: they judge as on Gradescope, in pytest's own session.

Every check stays an ordinary item; this plugin gives it what it asks for and turns what it
concludes into what pytest knows: a stub is a skip, a wrong answer a failure that shows its
feedback. What goes beyond that (points, known mistakes) travels as `report.check`, also from
pytest-xdist's workers, to where the summary is made.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict, error_number
from autograder.engine.homework import Assignment, load_assignment
from autograder.engine.judge.background import Background
from autograder.engine.judge.calls import Caller
from autograder.engine.judge.entries import Conclusion, conclude, required_by
from autograder.engine.judge.exceptions import CheckFailed, Figure, WorkerLost
from autograder.engine.judge.fixtures import JUDGE, MARKERS, Submitted
from autograder.engine.judge.order import sort_checks
from autograder.engine.judge.requirements import Requirements
from autograder.engine.local import environment, grammar
from autograder.engine.local.caller import LocalCaller
from autograder.engine.local.planned import PRISTINE, read_plan
from autograder.engine.local.terminal import Feedback, Summary

if TYPE_CHECKING:
    from autograder.engine.local.process import Runner

_SKIPS = (Verdict.NOT_ATTEMPTED, Verdict.BLOCKED)


@dataclass(frozen=True)
class _Judged:
    """What a check came to: by itself, and with what it requires of those before it."""

    conclusion: Conclusion
    entry: Entry
    settled: Entry
    error: BaseException | None


_CHECK: pytest.StashKey[PlannedCheck] = pytest.StashKey()
_JUDGED: pytest.StashKey[_Judged] = pytest.StashKey()


class LocalChecks:
    """The public checks of one session.

    Args:
        folder: the student's.
        package: the homework's.
    """

    def __init__(self, folder: Path, package: str) -> None:
        self.settings: Assignment = load_assignment(package)
        self._folder = folder
        self._plan = read_plan(self.settings.folder)
        self._by_id = {check.check_id: check for check in self._plan.checks}
        self._checks = self.settings.folder / "checks"
        self._missing = tuple(f for f in self.settings.files if not (folder / f).is_file())
        self._requirements = Requirements(self._by_id, self._plan.titles)
        self.background = Background(0)  # nothing runs beside the checks
        self._failures: dict[str, CheckFailed] = {}
        self.summary = Summary(self._plan)

    @cached_property
    def _runner(self) -> Runner:
        """Imports torch: so it is made when a check asks for it."""
        from autograder.engine.local.process import Runner

        settings = self.settings
        return Runner(
            self._folder, settings.package, settings.files, self._missing, settings.folder
        )

    # ---- fixtures -------------------------------------------------------------------------

    @pytest.fixture
    def assignment(self) -> Assignment:
        """The settings, for checks that need a threshold from them."""
        return self.settings

    @pytest.fixture
    def caller(self) -> Caller:
        """What calls the student's code for one check."""
        return self.new_caller()

    @pytest.fixture
    def figure(self) -> Figure:
        """Where a check puts the number that a leaderboard may show."""
        return Figure()

    @pytest.fixture
    def submitted(self) -> Submitted:
        """The text of the student's files, for advice."""
        return Submitted(self._folder, self.settings.folder / PRISTINE, self._missing)

    def new_caller(self) -> Caller:
        """Return what calls the student's code; nothing has to be closed."""
        return LocalCaller(lambda: self._runner)

    def part_is_right(self, part: str) -> bool:
        """Whether all checks of a part that give points and have run so far passed."""
        return self._requirements.part_is_right(part)

    # ---- collection -----------------------------------------------------------------------

    def pytest_configure(self, config: pytest.Config) -> None:
        """Declare the markers of checks; load the hypothesis profile where a check draws cases."""
        config.stash[JUDGE] = self
        for marker in (*MARKERS, "advice: carries no points"):
            config.addinivalue_line("markers", marker)
        if any("hypothesis" in grammar.read(p) for p in (self._checks / "public").glob("*.py")):
            from autograder.engine.judge import hypothesis_profile

            hypothesis_profile.set_up()

    def pytest_report_header(self) -> list[str]:
        """Say which homework this is, and what Gradescope would not take."""
        return [f"{self.settings.title}: public checks", *self._warnings()]

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Let a check be found by its number: `-k 1.2` or `-k 1.2.5`."""
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
        """Put the checks in their order and seed each; what shuffles tests does so afterwards."""
        checks = [item for item in items if _CHECK in item.stash]
        others = [item for item in items if _CHECK not in item.stash]
        sort_checks(checks, self._by_id, lambda item: item.stash[_CHECK].check_id)
        items[:] = checks + others
        for item in checks:
            if hasattr(getattr(item, "obj", None), "hypothesis"):
                from autograder.engine.judge import hypothesis_profile

                check_id = item.stash[_CHECK].check_id
                hypothesis_profile.seed(
                    item, check_id, self.settings.seed, self._remembering(check_id)
                )
        yield

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Say what is wrong with the Python in use, once and before the first check.

        Raises:
            UsageError: torch and numpy do not work together.
        """
        ours = any(_CHECK in item.stash for item in session.items)
        if ours and not session.config.option.collectonly:
            problem = environment.broken()
            if problem:
                raise pytest.UsageError(problem)

    # ---- a check ----------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Judge a check as Gradescope does; tell pytest in its own words."""
        __tracebackhide__ = True
        if _CHECK not in pyfuncitem.stash:
            return (yield)
        error: BaseException | None = None
        with self._runner.fresh():
            try:
                yield
            except (KeyboardInterrupt, pytest.exit.Exception, pytest.skip.Exception):
                raise
            except BaseException as raised:
                error = raised
        judged = self._judge(pyfuncitem, error)
        pyfuncitem.stash[_JUDGED] = judged
        if judged.settled.verdict in _SKIPS:
            reason = _reason(pyfuncitem.stash[_CHECK], self._plan.titles, judged)
            raise pytest.skip.Exception(reason, _use_item_location=True) from error
        # Advice costs nothing, so it is no failure.
        if error is not None and pyfuncitem.stash[_CHECK].points is not None:
            raise error
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give the report of a check its headline, and what it has to say in place of our code."""
        report = yield
        if _CHECK not in item.stash or call.when != "call":
            return report
        check = item.stash[_CHECK]
        report.location = (*report.location[:2], f"{check.number} {check.title}")
        judged = item.stash.get(_JUDGED, None)
        if judged is None:  # Ctrl-C
            return report
        cause = _cause(judged.error)
        blocked_by, requires_any_of = required_by(item)
        data: dict[str, Any] = {
            "entry": {**asdict(judged.entry), "verdict": judged.entry.verdict.value},
            "blocked_by": blocked_by,
            "requires_any_of": [list(numbers) for numbers in requires_any_of],
            "snippet": ""
            if judged.conclusion.failure is None
            else judged.conclusion.failure.snippet,
            "of_file": judged.conclusion.of_file,
            "run_last": item.get_closest_marker("run_last") is not None,
            "frames": "",
            "cause": "" if cause is None else type(cause).__name__,
        }
        # What travels between processes must be plain.
        report.check = data  # type: ignore[attr-defined]
        if report.failed and judged.entry.verdict is not Verdict.GRADER_ERROR:
            frames = None if cause is None else self._frames(item, cause)
            data["frames"] = "" if frames is None else str(frames)
            report.longrepr = Feedback.of(data, check, frames)  # type: ignore[assignment]
            if cause is not None:  # where `--pdb` is to begin
                call.excinfo = pytest.ExceptionInfo.from_exception(cause)
        return report

    def _judge(self, item: pytest.Item, error: BaseException | None) -> _Judged:
        check = item.stash[_CHECK]
        concluded = error
        if isinstance(error, pytest.fail.Exception):  # pytest-timeout's
            concluded = WorkerLost(
                f"Your code did not return in time ({error.msg}).\n"
                "Look for a loop that never ends, or work that grows with the size of the input."
            )
        found = conclude(
            item,
            concluded,
            lambda trouble: error_number(check.check_id, *traceback.format_exception(trouble)),
            public=True,
            hints=self.settings.hints,
            failed_before=self._failures.get(check.check_id),
        )
        entry = Entry(
            check.check_id,
            found.verdict,
            found.share,
            found.feedback,
            found.mistake,
            hint=found.hint,
        )
        return _Judged(found, entry, self._requirements.settle(entry, *required_by(item)), error)

    def _frames(self, item: pytest.Item, cause: BaseException) -> Any:
        """Return the student's own frames of an exception as pytest shows them; None if none."""
        place_of = self._runner.code.place_of
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

    def _remembering(self, check_id: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Wrap a property so that the example that fails first is known while it is shrunk."""
        from functools import wraps

        def wrap(check: Callable[..., None]) -> Callable[..., None]:
            @wraps(check)
            def remembering(*arguments: Any, **named: Any) -> None:
                try:
                    check(*arguments, **named)
                except CheckFailed as failure:
                    self._failures[check_id] = failure
                    raise

            return remembering

        return wrap

    # ---- what a student reads ---------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a verdict, also one of another process; repeat no exception at length."""
        data = getattr(report, "check", None)
        if data is not None:
            self.summary.add(data)
            if report.failed and data["entry"]["verdict"] != Verdict.GRADER_ERROR.value:
                check = self._by_id[data["entry"]["check_id"]]
                earlier = self.summary.same_cause(data)
                if earlier or not isinstance(report.longrepr, Feedback):
                    report.longrepr = Feedback.of(  # type: ignore[assignment]
                        data, check, data["frames"] or None, earlier
                    )

    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """Count advice as advice: it neither passes nor fails."""
        data = getattr(report, "check", None)
        if data is not None and report.passed and data["entry"]["verdict"] == Verdict.FAILED.value:
            return "advice", "A", ("ADVICE", {"yellow": True})
        return None

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, exitstatus: int
    ) -> None:
        """Show points by part, and what to do next."""
        nothing = exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED
        self.summary.show(terminalreporter, self._warnings(), nothing_ran=nothing)

    def _warnings(self) -> list[str]:
        """What Gradescope's Python could not read in the student's files."""
        python = self.settings.python
        version = None if python is None else (3, int(python.partition(".")[2]))
        return [
            problem
            for name in self.settings.files
            if version is not None and name not in self._missing
            for problem in grammar.problems(grammar.read(self._folder / name), name, version)
        ]

    def _planned(self, item: pytest.Item) -> PlannedCheck | None:
        if not item.path.is_relative_to(self._checks):
            return None
        file = item.path.relative_to(self._checks).as_posix()
        return self._by_id.get(f"{file}::{item.name.partition('[')[0]}")


def _cause(error: BaseException | None) -> BaseException | None:
    """What the student's code raised, or pytest-timeout within it."""
    return error if isinstance(error, pytest.fail.Exception) else getattr(error, "__cause__", None)


def _reason(check: PlannedCheck, titles: Mapping[str, str], judged: _Judged) -> str:
    """Say why a check is skipped, in a sentence."""
    if judged.settled.verdict is Verdict.BLOCKED:
        return f"{check.number}: {judged.settled.feedback}"
    stub = getattr(judged.error, "__cause__", None)
    if stub is None:
        return f"{check.number}: {judged.entry.feedback.removeprefix('Not attempted: ')}"
    function = ""
    for frame in traceback.extract_tb(stub.__traceback__):
        function = frame.name
    named = re.search(rf"[\w.]*\b{re.escape(function)}\b", titles[check.part])
    return f"{check.part} {named[0] if named else function} is not implemented yet"
