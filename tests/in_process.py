"""A stand-in for a worker that runs experiments in this process; for the catalogue's own code."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import cast
from unittest import mock

import numpy as np
import torch

from autograder.engine.catalogue.cases import edited
from autograder.engine.catalogue.solutions import Right, Wrong
from autograder.engine.judge.caller import Caller
from autograder.engine.judge.calls import Call, Ending, Outcome
from autograder.engine.judge.exceptions import CheckFailed, NotAttempted
from autograder.engine.sandbox.experiment import (
    Misuse,
    Recorder,
    StudentCode,
    run_eagerly,
    set_seeds,
)
from autograder.homework.experiments import EXPERIMENTS
from autograder.homework.student import Student
from tests.this_homework import reference_files

SEED = 236


class InProcess:
    """Runs the experiments on a submission given as text."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._modules: dict[str, ModuleType] = {}
        for path, text in files.items():
            module = ModuleType(Path(path).stem)
            exec(compile(text, path, "exec"), module.__dict__)
            self._modules[module.__name__] = module

    def unseen(self) -> AbstractContextManager[None]:
        """Do nothing."""
        return nullcontext()

    def call(self, call: Call) -> Outcome:
        """Run an experiment, seeded as a worker does it."""
        set_seeds(call.seed)
        recorder = Recorder()
        tensors = {key: torch.from_numpy(np.array(array)) for key, array in call.arrays.items()}
        student = SimpleNamespace(
            attribute=lambda m, a: getattr(self._modules[m], a),
            unseen=nullcontext,
            own_process=False,
            speed=1.0,
        )
        try:
            with mock.patch.object(torch, "compile", run_eagerly):  # as in a worker
                EXPERIMENTS[call.experiment](
                    cast(StudentCode, student), call.arguments, tensors, recorder
                )
        except Misuse as error:
            raise CheckFailed(f"{error}.") from error
        except NotImplementedError as error:
            raise NotAttempted("Not attempted.") from error
        except Exception as error:
            raise CheckFailed(f"It raised {type(error).__name__}.") from error
        return Outcome(Ending.RETURNED, recorder.values, recorder.arrays)


def student_of(entry: Wrong | Right | None = None) -> Student:
    """The reference, or what the catalogue makes of it."""
    given = reference_files()
    files = given if entry is None else edited(given, entry)
    return Student(cast(Caller, InProcess(files)), SEED)


def functions_of(entry: Wrong | Right) -> list[str]:
    """The functions that an entry changes."""
    return [region.partition(" ")[2] for region in (entry.region, *entry.also)]
