"""Advice on devices: one run on the meta device serves all parts of the homework."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from autograder.engine.judge.session import Caller
from autograder.engine.judge.verdicts import Advice, NotAttempted
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
    def _use(self) -> dict[str, str]:
        try:
            student = Student(self._caller, 0)
            return student.finish_device_use(self._pending or student.start_device_use())
        finally:
            self._caller.close()

    def advise(self, functions: Sequence[str], cure: str) -> None:
        """Say which of the functions make a tensor on another device than their inputs'.

        Raises:
            Advice: some do.
            NotAttempted: all of them are still stubs.
        """
        if all(self._use.get(name) == "missing" for name in functions):
            raise NotAttempted("Not attempted: nothing to advise on.")
        wrong = [name for name in functions if self._use.get(name) == "mixed"]
        if wrong:
            raise Advice(
                f"On a GPU this would fail: {' and '.join(wrong)} combine{'s' * (len(wrong) == 1)} "
                f"inputs with a tensor made on the CPU. {cure} No points are lost for this."
            )
