"""What a worker of the small homework does: call one function and note what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from autograder.engine.sandbox.experiment import Experiment, Recorder, StudentCode


def call(
    student: StudentCode,
    arguments: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    recorder: Recorder,
) -> None:
    """Call `codebase.MODULE.FUNCTION` once or more; record what it gives, note plain values."""
    function = student.attribute(arguments["module"], arguments["function"])
    for n in range(int(arguments["times"])):
        value = function(*tensors.values())
        recorder.add(f"recorded{n or ''}", value)
    if isinstance(value, (str, list, dict)):
        recorder.note("value", value)  # type: ignore[arg-type]  # a dict is JSON too


EXPERIMENTS: dict[str, Experiment] = {"call": call}
