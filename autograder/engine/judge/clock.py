"""The time that a worker has used: processor time, not wall time.

On a busy or slow machine, or in a container with half a processor, a correct solution takes long by
the wall clock. So a call is limited by its worker's processor time, divided by how much slower this
machine is than the one that the limits were set on. Time that the worker sleeps counts, too.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

# How often a worker that does not answer is looked at.
TICK_S = 0.02
# A shorter sleep is not looked for: that would take longer than many calls.
_LEAST_SLEEP_S = TICK_S / 2
# No call needs to sleep; one that sleeps longer has hung.
_MOST_SLEEP_S = 10.0
# The limit in wall time, as a multiple, where the system does not show whether a process sleeps.
_WALL_FACTOR = 12.0
# Running, or waiting for a disk: both are waiting for the machine.
_AT_WORK = b"RD"


def processor_time_s(pid: int) -> float | None:
    """Return the processor time of a process in seconds, all its threads together.

    None if the process is gone, or if this is no POSIX system.
    """
    try:
        # As clock_getcpuclockid(3) returns on Linux; it needs neither /proc nor any permission.
        return time.clock_gettime((~pid << 3) | 2)
    except (OSError, AttributeError, OverflowError):
        return None


def sleeps(pid: int) -> bool | None:
    """Whether a process waits for anything but processor or disk; None without /proc."""
    with contextlib.suppress(OSError, IndexError), open(f"/proc/{pid}/stat", "rb") as file:
        # The name in brackets may contain anything, brackets too.
        return file.read().rpartition(b")")[2].split()[0] not in _AT_WORK
    return None


@dataclass
class WorkerClock:
    """The time that one call of a worker has used, in seconds of the machine of the limits.

    Args:
        pid: the worker's process.
        speed: how many times slower this machine is; at least 1.
        now: returns wall time in seconds.
    """

    pid: int
    speed: float = 1.0
    now: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._first = processor_time_s(self.pid)
        self._last = self._first
        self._looked = self._started = self.now()
        self._blind = self._first is None
        self.slept_s = 0.0

    @property
    def computed_s(self) -> float:
        """Processor time, as the machine of the limits would have needed it."""
        if self._first is None or self._last is None:
            return 0.0
        return (self._last - self._first) / self.speed

    @property
    def used_s(self) -> float:
        """The time that counts against a limit: computed and slept."""
        return self.computed_s + self.slept_s

    def look(self) -> None:
        """Update the figures; call this every `TICK_S` while waiting for the call."""
        now = self.now()
        last = processor_time_s(self.pid)
        if last is not None:
            self._last = last
        if now - self._looked >= _LEAST_SLEEP_S:  # most calls are over before
            asleep = sleeps(self.pid)
            if asleep:
                self.slept_s += now - self._looked
            self._blind = self._first is None or asleep is None
        self._looked = now

    def skip(self) -> None:
        """Ignore the wall time since the last look: nobody waited for the call."""
        self._looked = self.now()

    def is_over(self, limit_s: float) -> bool:
        """Whether a limit in seconds is used up."""
        if self._blind and self.now() - self._started >= _WALL_FACTOR * limit_s:
            return True
        return self.used_s >= limit_s or self.slept_s >= _MOST_SLEEP_S
