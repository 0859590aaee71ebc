"""The judge's pytest plugin: gives checks their worker, writes their verdicts to the ledger."""

from __future__ import annotations

import contextlib
import functools
import math
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.engine.grading.ledger import (
    Entry,
    LedgerWriter,
    PlannedCheck,
    Verdict,
    error_number,
    read_ledger,
)
from autograder.engine.homework import Assignment
from autograder.engine.judge import hypothesis_profile
from autograder.engine.judge.background import Background
from autograder.engine.judge.caller import Caller, HangTracker
from autograder.engine.judge.calls import OutOfMemory
from autograder.engine.judge.client import Launcher
from autograder.engine.judge.compare import Meter, measuring
from autograder.engine.judge.control import ZygoteGone
from autograder.engine.judge.entries import conclude, figure_of, required_by
from autograder.engine.judge.exceptions import CheckFailed, Figure
from autograder.engine.judge.file_faults import FileFaults
from autograder.engine.judge.fixtures import JUDGE, MARKERS, Submitted
from autograder.engine.judge.job import Job
from autograder.engine.judge.order import sort_checks
from autograder.engine.judge.requirements import Requirements
from autograder.engine.judge.trusted_messages import TrustedMessages
from autograder.engine.submission.imports import missing_packages


class JudgePlugin:
    """One judge session."""

    def __init__(
        self,
        assignment: Assignment,
        plan: tuple[PlannedCheck, ...],
        launcher: Launcher,
        ledger: LedgerWriter,
        job: Job,
    ) -> None:
        self._assignment = assignment
        self._plan = {check.check_id: check for check in plan}
        self._launcher = launcher
        self._ledger = ledger
        self._job = job
        self._hangs = HangTracker()
        # The only packages that a worker may name as missing are those that the files import.
        missing = missing_packages(Path(job.submission), assignment.files)
        names = {*assignment.files, *(each.package for each in missing)}
        self._messages = TrustedMessages.of_homework(assignment.folder).knowing(names)
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
            self._hangs,
            self._assignment.call_timeout_s,
            self._job.missing,
            budget_s,
            self._messages,
        )

    def part_is_right(self, part: str) -> bool:
        """Whether all checks of a part that give points and have run so far passed."""
        return self._requirements.part_is_right(part)

    # ---- hooks ----------------------------------------------------------------------------

    def pytest_configure(self, config: pytest.Config) -> None:
        """Declare the markers of checks and load the hypothesis profile."""
        hypothesis_profile.set_up()
        config.stash[JUDGE] = self
        for marker in MARKERS:
            config.addinivalue_line("markers", marker)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put the checks in their order and seed each of them."""
        sort_checks(items, self._plan)
        for item in items:
            wrap = functools.partial(self._remembering, check_id=item.nodeid)
            hypothesis_profile.seed(item, item.nodeid, self._assignment.seed, wrap)

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
        found = conclude(
            item,
            error,
            functools.partial(self._complain, item.nodeid),
            public=public,
            hints=self._assignment.hints,
            failed_before=self._failures.get(item.nodeid),
        )
        excess = item.stash[_METER].worst if _METER in item.stash else None
        entry = Entry(
            item.nodeid,
            found.verdict,
            found.share,
            found.feedback,
            found.mistake,
            seconds=round(seconds, 3),
            excess=None if excess is None else min(excess, _HUGE),
            figure=figure_of(item),
            hint=found.hint,
        )
        entry = self._requirements.settle(entry, *required_by(item))
        if item.nodeid in self._plan:
            entry = self._faults.settle(self._plan[item.nodeid], entry, found.of_file)
        return entry

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
