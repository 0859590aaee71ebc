"""Call a student's functions with named arrays.

A homework that needs no more than `Student.call` has no code that runs in a worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from autograder.engine.homework import Homework
from autograder.engine.judge.calls import CALL, Array, Call, Caller
from autograder.engine.judge.reply import Reply


class Student:
    """The submission, as checks see it; the fixture `student` is one."""

    def __init__(self, caller: Caller, homework: Homework) -> None:
        self._caller = caller
        self._homework = homework

    def call(
        self,
        function: str,
        arguments: Mapping[str, object],
        *,
        returns: Sequence[str] = ("result",),
        bars: Mapping[str, ArrayLike] | None = None,
        as_arrays: bool = False,
        file: str | None = None,
        seed: int = 0,
        timeout_s: float | None = None,
    ) -> Reply:
        """Call one function of the submission, in its sandbox.

        Args:
            function: its name.
            arguments: by name, in the function's order. Arrays arrive as tensors: float64 as
                float32, integers and booleans as they are. Numbers, texts and lists stay.
            returns: names for what it returns, to read it from the reply; several for a tuple.
            bars: for results by name, an array of the same shape each. The reply then has the
                gradient of sum(bar * result) for every argument that is a float array, by its name.
            as_arrays: whether it takes numpy arrays, not tensors; then there are no gradients.
            file: the file that defines it, if students hand in several.
            seed: seeds torch, numpy and random before the call.
            timeout_s: in place of `call_timeout_s` of the settings.

        Returns:
            The reply; its methods check the form of the result.

        Raises:
            CheckStopped, CheckFailed: the call failed; the exception says how.
        """
        arrays: dict[str, Array] = {
            name: value for name, value in arguments.items() if isinstance(value, np.ndarray)
        }
        bar_arrays = {f"bar.{name}": np.asarray(bar) for name, bar in (bars or {}).items()}
        path = file or self._homework.files[0]
        reply = self.run(
            CALL,
            {
                "module": path.rpartition("/")[2].removesuffix(".py"),
                "function": function,
                "order": list(arguments),
                "values": {k: v for k, v in arguments.items() if k not in arrays},
                "returns": list(returns),
                "as_arrays": as_arrays,
            },
            {**arrays, **bar_arrays},
            function=function,
            file=path,
            seed=seed,
            timeout_s=timeout_s,
        )
        if len(returns) > 1:
            reply.several(returns)
        return reply

    def run(
        self,
        experiment: str,
        arguments: Mapping[str, object],
        arrays: Mapping[str, Array],
        *,
        function: str,
        file: str | None = None,
        seed: int = 0,
        timeout_s: float | None = None,
    ) -> Reply:
        """Run an experiment of the homework's own, from `EXPERIMENTS` in its `experiments`.

        Args:
            experiment: its name there.
            arguments: JSON values for it.
            arrays: arrays for it; they arrive as tensors, see `call`.
            function: the student's function that it calls, as messages name it.
            file, seed, timeout_s: see `call`.

        Raises:
            CheckStopped, CheckFailed: the call failed; the exception says how.
        """
        outcome = self._caller.call(
            Call(
                experiment,
                arguments,
                {name: _sent(array) for name, array in arrays.items()},
                seed=seed,
                needs=file or self._homework.files[0],
                functions=[function],
                timeout_s=timeout_s,
            )
        )
        return Reply(outcome, function)


def _sent(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype.kind == "f" else array
