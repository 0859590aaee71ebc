"""Advice on devices, from one run of all functions on the meta device."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from autograder.engine.judge.calls import Caller, PendingCall
from autograder.engine.judge.exceptions import Advice, CheckFailed, CheckStopped, NotAttempted
from autograder.homework.student import Student


class DeviceAdvice:
    """One run of all functions on the meta device; a `BackgroundRun`.

    Args:
        caller: of a separate worker.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._student = Student(caller, 0)
        self._pending: PendingCall | None = None

    def start(self) -> None:
        """Start the run if it was not started before."""
        self._pending = self._pending or self._student.start_device_use()

    @property
    def is_at_work(self) -> bool:
        """Whether the run has not ended."""
        return self._pending is not None and self._pending.is_at_work

    @cached_property
    def _outcome(self) -> dict[str, str] | BaseException:
        """The outcome of every function, or what ended the run."""
        self.start()
        assert self._pending is not None
        pending, self._pending = self._pending, None
        try:
            return self._student.finish_device_use(pending)
        except (CheckFailed, CheckStopped) as conclusion:
            return conclusion
        finally:
            self._caller.close()

    def advise(self, functions: Sequence[str], cure: str) -> None:
        """Report the functions that make a tensor on another device than that of their inputs.

        Raises:
            Advice: there are some.
            NotAttempted: all of them are still stubs.
            CheckFailed, CheckStopped: the run ended otherwise.
        """
        outcome = self._outcome
        if isinstance(outcome, BaseException):
            raise outcome
        if all(outcome.get(name) == "missing" for name in functions):
            raise NotAttempted("Not attempted: nothing to advise on.")
        mixed = [name for name in functions if outcome.get(name) == "mixed"]
        if mixed:
            raise Advice(
                f"On a GPU this would fail: {' and '.join(mixed)} combine{'s' * (len(mixed) == 1)} "
                f"inputs with a tensor made on the CPU. {cure} No points are lost for this."
            )
