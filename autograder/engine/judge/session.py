"""How a check calls the student's code, and what it concludes from how the call ended."""

from __future__ import annotations

import builtins
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from autograder.engine.judge.client import Ending, Launcher, Outcome, PendingCall, RaisedError
from autograder.engine.judge.client import Worker as WorkerProcess
from autograder.engine.judge.verdicts import CheckFailed, NotAttempted, WorkerLost
from autograder.engine.worker import frames

# After a call of an experiment timed out twice, the next ones are not even tried.
_MAX_STRIKES = 2
_SECOND_TIMEOUT_S = 3.0


class Strikes:
    """Remembers what hangs, so that one endless loop cannot eat the whole time.

    Counted by the student's function that was called, so that one that hangs costs the others
    nothing.
    """

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()

    def timeout_s(self, functions: Sequence[str], wanted_s: float) -> float:
        """Return how long the next call of these functions may take.

        Raises:
            WorkerLost: one of them has hung too often to be tried again.
        """
        strikes = max(self._count[function] for function in functions)
        if strikes >= _MAX_STRIKES:
            raise WorkerLost(
                "Your code did not return in time in earlier checks, so it was not run again here."
            )
        return min(wanted_s, _SECOND_TIMEOUT_S) if strikes else wanted_s

    def add(self, functions: Sequence[str]) -> None:
        """Note that a call of these functions timed out."""
        self._count.update(functions)


class Caller:
    """Calls experiments in one fresh worker and raises what follows from how they ended."""

    def __init__(
        self, launcher: Launcher, strikes: Strikes, timeout_s: float, missing: tuple[str, ...]
    ) -> None:
        self._launcher = launcher
        self._strikes = strikes
        self._timeout_s = timeout_s
        self._missing = missing
        self._worker: WorkerProcess | None = None

    def call(
        self,
        experiment: str,
        arguments: Mapping[str, Any] | None = None,
        arrays: Mapping[str, frames.Array] | None = None,
        *,
        seed: int,
        needs: str,
        functions: Sequence[str] = (),
        timeout_s: float | None = None,
    ) -> Outcome:
        """Run an experiment and return what it saw.

        Args:
            experiment: its name in the homework's `EXPERIMENTS`.
            arguments: JSON values for it.
            arrays: arrays for it.
            seed: seeds torch, numpy and random before the call; must follow from the case, so
                that a replayed case gives the same answer.
            needs: the student's file that it calls, such as "codebase/gan.py".
            functions: the student's functions that it calls, where the experiment's own name does
                not say; what hangs is remembered by them.
            timeout_s: in place of the assignment's call timeout.

        Raises:
            CheckFailed: the student's code raised.
            NotAttempted: the stub is still there, or the file is missing.
            WorkerLost: the worker hung, died or sent rubbish.
        """
        pending = self.start(
            experiment,
            arguments,
            arrays,
            seed=seed,
            needs=needs,
            functions=functions,
            timeout_s=timeout_s,
        )
        return self.finish(pending)

    def start(
        self,
        experiment: str,
        arguments: Mapping[str, Any] | None = None,
        arrays: Mapping[str, frames.Array] | None = None,
        *,
        seed: int,
        needs: str,
        functions: Sequence[str] = (),
        timeout_s: float | None = None,
    ) -> PendingCall:
        """Send the request of `call`; ask `finish` for its end."""
        if needs in self._missing:
            raise NotAttempted(f"Not attempted: {needs} is not in the submission.")
        called = tuple(functions) or (experiment,)
        allowed_s = self._strikes.timeout_s(called, timeout_s or self._timeout_s)
        if self._worker is None:
            self._worker = self._launcher.open()
        pending = self._worker.start(
            experiment, arguments or {}, arrays or {}, seed=seed, timeout_s=allowed_s
        )
        return replace(pending, functions=called)

    def finish(self, pending: PendingCall) -> Outcome:
        """Wait for the end of a started call; raises as `call` does."""
        outcome = pending.result()
        if outcome.ending is Ending.RETURNED:
            return outcome
        if outcome.ending is Ending.RAISED and outcome.error is not None:
            raise _conclusion_of(outcome.error)
        if outcome.ending is Ending.TIMED_OUT:
            self._strikes.add(pending.functions)
            allowed_s = pending.deadline - pending.started
            raise WorkerLost(
                f"Your code did not return within {allowed_s:.3g} s.\n"
                "Look for a loop that never ends, or work that grows with the size of the input."
            )
        if outcome.ending is Ending.DIED:
            raise WorkerLost(
                f"The process that ran your code ended before it answered: {outcome.detail}.\n"
                "Look for exit(), for endless recursion, or for very large tensors."
            )
        raise WorkerLost(
            f"The process that ran your code sent something that is no answer: {outcome.detail}."
        )

    def close(self) -> None:
        """End the worker, if one was started."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None


def _conclusion_of(error: RaisedError) -> BaseException:
    place = error.file or "your code"
    if error.file and error.line:
        place = f"{error.file}, line {error.line}"
    # Torch raises it too, for what it cannot do: only a line that says so is a stub.
    if error.type == "NotImplementedError" and error.type in (error.source or ""):
        return NotAttempted(f"Not attempted: {place} still raises NotImplementedError.")
    if error.misuse:
        # The text is ours; it may hold a shape or a name, no data.
        return CheckFailed(f"{error.message}.", where=_quote_source(error, place))
    if error.type in ("SyntaxError", "IndentationError", "TabError"):
        return CheckFailed(
            f"Python cannot read {place}: {error.type}.",
            where=f"The line reads: {error.source}" if error.source else "",
            quoted=error.message,
        )
    if error.type in ("ModuleNotFoundError", "ImportError"):
        return CheckFailed(
            f"{place} imports something that is not there.",
            where=_quote_source(error, place),
            quoted=error.message,
        )
    known = isinstance(getattr(builtins, error.type, None), type)
    kind = error.type if known else "an exception"
    return CheckFailed(
        f"{place} raised {kind}.", where=_quote_source(error, place), quoted=error.message
    )


def _quote_source(error: RaisedError, place: str) -> str:
    return f"The line reads: {error.source}" if error.source and error.file else ""
