"""Other processes, as tests see them: whether one has ended, and waiting for what happens soon."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

PATIENCE_S = 60.0


def is_gone(pid: int) -> bool:
    """Whether a process has ended (one that only waits to be reaped has)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that happens soon; fail when it does not."""
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up, f"{what} did not happen in {PATIENCE_S:g} s"
        time.sleep(0.01)
