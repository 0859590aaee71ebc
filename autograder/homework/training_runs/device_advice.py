"""Advice on devices, from one run of several functions on a simulated GPU."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from autograder.engine.judge.calls import Caller, PendingCall
from autograder.engine.judge.exceptions import (
    Advice,
    CheckFailed,
    CheckStopped,
    NotAttempted,
    advising,
    no_advice,
)
from autograder.homework.student import Student
from autograder.homework.training_runs.run import Run


class DeviceAdvice(Run):
    """One run of these functions on a simulated GPU."""

    def __init__(self, caller: Caller, functions: Sequence[str]) -> None:
        super().__init__(caller)
        self._student = Student(caller, 0)
        self._functions = tuple(functions)

    def _begin(self) -> PendingCall:
        return self._student.start_device_use(self._functions)

    @cached_property
    def _outcome(self) -> dict[str, str] | BaseException:
        """The outcome of every function, or the exception that ended the run."""
        try:
            return self._student.finish_device_use(self._take())
        except (CheckFailed, CheckStopped) as conclusion:
            return conclusion
        finally:
            self.close()

    def advise(self, functions: Sequence[str], cure: str) -> None:
        """Report the functions that make a tensor on another device than that of their inputs.

        Raises:
            Advice: there are some.
            NotAttempted: all of them are still stubs or fail.
        """
        outcome = self._outcome
        if isinstance(outcome, BaseException):
            with advising():
                raise outcome
        outcomes = {outcome.get(name) for name in functions}
        if outcomes == {"missing"}:
            raise NotAttempted("Not attempted: nothing to advise on.")
        if not outcomes & {"fine", "mixed"}:
            raise no_advice()
        mixed = [name for name in functions if outcome.get(name) == "mixed"]
        if mixed:
            raise Advice(
                f"On a GPU this would fail: {' and '.join(mixed)} combine{'s' * (len(mixed) == 1)} "
                f"inputs with a tensor made on the CPU. {cure} No points are lost for this."
            )
