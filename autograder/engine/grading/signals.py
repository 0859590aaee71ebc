"""SIGTERM and Ctrl-C end a grading or a class early, with the results so far."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Interrupted(BaseException):
    """SIGTERM or SIGINT arrived, from the platform or the terminal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Signals:
    """Turns the first SIGTERM or SIGINT into `Interrupted` (main thread only).

    Args:
        patient: ignore further signals, so that the final steps finish. Otherwise a second signal
            has its usual effect.
    """

    _NUMBERS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self, *, patient: bool = True) -> None:
        self._patient = patient
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            self._before = {n: signal.signal(n, self._interrupt) for n in self._NUMBERS}
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def ignore(self) -> None:
        """Ignore the signals from now on."""
        for number in self._before:
            signal.signal(number, signal.SIG_IGN)

    def _interrupt(self, number: int, _frame: FrameType | None) -> None:
        if self._patient:
            self.ignore()
        else:
            self._restore()
        raise Interrupted(number)
