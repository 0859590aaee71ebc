"""Runs beside the checks: as many at once as the container has room for."""

from __future__ import annotations

from typing import Protocol


class BackgroundRun(Protocol):
    """A call of the student's code that takes long and is judged later."""

    @property
    def is_at_work(self) -> bool:
        """Whether it was started and its worker has neither answered nor ended."""

    def start(self) -> None:
        """Start it, unless it was started before. Never raises what a check would conclude."""


class Background:
    """The runs of one grading, started in the order in which they were added.

    Args:
        room: how many may be at work at once. A run that has not been started when its check
            comes is started then.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._waiting: list[BackgroundRun] = []
        self._started: list[BackgroundRun] = []

    def add(self, run: BackgroundRun) -> None:
        """Add a run; `fill` starts it."""
        self._waiting.append(run)

    def fill(self) -> None:
        """Start what there is room for."""
        self._started = [run for run in self._started if run.is_at_work]
        while self._waiting and len(self._started) < self._room:
            run = self._waiting.pop(0)
            run.start()
            self._started.append(run)

    def stop(self) -> None:
        """Start no more."""
        self._waiting.clear()
