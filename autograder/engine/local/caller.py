"""Calls the student's code in pytest's own process."""

from __future__ import annotations

import bdb
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from autograder.engine.judge.calls import NOT_AGAIN, Call, Outcome, import_of
from autograder.engine.judge.exceptions import NotAttempted, WorkerLost

if TYPE_CHECKING:
    from autograder.engine.local.process import Runner

# Not the student's doing, or needed by pytest: Ctrl-C, a debugger's "quit", a timeout.
_PASS_ON = (KeyboardInterrupt, pytest.exit.Exception, pytest.fail.Exception, pytest.skip.Exception)


@dataclass(frozen=True)
class LocalCall:
    """A call that runs when its result is needed."""

    call: Call
    is_at_work: bool = False


class LocalCaller:
    """Runs the experiments of one check here and raises what follows from how they ended.

    Args:
        runner: returns the session's runner. It imports torch at the first call.
    """

    def __init__(self, runner: Callable[[], Runner]) -> None:
        self._runner = runner
        self._imported: set[str] = set()

    def unseen(self) -> AbstractContextManager[None]:
        """Hide the output of calls that only explain a failure, and stop at no breakpoint there."""
        return self._runner().code.unseen()

    def call(self, call: Call) -> Outcome:
        """Run an experiment and return what it saw; see `judge.caller.Caller.call`.

        Raises:
            CheckFailed: the student's code raised.
            NotAttempted: the stub is still there, or the file is missing.
            WorkerLost: one of the functions hung in an earlier check.
        """
        __tracebackhide__ = True
        pending = self.start(call)
        self._import(call.needs)
        return self.finish(pending)

    def start(self, call: Call) -> LocalCall:
        """Return a call that `finish` runs: there are no background runs here."""
        if call.needs in self._runner().missing:
            raise NotAttempted(f"Not attempted: {call.needs} is not in the submission.")
        if self._runner().hung.intersection(call.called):
            raise WorkerLost(NOT_AGAIN)
        return LocalCall(call)

    def finish(self, pending: LocalCall) -> Outcome:
        """Run a call; raises as `call` does."""
        __tracebackhide__ = True
        runner, call = self._runner(), pending.call
        try:
            return runner.run(call.experiment, call.arguments, call.arrays, call.seed)
        except pytest.fail.Exception:  # pytest-timeout's
            runner.hung.update(call.called)
            raise
        except bdb.BdbQuit as quit_:
            raise _no_input(quit_, runner) from None
        except _PASS_ON:
            raise
        except BaseException as error:
            raise runner.conclusion_of_call(error, call.needs, call.called) from error

    def close(self) -> None:
        """Do nothing: no call is running."""

    def _import(self, needs: str) -> None:
        """Import a file alone, so that no function is blamed for its faults."""
        if not needs or needs in self._imported:
            return
        importing = import_of(needs)
        try:
            self._runner().run(importing.experiment, importing.arguments, {}, importing.seed)
        except bdb.BdbQuit as quit_:
            raise _no_input(quit_, self._runner()) from None
        except _PASS_ON:
            raise
        except BaseException as error:
            raise self._runner().conclusion_of_import(error, needs) from error
        self._imported.add(needs)


def _no_input(error: bdb.BdbQuit, runner: Runner) -> BaseException:
    """Return the conclusion of a breakpoint at the end of the input; pytest handles `q` itself.

    It ends the run. A worker of pytest-xdist has no input; there, it fails the check.
    """
    message = (
        f"The debugger at {runner.place(error)} got no input. Run pytest in a terminal and without "
        "-n, or remove breakpoint()."
    )
    in_worker = "PYTEST_XDIST_WORKER" in os.environ
    return WorkerLost(message) if in_worker else pytest.exit.Exception(message)
