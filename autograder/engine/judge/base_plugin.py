"""The part that both pytest plugins share: order and seeds of the checks, fixtures, conclusions.

`judge.plugin` grades in a process of its own, with a worker for every check; `local.plugin` runs
the public checks in a student's own pytest.
"""

from __future__ import annotations

import functools
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autograder.engine.grading.ledger import Entry, PlannedCheck, error_number
from autograder.engine.homework import Homework
from autograder.engine.judge.background import Background
from autograder.engine.judge.calls import Caller
from autograder.engine.judge.conclusions import Conclusion, conclude
from autograder.engine.judge.diagnosis import Diagnosis
from autograder.engine.judge.exceptions import CheckFailed, Figure
from autograder.engine.judge.requirements import Requirements, required_by, sort_checks
from autograder.engine.judge.student import Student
from autograder.engine.submission.imports import Missing, missing_packages

_MARKERS = (
    "run_last: after all other checks",
    "blocked_by(part): cannot pass while that part is incorrect; says so",
    "explained_by(*numbers): fails, too, when one of these checks does; says so",
    "requires_any_of(*numbers): earns its points only if one of these checks passes too",
)


@dataclass(frozen=True)
class Submitted:
    """The student's files as text, with the template's."""

    submission: Path
    pristine: Path
    missing: tuple[str, ...]

    def text(self, name: str) -> str | None:
        """Return a file of the submission, "code/model.py"; None when it is missing."""
        if name in self.missing:
            return None
        return (self.submission / name).read_text(encoding="utf-8", errors="replace")

    def content(self, name: str) -> bytes:
        """Return the bytes of a file that is not missing."""
        return (self.submission / name).read_bytes()

    def missing_packages(self, name: str) -> tuple[Missing, ...]:
        """Return the imports of a file that are not installed here."""
        return missing_packages(self.submission, (name,))

    def template(self, name: str) -> str:
        """Return the same file as it was handed out."""
        return (self.pristine / name).read_text(encoding="utf-8")


class BasePlugin(ABC):
    """Prepares and concludes the checks of one homework.

    `room` is that of `Background`; an earlier judge of the same grading has `settled` some checks.
    """

    def __init__(
        self,
        settings: Homework,
        plan: Iterable[PlannedCheck],
        titles: Mapping[str, str],
        submitted: Submitted,
        *,
        room: int = 0,
        settled: Iterable[Entry] = (),
    ) -> None:
        self.settings = settings
        self.background = Background(room)
        self._plan = {check.check_id: check for check in plan}
        self._submitted = submitted
        self._requirements = Requirements(self._plan, titles, settled)
        self._failures: dict[str, CheckFailed] = {}

    @abstractmethod
    def new_caller(self) -> Caller:
        """Return a caller of its own for the student's code; close it after use."""

    @abstractmethod
    def id_of(self, item: pytest.Item) -> str:
        """Return a check's name in the ledger."""

    def part_is_right(self, part: str) -> bool:
        """Whether all checks of a part that give points and have run so far passed."""
        return self._requirements.part_is_right(part)

    # ---- fixtures -------------------------------------------------------------------------

    @pytest.fixture
    def homework(self) -> Homework:
        """The settings, for checks that need a threshold from them."""
        return self.settings

    @pytest.fixture
    def student(self, caller: Caller, homework: Homework) -> Student:
        """The submission; each check calls it in a worker of its own."""
        return Student(caller, homework)

    @pytest.fixture
    def diagnosis(self) -> Diagnosis:
        """Names the mistake behind a failed check, of those in the homework's `mistakes`."""
        return Diagnosis(lambda: self.settings.value("mistakes", "WRONG") or ())

    @pytest.fixture
    def figure(self) -> Figure:
        """Where a check puts the number that a leaderboard may show."""
        return Figure()

    @pytest.fixture
    def submitted(self) -> Submitted:
        """The text of the student's files, for advice; it is never parsed."""
        return self._submitted

    # ---- before the checks ------------------------------------------------------------------

    def pytest_configure(self, config: pytest.Config) -> None:
        """Declare the markers of checks; let a homework's conftest find this plugin."""
        config.stash[JUDGE] = self
        for marker in _MARKERS:
            config.addinivalue_line("markers", marker)

    def prepare(self, items: list[pytest.Item]) -> None:
        """Put the checks in their order and seed those that draw cases."""
        sort_checks(items, self._plan, self.id_of)
        for item in items:
            check: Any = getattr(item, "obj", None)
            check_id = self.id_of(item)
            wrap = functools.partial(self._remember_failure, check_id)
            if hasattr(check, "runs"):
                check.runs.prepare(self.settings.seed, check_id, wrap)
            if hasattr(check, "hypothesis"):
                # Imported here: a student's machine may lack hypothesis.
                from autograder.engine.judge import hypothesis_profile

                hypothesis_profile.seed(item, check_id, self.settings.seed, wrap)

    def _remember_failure(self, check_id: str, check: Callable[..., None]) -> Callable[..., None]:
        """Wrap a property to keep its failure while hypothesis looks for a smaller case."""

        @functools.wraps(check)
        def remembering(*arguments: Any, **named: Any) -> None:
            try:
                check(*arguments, **named)
            except CheckFailed as failure:
                self.note_failure(check_id, failure)
                raise

        return remembering

    def note_failure(self, check_id: str, failure: CheckFailed) -> None:
        """Keep the failure of a check that runs now: it counts even if the time runs out."""
        self._failures[check_id] = failure

    # ---- after a check ----------------------------------------------------------------------

    def conclude(self, item: pytest.Item, error: BaseException | None) -> Conclusion:
        """Return the conclusion of a check from the exception that it raised, if any."""
        check_id = self.id_of(item)
        return conclude(
            item,
            check_id,
            error,
            functools.partial(self.log_error, check_id),
            public=check_id.startswith("public/"),
            hints=self.settings.hints,
            failed_before=self._failures.get(check_id),
        )

    def settle(self, item: pytest.Item, entry: Entry) -> Entry:
        """Return the entry of a check with its requirements of other checks applied."""
        return self._requirements.settle(entry, *required_by(item))

    def log_error(self, check_id: str, error: BaseException | None) -> str:
        """Return the number by which the staff find an error of the autograder's own."""
        return error_number(check_id, *error_lines(error))


def error_lines(error: BaseException | None) -> list[str]:
    """Return the traceback of an error."""
    return traceback.format_exception(error) if error is not None else []


# Where a homework's conftest finds the plugin that runs the checks.
JUDGE: pytest.StashKey[BasePlugin] = pytest.StashKey()
