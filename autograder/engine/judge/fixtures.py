"""What checks and a homework's conftest are given, by Gradescope's judge or a student's pytest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import pytest

from autograder.engine.homework import Assignment
from autograder.engine.judge.background import Background
from autograder.engine.judge.calls import Caller
from autograder.engine.submission.imports import Missing, missing_packages


class Judge(Protocol):
    """Who runs the checks."""

    @property
    def settings(self) -> Assignment:
        """The settings of the homework that is graded."""

    @property
    def background(self) -> Background:
        """What runs beside the checks."""

    def new_caller(self) -> Caller:
        """Return a caller with a worker of its own; whoever asks must close it."""

    def part_is_right(self, part: str) -> bool:
        """Whether all checks of a part that give points and have run so far passed."""


# The markers of checks, as pytest is told of them.
MARKERS = (
    "run_last: after all other checks",
    "blocked_by(part): cannot pass while that part is wrong; says so",
    "requires_any_of(*numbers): counts only if one of these checks passes too",
)
# Where a homework's conftest finds the session's judge.
JUDGE: pytest.StashKey[Judge] = pytest.StashKey()


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
