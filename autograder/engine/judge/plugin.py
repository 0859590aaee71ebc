"""The judge's pytest plugin: gives every check a worker, writes its verdict to the ledger."""

from __future__ import annotations

import contextlib
import math
import re
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from autograder.engine.grading.ledger import (
    Entry,
    LedgerWriter,
    PlannedCheck,
    Verdict,
    read_ledger,
)
from autograder.engine.homework import Homework
from autograder.engine.judge.base_plugin import BasePlugin, Submitted, error_lines
from autograder.engine.judge.caller import Caller, HangTracker
from autograder.engine.judge.calls import OutOfMemory
from autograder.engine.judge.compare import Meter, measuring
from autograder.engine.judge.conclusions import FileFaults, figure_of
from autograder.engine.judge.control import ZygoteGone
from autograder.engine.judge.exceptions import CheckFailed
from autograder.engine.judge.job import Job
from autograder.engine.judge.launcher import Launcher
from autograder.engine.judge.trusted_messages import TrustedMessages


class JudgePlugin(BasePlugin):
    """Grades one submission."""

    def __init__(
        self,
        homework: Homework,
        plan: tuple[PlannedCheck, ...],
        launcher: Launcher,
        ledger: LedgerWriter,
        job: Job,
    ) -> None:
        submission = Path(job.submission)
        earlier = read_ledger(Path(job.ledger), plan) if job.ledger else {}
        super().__init__(
            homework,
            plan,
            homework.part_titles,
            Submitted(submission, Path(job.pristine), job.missing),
            room=launcher.side_by_side,
            settled=(e for e in earlier.values() if e.verdict is not Verdict.NOT_RUN),
        )
        self._launcher = launcher
        self._ledger = ledger
        self._log = Path(job.log)
        self._hangs = HangTracker()
        self._faults = FileFaults()
        self._current: Caller | None = None
        # Checks whose worker the kernel killed for memory: they run again, alone, at the end.
        self._again: list[pytest.Item] = []
        self._last_try = False

    def id_of(self, item: pytest.Item) -> str:
        return item.nodeid

    def new_caller(self, budget_s: float = math.inf, part: str = "") -> Caller:
        return Caller(
            self._launcher,
            self._hangs,
            self.settings.call_timeout_s,
            self._submitted.missing,
            budget_s,
            lambda: self._messages,
            part,
        )

    @cached_property
    def _messages(self) -> TrustedMessages:
        """The messages that a worker may send; collecting them takes longer than many checks."""
        settings, submission = self.settings, self._submitted.submission
        return TrustedMessages.of_submission(settings.folder, submission, settings.files)

    def note_failure(self, check_id: str, failure: CheckFailed) -> None:
        super().note_failure(check_id, failure)
        if self._current is not None:
            self._current.note_failure()

    @pytest.fixture
    def caller(self, request: pytest.FixtureRequest) -> Iterator[Caller]:
        """A fresh worker for one check, started at its first call."""
        check = self._plan.get(request.node.nodeid)
        caller = self.new_caller(self.settings.check_timeout_s, check.part if check else "")
        self._current = caller
        yield caller
        self._current = None
        caller.close(hand_on=True)

    # ---- hooks ----------------------------------------------------------------------------

    def pytest_configure(self, config: pytest.Config) -> None:
        """Load the hypothesis profile, too, if a check may use it."""
        super().pytest_configure(config)
        if any(map(_IMPORTS_HYPOTHESIS.search, _texts(self.settings.folder))):
            # Imported here: it takes longer than several checks.
            from autograder.engine.judge import hypothesis_profile

            hypothesis_profile.set_up()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put the checks in their order and seed each of them."""
        self.prepare(items)

    def pytest_exception_interact(
        self, node: pytest.Item | pytest.Collector, call: pytest.CallInfo[Any]
    ) -> None:
        """Log why a file of checks cannot be imported."""
        if isinstance(node, pytest.Collector) and call.excinfo is not None:
            self.log_error(node.nodeid, call.excinfo.value)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, None, None]:
        """Run again, one after the other, the checks that lacked memory."""
        yield
        self.background.stop()
        again, self._again, self._last_try = self._again, [], True
        for item in again:
            item._initrequest()  # type: ignore[attr-defined] # fresh fixtures
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, None, None]:
        """Note when a check began; start the background runs that there is room for."""
        item.stash[_STARTED] = time.monotonic()
        self.background.fill()
        yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Measure the errors in the check's comparisons."""
        with measuring() as meter:
            item.stash[_METER] = meter
            yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, None, None]:
        """Write the check's line to the ledger once it has ended."""
        yield
        error = None if call.excinfo is None else call.excinfo.value
        if isinstance(error, OutOfMemory) and not self._last_try:
            self._again.append(item)
        elif call.when == "call" or (error is not None and item.nodeid not in self._requirements):
            self._write(item, error)
        elif error is not None:
            self.log_error(item.nodeid, error)

    # ---- output ---------------------------------------------------------------------------

    def _write(self, item: pytest.Item, error: BaseException | None) -> None:
        seconds = time.monotonic() - item.stash[_STARTED]
        conclusion = self.conclude(item, error)
        check = self._plan.get(item.nodeid)
        if check is None:
            return
        excess = item.stash[_METER].worst if _METER in item.stash else None
        entry: Entry = replace(
            conclusion.entry,
            seconds=round(seconds, 3),
            excess=None if excess is None else min(excess, _HUGE),
            figure=figure_of(item),
        )
        entry = self.settle(item, entry)
        self._ledger.write(self._faults.settle(check, entry, conclusion.of_file, conclusion.hung))

    def log_error(self, check_id: str, error: BaseException | None) -> str:
        """Write a traceback into the staff's log; return the number that finds it there."""
        number = super().log_error(check_id, error)
        with (
            contextlib.suppress(OSError),  # a full disk must not end the grading
            self._log.open("a", encoding="utf-8", errors="backslashreplace") as log,
        ):
            log.write(f"--- error {number}: {check_id}\n")
            log.writelines(error_lines(error))
        if isinstance(error, ZygoteGone):
            pytest.exit("the zygote is gone", returncode=3)
        return number


def _texts(folder: Path) -> Iterator[str]:
    """Yield the text of every module of a homework."""
    for path in folder.rglob("*.py"):
        yield path.read_text(encoding="utf-8", errors="replace")


_IMPORTS_HYPOTHESIS = re.compile(r"^\s*(import|from) hypothesis\b", re.MULTILINE)
# In place of an infinite excess, which JSON cannot express.
_HUGE = 1e300
_METER: pytest.StashKey[Meter] = pytest.StashKey()
_STARTED: pytest.StashKey[float] = pytest.StashKey()
