"""A call of the one file in a submission, for the tests of the caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograder.engine.judge.caller import Caller
from autograder.engine.judge.calls import Call, Outcome

FILE = "codebase/a.py"
PATIENCE_S = 30.0
MakeCaller = Callable[..., Caller]


def call(caller: Caller, experiment: str, **more: Any) -> Outcome:
    """Call an experiment that needs the one file there is."""
    return caller.call(Call(experiment, seed=0, needs=FILE, **more))
