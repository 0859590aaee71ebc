"""The time of a call: processor time and time slept, not the time of a clock on the wall."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from autograder.engine.judge import clock
from autograder.engine.judge.clock import WorkerClock
from tests.processes import wait_until


@pytest.fixture
def start() -> Iterator[Callable[[str], int]]:
    """Start a process that runs a line of Python; it is killed in the end."""
    started: list[subprocess.Popen[bytes]] = []

    def run(code: str) -> int:
        started.append(subprocess.Popen([sys.executable, "-S", "-c", code]))
        return started[-1].pid

    yield run
    for process in started:
        process.kill()
        process.wait()


def test_a_process_that_computes_uses_its_limit(start: Callable[[str], int]) -> None:
    """On a busy machine, only its own processor time counts."""
    watched = WorkerClock(start("while True: pass"))
    while not watched.is_over(0.2):
        time.sleep(clock.TICK_S)
        watched.look()
    assert watched.computed_s >= 0.2 - watched.slept_s


def test_a_process_that_waits_for_a_processor_uses_nothing(
    start: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its state is R, so waiting on a busy machine does not count."""
    pid = start("import time; time.sleep(60)")
    monkeypatch.setattr(clock, "sleeps", lambda _: False)
    times = iter([0.0, 100.0, 200.0])  # by the clock on the wall
    watched = WorkerClock(pid, now=lambda: next(times))
    for _ in range(2):
        watched.look()
    assert watched.slept_s == 0
    assert not watched.is_over(10.0)


def test_time_slept_counts(start: Callable[[str], int]) -> None:
    """A call that waits for a lock or for input ends, too."""
    pid = start("import time; time.sleep(600)")
    wait_until(lambda: clock.sleeps(pid) is True, "its sleep")
    watched = WorkerClock(pid)
    while not watched.is_over(0.2):
        time.sleep(clock.TICK_S)
        watched.look()
    assert watched.slept_s > watched.used_s / 2


def test_a_stopped_process_sleeps(start: Callable[[str], int]) -> None:
    """SIGSTOP does not stop the clock."""
    pid = start("while True: pass")
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: clock.sleeps(pid) is True, "its stop")


def test_a_slow_machine_makes_limits_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """If importing torch took twice the time, a call may take twice the time."""
    seconds = iter([10.0, 16.0, 16.0])
    monkeypatch.setattr(clock, "processor_time_s", lambda _: next(seconds))
    monkeypatch.setattr(clock, "sleeps", lambda _: False)
    watched = WorkerClock(0, speed=2.0)
    watched.look()
    assert watched.used_s == 3.0


def test_time_before_the_wait_does_not_count_as_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """A background run whose result is read late has not slept until then."""
    monkeypatch.setattr(clock, "processor_time_s", lambda _: 0.0)
    monkeypatch.setattr(clock, "sleeps", lambda _: True)
    times = iter([0.0, 50.0, 51.0])
    watched = WorkerClock(0, now=lambda: next(times))
    watched.skip()
    watched.look()
    assert watched.slept_s == 1.0


def test_a_long_limit_does_not_apply_to_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training run may compute for minutes, but not sleep for minutes."""
    monkeypatch.setattr(clock, "processor_time_s", lambda _: 0.0)
    monkeypatch.setattr(clock, "sleeps", lambda _: True)
    times = iter([0.0, 9.0, 11.0])
    watched = WorkerClock(0, now=lambda: next(times))
    watched.look()
    assert not watched.is_over(150.0)
    watched.look()
    assert watched.is_over(150.0)


def test_without_process_times_the_wall_clock_limits_a_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without /proc, the limit is generous."""
    monkeypatch.setattr(clock, "processor_time_s", lambda _: None)
    monkeypatch.setattr(clock, "sleeps", lambda _: None)
    times = iter([0.0, 11.0, 11.0, 13.0, 13.0])
    watched = WorkerClock(0, now=lambda: next(times))
    watched.look()
    assert not watched.is_over(1.0)
    watched.look()
    assert watched.is_over(1.0)


def test_a_process_that_is_gone_has_no_time() -> None:
    """It has no state either; neither raises."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    assert clock.processor_time_s(process.pid) is None
    assert clock.sleeps(process.pid) is None


def test_a_sleep_of_milliseconds_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most calls end within them; looking at the process would take longer."""
    monkeypatch.setattr(clock, "processor_time_s", lambda _: 0.0)
    monkeypatch.setattr(clock, "sleeps", lambda _: True)
    times = iter([0.0, 0.005, 0.105])
    watched = WorkerClock(0, now=lambda: next(times))
    watched.look()
    assert watched.slept_s == 0.0
    watched.look()
    assert watched.slept_s == pytest.approx(0.1)
