"""Advice on devices: one run on the meta device serves all parts of the homework."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from autograder.engine.judge.calls import Caller, PendingCall
from autograder.engine.judge.exceptions import Advice, CheckFailed, CheckStopped, NotAttempted
from autograder.homework.student import Student


class DeviceAdvice:
    """One run of all functions on the meta device; a `BackgroundRun`.

    Args:
        caller: with a worker of its own.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._student = Student(caller, 0)
        self._pending: PendingCall | None = None

    def start(self) -> None:
        """Start the run, unless it was started before."""
        self._pending = self._pending or self._student.start_device_use()

    @property
    def is_at_work(self) -> bool:
        """Whether the run goes on."""
        return self._pending is not None and self._pending.is_at_work

    @cached_property
    def _outcome(self) -> dict[str, str] | BaseException:
        """How every function went, or what ended the run; the same for all who ask."""
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
        """Say which of the functions make a tensor on another device than their inputs'.

        Raises:
            Advice: some do.
            NotAttempted: all of them are still stubs.
            CheckFailed, CheckStopped: the run ended otherwise.
        """
        use = self._outcome
        if isinstance(use, BaseException):
            raise use
        if all(use.get(name) == "missing" for name in functions):
            raise NotAttempted("Not attempted: nothing to advise on.")
        wrong = [name for name in functions if use.get(name) == "mixed"]
        if wrong:
            raise Advice(
                f"On a GPU this would fail: {' and '.join(wrong)} combine{'s' * (len(wrong) == 1)} "
                f"inputs with a tensor made on the CPU. {cure} No points are lost for this."
            )
