"""How a check calls the student's code in pytest's own process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from autograder.engine.judge.calls import IMPORT, NOT_AGAIN, Array, Outcome
from autograder.engine.judge.exceptions import NotAttempted, WorkerLost

if TYPE_CHECKING:
    from autograder.engine.local.process import Runner

# Not the student's doing, or not to be kept from pytest: Ctrl-C, a debugger's "quit", a timeout.
_PASS_ON = (KeyboardInterrupt, pytest.exit.Exception, pytest.fail.Exception, pytest.skip.Exception)


@dataclass(frozen=True)
class Call:
    """A call that is made when its end is asked for."""

    experiment: str
    arguments: Mapping[str, Any]
    arrays: Mapping[str, Array]
    seed: int
    needs: str
    functions: tuple[str, ...]
    is_at_work: bool = False  # not before its end is asked for


class LocalCaller:
    """Runs the experiments of one check here; raises what follows from how they ended.

    Args:
        runner: gives what runs them. It imports torch, so it is asked at the first call.
    """

    def __init__(self, runner: Callable[[], Runner]) -> None:
        self._get_runner = runner
        self._imported: set[str] = set()

    @property
    def _runner(self) -> Runner:
        return self._get_runner()

    def call(
        self,
        experiment: str,
        arguments: Mapping[str, Any] | None = None,
        arrays: Mapping[str, Array] | None = None,
        *,
        seed: int,
        needs: str,
        functions: Sequence[str] = (),
        timeout_s: float | None = None,
        times: int = 1,
    ) -> Outcome:
        """Run an experiment and return what it saw; see `judge.session.Caller.call`.

        Raises:
            CheckFailed: the student's code raised.
            NotAttempted: the stub is still there, or the file is missing.
            WorkerLost: one of the functions hung in an earlier check.
        """
        __tracebackhide__ = True
        call = self._made(experiment, arguments, arrays, seed, needs, functions)
        self._import(needs)
        return self._run(call)

    def start(
        self,
        experiment: str,
        arguments: Mapping[str, Any] | None = None,
        arrays: Mapping[str, Array] | None = None,
        *,
        seed: int,
        needs: str,
        functions: Sequence[str] = (),
        timeout_s: float | None = None,
    ) -> Call:
        """Return a call that `finish` makes: nothing runs beside the checks here."""
        return self._made(experiment, arguments, arrays, seed, needs, functions)

    def finish(self, pending: Call) -> Outcome:
        """Make a call; raises as `call` does."""
        __tracebackhide__ = True
        return self._run(pending)

    def close(self) -> None:
        """Nothing runs that could be ended."""

    def _made(
        self,
        experiment: str,
        arguments: Mapping[str, Any] | None,
        arrays: Mapping[str, Array] | None,
        seed: int,
        needs: str,
        functions: Sequence[str],
    ) -> Call:
        if needs in self._runner.missing:
            raise NotAttempted(f"Not attempted: {needs} is not in the submission.")
        called = tuple(functions) or (experiment,)
        if self._runner.hung.intersection(called):
            raise WorkerLost(NOT_AGAIN)
        return Call(experiment, arguments or {}, arrays or {}, seed, needs, called)

    def _import(self, needs: str) -> None:
        """Import a file by itself, so that what goes wrong with it is not a function's fault."""
        if not needs or needs in self._imported:
            return
        module = {"module": needs.removesuffix(".py").replace("/", ".")}
        try:
            self._runner.run(IMPORT, module, {}, 0)
        except _PASS_ON:
            raise
        except BaseException as error:
            raise self._runner.concluded_of_import(error, needs) from error
        self._imported.add(needs)

    def _run(self, call: Call) -> Outcome:
        __tracebackhide__ = True
        try:
            return self._runner.run(call.experiment, call.arguments, call.arrays, call.seed)
        except pytest.fail.Exception:  # pytest-timeout's
            self._runner.hung.update(call.functions)
            raise
        except _PASS_ON:
            raise
        except BaseException as error:
            words = (*call.functions, call.needs)
            raise self._runner.concluded(error, words, call.needs) from error
