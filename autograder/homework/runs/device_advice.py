"""Advice on devices: one run on the meta device serves all parts of the homework."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from autograder.engine.judge.session import Caller
from autograder.engine.judge.verdicts import Advice, CheckFailed, Concluded, NotAttempted
from autograder.homework.student import Student


class DeviceAdvice:
    """One run of all functions on the meta device, started early and read when it is asked for.

    Args:
        caller: with a worker of its own.
        early: whether to start now; where there is one worker only, it has to wait its turn.
    """

    def __init__(self, caller: Caller, *, early: bool = True) -> None:
        self._caller = caller
        self._pending = Student(caller, 0).start_device_use() if early else None

    @cached_property
    def _outcome(self) -> dict[str, str] | BaseException:
        """How every function went, or what ended the run; the same for all who ask."""
        try:
            student = Student(self._caller, 0)
            return student.finish_device_use(self._pending or student.start_device_use())
        except (CheckFailed, Concluded) as conclusion:
            return conclusion
        finally:
            self._caller.close()

    def advise(self, functions: Sequence[str], cure: str) -> None:
        """Say which of the functions make a tensor on another device than their inputs'.

        Raises:
            Advice: some do.
            NotAttempted: all of them are still stubs.
            CheckFailed, Concluded: the run ended otherwise.
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
