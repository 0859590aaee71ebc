"""The judge's pytest plugin: gives checks their worker, writes their verdicts to the ledger."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import math
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import hypothesis
import pytest
from hypothesis.errors import Flaky

from autograder.engine.assignment import Assignment
from autograder.engine.imports import Missing, missing_packages
from autograder.engine.judge import draws
from autograder.engine.judge.background import Background
from autograder.engine.judge.client import Launcher, OutOfMemory
from autograder.engine.judge.compare import Meter, measuring
from autograder.engine.judge.control import ZygoteGone
from autograder.engine.judge.file_faults import FileFaults
from autograder.engine.judge.job import Job
from autograder.engine.judge.order import sort_checks
from autograder.engine.judge.requirements import Requirements
from autograder.engine.judge.sentences import Sentences
from autograder.engine.judge.session import Caller, Strikes
from autograder.engine.judge.verdicts import (
    Advice,
    CheckFailed,
    Concluded,
    Figure,
    NotAttempted,
    TooSlow,
    Unusable,
)
from autograder.engine.ledger import (
    Entry,
    PlannedCheck,
    Verdict,
    error_number,
    read_ledger,
)


@runtime_checkable
class Diagnoser(Protocol):
    """A fixture value that can name the mistake behind what a check saw."""

    def diagnose(self) -> tuple[str, str] | None:
        """Return (mistake id, hint), or None when nothing known gives these answers."""


@dataclass(frozen=True)
class Submitted:
    """The student's files as text, beside the template's."""

    submission: Path
    pristine: Path
    missing: tuple[str, ...]

    def text(self, name: str) -> str | None:
        """Return a file of the submission, "codebase/gan.py"; None when it is missing."""
        if name in self.missing:
            return None
        return (self.submission / name).read_text(encoding="utf-8", errors="replace")

    def missing_packages(self, name: str) -> tuple[Missing, ...]:
        """Return what a file imports that is not installed here."""
        return missing_packages(self.submission, (name,))

    def template(self, name: str) -> str:
        """Return the same file as it was handed out."""
        return (self.pristine / name).read_text(encoding="utf-8")


class EntrySink(Protocol):
    """What takes the verdicts: the ledger's file, or a student's terminal."""

    def write(self, entry: Entry) -> None:
        """Take one verdict."""


class JudgePlugin:
    """One judge session."""

    def __init__(
        self,
        assignment: Assignment,
        plan: tuple[PlannedCheck, ...],
        launcher: Launcher,
        ledger: EntrySink,
        job: Job,
    ) -> None:
        self._assignment = assignment
        self._plan = {check.check_id: check for check in plan}
        self._launcher = launcher
        self._ledger = ledger
        self._job = job
        self._strikes = Strikes()
        # The only packages that a worker may name as missing are those that the files import.
        missing = missing_packages(Path(job.submission), assignment.files)
        names = {*assignment.files, *(each.package for each in missing)}
        self._sentences = Sentences.of_homework(assignment.folder).knowing(names)
        # What an earlier judge of the same grading came to.
        known = read_ledger(Path(job.ledger), plan) if job.ledger else {}
        self._requirements = Requirements(
            self._plan,
            assignment.part_titles,
            (entry for entry in known.values() if entry.verdict is not Verdict.NOT_RUN),
        )
        self._faults = FileFaults()
        self._failures: dict[str, CheckFailed] = {}
        self._current: Caller | None = None
        self.background = Background(launcher.side_by_side)
        # Checks whose worker the kernel killed for memory: run again when nothing is beside them.
        self._again: list[pytest.Item] = []
        self._last_try = False

    @property
    def settings(self) -> Assignment:
        """The settings of the homework that is graded."""
        return self._assignment

    # ---- fixtures -------------------------------------------------------------------------

    @pytest.fixture
    def assignment(self) -> Assignment:
        """The settings, for checks that need a threshold from them."""
        return self._assignment

    @pytest.fixture
    def caller(self) -> Iterator[Caller]:
        """A fresh worker for one check, started at its first call."""
        caller = self.new_caller(budget_s=self._assignment.check_timeout_s)
        self._current = caller
        yield caller
        self._current = None
        caller.close()

    @pytest.fixture
    def figure(self) -> Figure:
        """Where a check puts the number that a leaderboard may show."""
        return Figure()

    @pytest.fixture
    def submitted(self) -> Submitted:
        """The text of the student's files, for advice; it is never parsed."""
        return Submitted(Path(self._job.submission), Path(self._job.pristine), self._job.missing)

    def new_caller(self, budget_s: float = math.inf) -> Caller:
        """Return a caller with a worker of its own; whoever asks must close it.

        Args:
            budget_s: for all its calls together; see `Caller`.
        """
        return Caller(
            self._launcher,
            self._strikes,
            self._assignment.call_timeout_s,
            self._job.missing,
            budget_s,
            self._sentences,
        )

    def part_is_right(self, part: str) -> bool:
        """Whether all checks of a part that give points and have run so far passed."""
        return self._requirements.part_is_right(part)

    # ---- hooks ----------------------------------------------------------------------------

    def pytest_configure(self, config: pytest.Config) -> None:
        """Declare the markers of checks and load the hypothesis profile."""
        draws.set_up()
        config.stash[JUDGE] = self
        config.addinivalue_line("markers", "run_last: after all other checks")
        config.addinivalue_line(
            "markers", "blocked_by(part): cannot pass while that part is wrong; says so"
        )
        config.addinivalue_line(
            "markers", "counts_with(*numbers): counts only if one of these checks passes too"
        )

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put the checks in their order and seed each of them."""
        sort_checks(items, self._plan)
        for item in items:
            if isinstance(item, pytest.Function) and hasattr(item.obj, "hypothesis"):
                text = f"{self._assignment.seed}:{item.nodeid}"
                digest = hashlib.sha256(text.encode()).digest()
                hypothesis.seed(int.from_bytes(digest[:8], "big"))(item.obj)
                inner = item.obj.hypothesis.inner_test
                item.obj.hypothesis.inner_test = self._remembering(inner, item.nodeid)

    def pytest_exception_interact(
        self, node: pytest.Item | pytest.Collector, call: pytest.CallInfo[Any]
    ) -> None:
        """Say in the staff's log why a file of checks cannot be imported."""
        if isinstance(node, pytest.Collector) and call.excinfo is not None:
            self._complain(node.nodeid, call.excinfo.value)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, None, None]:
        """Run again, one after the other, what did not get the memory that it needed."""
        yield
        self.background.stop()
        again, self._again, self._last_try = self._again, [], True
        for item in again:
            item._initrequest()  # type: ignore[attr-defined] # fresh fixtures
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, None, None]:
        """Note when a check began; start what there is room for beside it."""
        item.stash[_STARTED] = time.monotonic()
        self.background.fill()
        yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Measure how far off the check's comparisons are."""
        with measuring() as meter:
            item.stash[_METER] = meter
            yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, None, None]:
        """Write the check's line once it is known how it ended."""
        yield
        failed = call.excinfo is not None
        short = failed and isinstance(call.excinfo.value, OutOfMemory)  # type: ignore[union-attr]
        if short and not self._last_try:
            self._again.append(item)
        elif call.when == "call" or (failed and item.nodeid not in self._requirements):
            error = call.excinfo.value if call.excinfo is not None else None
            self._write(self._entry(item, error))
        elif failed:
            self._complain(item.nodeid, call.excinfo.value if call.excinfo else None)

    def _remembering(self, check: Callable[..., None], check_id: str) -> Callable[..., None]:
        """Wrap a property so that the example that fails first is known while it is shrunk."""

        @functools.wraps(check)
        def remembering(*arguments: Any, **named: Any) -> None:
            try:
                check(*arguments, **named)
            except CheckFailed as failure:
                self._failures[check_id] = failure
                if self._current is not None:
                    self._current.note_failure()
                raise

        return remembering

    # ---- from exception to entry ------------------------------------------------------------

    def _entry(self, item: pytest.Item, error: BaseException | None) -> Entry:
        seconds = time.monotonic() - item.stash[_STARTED]
        public = item.nodeid.startswith("public/")
        verdict, share, feedback, mistake, hint = Verdict.FAILED, 0.0, "", None, ""
        if isinstance(error, Flaky):
            error = _first_failure(error) or error
        if isinstance(error, TooSlow):  # what was found before the time was up counts
            error = self._failures.get(item.nodeid, error)
        if error is None:
            verdict, share = Verdict.PASSED, 1.0
        elif isinstance(error, Advice):
            feedback = error.feedback
        elif isinstance(error, NotAttempted):
            verdict, feedback = Verdict.NOT_ATTEMPTED, error.feedback
        elif isinstance(error, Concluded):
            feedback = error.feedback
        elif isinstance(error, CheckFailed):
            error = self._diagnosed(item, error)
            # The name of a mistake goes to the staff also where students are given no hints.
            to_try = "" if isinstance(error, Unusable) else _what_to_try(item)
            error.hint = (error.hint or to_try) if self._assignment.hints else ""
            share, feedback, mistake = error.share, error.feedback(public=public), error.mistake
            hint = error.hint
        else:
            verdict = Verdict.GRADER_ERROR
            number = self._complain(item.nodeid, error)
            what = (
                "The machine ran out of memory during this check"
                if isinstance(error, OutOfMemory)
                else "This check could not be run"
            )
            feedback = (
                f"{what}. That is the grader's fault, not yours. "
                f"Error number for the course staff: {number}."
            )
        excess = item.stash[_METER].worst if _METER in item.stash else None
        entry = Entry(
            item.nodeid,
            verdict,
            share,
            feedback,
            mistake,
            seconds=round(seconds, 3),
            excess=None if excess is None else min(excess, _HUGE),
            figure=_figure(item),
            hint=hint,
        )
        blocker = item.get_closest_marker("blocked_by")
        entry = self._requirements.settle(
            entry,
            str(blocker.args[0]) if blocker is not None else None,
            [tuple(map(str, marker.args)) for marker in item.iter_markers("counts_with")],
        )
        if entry.verdict is Verdict.FAILED and item.nodeid in self._plan:
            of_file = getattr(error, "of_file", "")
            told, same_as = self._faults.told_once(self._plan[item.nodeid], entry.feedback, of_file)
            entry = replace(entry, feedback=told, same_as=same_as)
        return entry

    def _diagnosed(self, item: pytest.Item, error: CheckFailed) -> CheckFailed:
        """Add the hint, where the answers seen are those of a known mistake."""
        if error.hint:
            return error
        funcargs: Mapping[str, object] = getattr(item, "funcargs", {})
        for value in funcargs.values():
            try:
                named = value.diagnose() if isinstance(value, Diagnoser) else None
            except Exception as trouble:  # it works on numbers of the student's making
                self._complain(item.nodeid, trouble)
                continue
            if named is not None:
                error.mistake, error.hint = named
        return error

    # ---- output ---------------------------------------------------------------------------

    def _write(self, entry: Entry) -> None:
        if entry.check_id in self._plan:
            self._ledger.write(entry)

    def _complain(self, check_id: str, error: BaseException | None) -> str:
        """Put a traceback into the staff's log; return the number it can be found by."""
        lines = traceback.format_exception(error) if error is not None else []
        number = error_number(check_id, *lines)
        log = Path(self._job.log)
        with (
            contextlib.suppress(OSError),  # a full disk must not end the session
            log.open("a", encoding="utf-8", errors="backslashreplace") as sink,
        ):
            sink.write(f"--- error {number}: {check_id}\n")
            sink.writelines(lines)
        if isinstance(error, ZygoteGone):
            pytest.exit("the zygote is gone", returncode=3)
        return number


# In place of an infinite excess, which JSON cannot say.
_HUGE = 1e300
_METER: pytest.StashKey[Meter] = pytest.StashKey()
_STARTED: pytest.StashKey[float] = pytest.StashKey()
# Where a homework's conftest finds the session's judge.
JUDGE: pytest.StashKey[JudgePlugin] = pytest.StashKey()


def _figure(item: pytest.Item) -> float | None:
    funcargs: Mapping[str, object] = getattr(item, "funcargs", {})
    figure = funcargs.get("figure")
    if isinstance(figure, Figure) and figure.value is not None and math.isfinite(figure.value):
        return float(figure.value)
    return None


def _what_to_try(item: pytest.Item) -> str:
    """The rest of the check's docstring: where to look when no mistake could be named."""
    text = inspect.getdoc(getattr(item, "obj", None)) or ""
    return " ".join(text.partition("\n")[2].split())


def _first_failure(error: BaseException) -> BaseException | None:
    """Find the check's own failure inside hypothesis's complaint that it does not always fail."""
    for inner in getattr(error, "exceptions", ()):
        if isinstance(inner, (CheckFailed, Concluded)):
            return inner
        deeper = _first_failure(inner)
        if deeper is not None:
            return deeper
    for linked in (error.__cause__, error.__context__):
        if isinstance(linked, (CheckFailed, Concluded)):
            return linked
    return None
