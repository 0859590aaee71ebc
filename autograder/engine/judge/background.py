"""Background runs: as many at once as the container has room for."""

from __future__ import annotations

from typing import Protocol


class BackgroundRun(Protocol):
    """A long call of the student's code, judged by a later check."""

    @property
    def is_at_work(self) -> bool:
        """Whether its worker was started and has neither answered nor ended."""

    def start(self) -> None:
        """Start it, unless it was started before. Never raises a check's conclusion."""


class Background:
    """The runs of one grading, started in the order in which they were added.

    Args:
        room: how many may be at work at once. A run that waits is started by its own check.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._waiting: list[BackgroundRun] = []
        self._started: list[BackgroundRun] = []

    def add(self, run: BackgroundRun) -> None:
        """Add a run; `fill` starts it."""
        self._waiting.append(run)

    def fill(self) -> None:
        """Start the runs that there is room for."""
        self._started = [run for run in self._started if run.is_at_work]
        while self._waiting and len(self._started) < self._room:
            run = self._waiting.pop(0)
            run.start()
            self._started.append(run)

    def stop(self) -> None:
        """Start no more."""
        self._waiting.clear()
