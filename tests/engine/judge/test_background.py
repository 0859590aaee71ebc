"""Runs beside the checks: in their order, and as many at once as there is room for."""

from __future__ import annotations

import pytest

from autograder.engine.judge.background import Background


class Run:
    """A run that the test ends."""

    def __init__(self) -> None:
        self.starts = 0
        self.is_at_work = False

    def start(self) -> None:
        """Start."""
        self.starts += 1
        self.is_at_work = True


@pytest.mark.parametrize("room", [0, 1, 2, 5])
def test_no_more_runs_start_than_there_is_room_for(room: int) -> None:
    """They start in the order in which they were added."""
    background, runs = Background(room), [Run() for _ in range(3)]
    for run in runs:
        background.add(run)
    for _ in range(2):
        background.fill()
    assert [run.starts for run in runs] == [int(i < room) for i in range(3)]


def test_the_next_one_starts_when_one_has_ended() -> None:
    """It need not be the first one."""
    background, runs = Background(2), [Run() for _ in range(3)]
    for run in runs:
        background.add(run)
    background.fill()
    runs[1].is_at_work = False
    background.fill()
    assert [run.starts for run in runs] == [1, 1, 1]


def test_after_stop_nothing_starts() -> None:
    """Checks that run again have the memory for themselves."""
    background, run = Background(1), Run()
    background.add(run)
    background.stop()
    background.fill()
    assert run.starts == 0
