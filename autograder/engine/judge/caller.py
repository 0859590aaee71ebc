"""Calls the student's code in a worker, and concludes from how each call ended."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from autograder.engine.judge.calls import (
    IMPORT,
    NOT_AGAIN,
    Call,
    Death,
    Ending,
    Outcome,
    OutOfMemory,
    import_of,
)
from autograder.engine.judge.exceptions import NotAttempted, TooSlow, WorkerLost
from autograder.engine.judge.launcher import Launcher
from autograder.engine.judge.student_errors import (
    NO_MESSAGES,
    conclusion_of_call,
    conclusion_of_import,
    not_imported,
)
from autograder.engine.judge.trusted_messages import TrustedMessages
from autograder.engine.judge.worker import PendingCall
from autograder.engine.judge.worker import Worker as WorkerProcess

# All times are seconds as `clock.WorkerClock` counts them: processor time, and time slept.
# A function that hung or took too long twice is not called again.
_MAX_HANGS = 2
_SECOND_TIMEOUT_S = 3.0
_SECOND_BUDGET_S = 8.0
# An import may have to read from a cold disk first, so it gets this many times a call's limit.
_IMPORTS_TAKE = 2
# A worker that is killed for memory with less than this was killed for what others had taken.
_OWN_BYTES = 256 * 2**20
# Once a check has failed, the rest of its time finds a smaller example and the mistake's name.
_AFTER_FAILURE_S = 8.0


class HangTracker:
    """Counts the hangs of each function, so that one endless loop cannot use up the whole time.

    A file that hangs while it is imported is counted like a function.
    """

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()

    def timeout_s(self, functions: Sequence[str], usual_s: float) -> float:
        """Return how long the next call of these functions may take.

        Raises:
            WorkerLost: one of them has hung too often to be tried again.
        """
        if given_up := self.given_up(functions):
            raise WorkerLost(NOT_AGAIN, hung=given_up)
        hung = any(self._count[function] for function in functions)
        return min(usual_s, _SECOND_TIMEOUT_S) if hung else usual_s

    def budget_s(self, functions: Sequence[str], usual_s: float) -> float:
        """Return how long all calls of these functions in one check may take together."""
        hung = any(self._count[function] for function in functions)
        return min(usual_s, _SECOND_BUDGET_S) if hung else usual_s

    def given_up(self, functions: Sequence[str]) -> tuple[str, ...]:
        """Return those of these functions that are not tried any more."""
        return tuple(each for each in functions if self._count[each] >= _MAX_HANGS)

    def add(self, functions: Sequence[str]) -> None:
        """Note that a call of these functions timed out."""
        self._count.update(functions)


class Caller:
    """Calls experiments in one fresh worker; a call that fails raises the check's conclusion.

    `timeout_s` is for one call, `budget_s` for all together except those with their own timeout;
    `hangs` are those of the grading so far; `messages` is called for the first error. Checks of the
    same `part` hand on their worker until a call fails; without a part it is the caller's alone.
    """

    def __init__(
        self,
        launcher: Launcher,
        hangs: HangTracker,
        timeout_s: float,
        missing: tuple[str, ...],
        budget_s: float = math.inf,
        messages: Callable[[], TrustedMessages] = lambda: NO_MESSAGES,
        part: str = "",
    ) -> None:
        self._launcher = launcher
        self._hangs = hangs
        self._timeout_s = timeout_s
        self._missing = missing
        self._budget_s = budget_s
        self._messages = messages
        self._part = part
        self._spent_s = 0.0
        self._calls = 0
        self._failed = False
        self._imported: set[str] = set()
        self._worker: WorkerProcess | None = None

    def unseen(self) -> AbstractContextManager[None]:
        """Do nothing: nobody sees what a worker prints."""
        return nullcontext()

    def note_failure(self) -> None:
        """Note that the check has failed: further calls only improve its feedback."""
        if not self._failed:
            self._failed = True
            self._budget_s = min(self._budget_s, self._spent_s + _AFTER_FAILURE_S)

    def call(self, call: Call) -> Outcome:
        """Run an experiment and return what it saw.

        Raises:
            CheckFailed: the student's code raised.
            NotAttempted: the stub is still there, or the file is missing.
            WorkerLost: the worker hung, died or sent an invalid reply.
            TooSlow: the calls of this check took too long together.
            WorkerNotReady: no confined worker could be started.
            OutOfMemory: the kernel killed the worker for memory that others had taken.
        """
        self._hangs.timeout_s(call.called, self._timeout_s)  # raises before a worker is started
        self._import(call.needs)
        pending = self._start(call, call.called, call.timeout_s)
        self._calls += call.times - 1
        return self._conclude(pending, pending.result(), budgeted=call.timeout_s is None)

    def start(self, call: Call) -> PendingCall:
        """Send the request of `call`; `finish` waits for its end. Such a call has no budget.

        Its functions must be all that the experiment runs: if one hangs in another check, this call
        is given up, too.
        """
        imports = [_importing(call.needs)] if call.needs else []
        return self._start(call, (*call.called, *imports), call.timeout_s or self._timeout_s)

    def _start(
        self, call: Call, functions: tuple[str, ...], timeout_s: float | None
    ) -> PendingCall:
        if call.needs in self._missing:
            raise NotAttempted(f"Not attempted: {call.needs} is not in the submission.")
        allowed_s = self._hangs.timeout_s(functions, timeout_s or self._timeout_s)
        if timeout_s is None:
            allowed_s = min(allowed_s, self._left_s(functions))
        if self._worker is None:
            self._worker = self._launcher.open(self._part)
        pending = self._worker.start(
            call.experiment, call.arguments, call.arrays, seed=call.seed, limit_s=allowed_s
        )
        return replace(pending, functions=functions, file=call.needs)

    def finish(self, pending: PendingCall) -> Outcome:
        """Wait for the end of a started call; raises as `call` does.

        A call whose function has hung in other checks is not waited for. Nor is its reply read if
        it has one: whether it has depends on the machine's speed.
        """
        if given_up := self._hangs.given_up(pending.functions):
            self.close()
            raise WorkerLost(NOT_AGAIN, hung=given_up)
        return self._conclude(pending, pending.result(), budgeted=False)

    def _conclude(self, pending: PendingCall, outcome: Outcome, *, budgeted: bool) -> Outcome:
        self._calls += 1
        if budgeted:
            self._spent_s += outcome.seconds
        if outcome.ending is Ending.RETURNED:
            return outcome
        if outcome.ending is Ending.RAISED and outcome.error is not None:
            raise conclusion_of_call(
                outcome.error,
                self._launcher.submission,
                pending.file,
                pending.functions,
                self._messages(),
            )
        if outcome.ending is Ending.TIMED_OUT:
            if budgeted and self._spent_s >= self._budget_of(pending.functions):
                raise self._too_slow(pending.functions)
            self._hangs.add(pending.functions)
            raise WorkerLost(_timed_out(pending, outcome), hung=pending.functions)
        if outcome.ending is Ending.DIED:
            _unless_short_of_memory(outcome.death)
            raise WorkerLost(
                f"The process that ran your code ended before it answered: {outcome.detail}.\n"
                + _look_for(outcome.death)
            )
        raise WorkerLost(f"The process that ran your code sent an invalid reply: {outcome.detail}.")

    def _import(self, needs: str) -> None:
        """Import a file alone, so that no function is blamed for its faults."""
        if not needs or needs in self._imported or needs in self._missing:
            return
        called = _importing(needs)
        hung = WorkerLost(
            f"{needs} did not finish when it was imported.\n"
            "Look for work at the top level of the file: loops, training, input(). Move it "
            'into functions, or under `if __name__ == "__main__":`.',
            of_file=not_imported(needs),
            hung=[called],
        )
        if self._hangs.given_up([called]):
            raise hung
        timeout_s = _IMPORTS_TAKE * self._timeout_s
        outcome = self._start(import_of(needs), (called,), timeout_s).result()
        worker = self._worker
        if outcome.ending is Ending.RAISED and worker is not None and worker.served_before:
            # A file that registers something with torch cannot be imported twice in a process.
            self.close()
            self._part = ""
            outcome = self._start(import_of(needs), (called,), timeout_s).result()
        if outcome.ending is Ending.TIMED_OUT:
            self._hangs.add([called])
            raise hung
        if outcome.ending is Ending.DIED:
            _unless_short_of_memory(outcome.death)
            raise WorkerLost(
                f"The process that ran your code ended while {needs} was imported: "
                f"{outcome.detail}.\nLook for exit() and for work at the top level of the file.",
                of_file=not_imported(needs),
            )
        if outcome.ending is Ending.RAISED and outcome.error is not None:
            raise conclusion_of_import(
                outcome.error, self._launcher.submission, needs, self._messages()
            )
        if outcome.ending is not Ending.RETURNED:
            raise WorkerLost(
                f"The process that ran your code sent an invalid reply while {needs} was imported: "
                f"{outcome.detail}.",
                of_file=not_imported(needs),
            )
        self._imported.add(needs)

    def _left_s(self, functions: Sequence[str]) -> float:
        left_s = self._budget_of(functions) - self._spent_s
        if left_s <= 0:
            raise self._too_slow(functions)
        return left_s

    def _budget_of(self, functions: Sequence[str]) -> float:
        return self._hangs.budget_s(functions, self._budget_s)

    def _too_slow(self, functions: Sequence[str]) -> TooSlow:
        self._part = ""  # whether the time ended within a call or between two must not matter
        if not self._failed:
            self._hangs.add(functions)
        times = "once" if self._calls == 1 else f"{self._calls} times"
        return TooSlow(
            f"Your code is too slow: this check may take {self._budget_of(functions):.3g} s of "
            f"processor time, and it had called your code {times} by then.\n"
            "Work on whole tensors instead of looping over their entries, and do nothing in a "
            "call that can be done once.",
            hung=functions,
        )

    def close(self, *, hand_on: bool = False) -> None:
        """End the worker, if one was started, or hand it on to the next check if it can be."""
        if self._worker is None:
            return
        if hand_on and self._part and self._worker.can_be_handed_on:
            self._launcher.keep(self._worker, self._part)
        else:
            self._worker.dismiss()
        self._worker = None
        self._imported.clear()


def _timed_out(pending: PendingCall, outcome: Outcome) -> str:
    if outcome.slept_s > outcome.seconds / 2:
        return (
            f"Your code waited for {outcome.slept_s:.3g} s without computing anything.\n"
            "Look for input(), sleep(), or a lock that is never released."
        )
    return (
        f"Your code did not return within {pending.limit_s:.3g} s of processor time.\n"
        "Look for a loop that never ends, or work that grows with the size of the input."
    )


def _unless_short_of_memory(death: Death | None) -> None:
    """Check that the worker was not killed for memory that others had taken.

    Raises:
        OutOfMemory: it was.
    """
    if death is not None and death.out_of_memory and death.memory_bytes < _OWN_BYTES:
        raise OutOfMemory(death)


def _look_for(death: Death | None) -> str:
    if death is not None and death.out_of_memory:
        taken = death.memory_bytes / 2**20
        return f"It had taken {taken:,.0f} MiB of memory. Look for very large tensors."
    return "Look for exit(), for endless recursion, or for very large tensors."


def _importing(needs: str) -> str:
    return f"{IMPORT} {needs}"
