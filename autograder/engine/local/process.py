"""Runs a student's code in this process, in a state as if the process had just started."""

from __future__ import annotations

import contextlib
import functools
import importlib
import math
import os
import pdb
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch

from autograder.engine.homework import Homework
from autograder.engine.judge.calls import Array, Ending, Outcome, RaisedError
from autograder.engine.judge.student_errors import (
    NO_MESSAGES,
    conclusion_of_call,
    conclusion_of_import,
)
from autograder.engine.judge.trusted_messages import TrustedMessages
from autograder.engine.sandbox.experiment import (
    Experiment,
    Misuse,
    StudentCode,
    describe,
    run,
    run_eagerly,
)
from autograder.engine.sandbox.fresh import Settings


class OwnCode(StudentCode):
    """The student's own files, in their folder."""

    own_process = False

    def __init__(self, root: Path, code: str) -> None:
        super().__init__(root, code, math.inf)
        self.folder = (root / code).resolve()

    def place_of(self, file: str) -> str | None:
        """Return its path in the submission; None for files of libraries and of ours."""
        path = Path(file).resolve()
        if not path.is_relative_to(self.folder):
            return None
        return (PurePosixPath(self.code) / path.relative_to(self.folder).as_posix()).as_posix()

    @contextlib.contextmanager
    def unseen(self) -> Iterator[None]:
        """Print nothing, and stop at no breakpoint: its prompt would not be seen either."""
        hook, set_trace = sys.breakpointhook, pdb.set_trace
        ignore: Any = lambda *_, **__: None  # noqa: E731
        sys.breakpointhook = pdb.set_trace = ignore
        try:
            with (
                open(os.devnull, "w", encoding="utf-8") as nowhere,
                contextlib.redirect_stdout(nowhere),
                contextlib.redirect_stderr(nowhere),
            ):
                yield
        finally:
            sys.breakpointhook, pdb.set_trace = hook, set_trace

    def forget(self) -> None:
        """Remove the student's modules from memory, under all names they were imported by."""
        package = self.code.partition("/")[0]
        own = {path.stem for path in self.folder.glob("*.py")}
        for name in [name for name in sys.modules if name.partition(".")[0] in {package, *own}]:
            file = getattr(sys.modules[name], "__file__", None)
            if name.partition(".")[0] == package or (file and self.place_of(file)):
                del sys.modules[name]
        importlib.invalidate_caches()


class Runner:
    """Runs experiments on a student's code; all checks of a session share it."""

    def __init__(self, folder: Path, settings: Homework, missing: tuple[str, ...]) -> None:
        path = list(sys.path)
        self.code = OwnCode(folder, settings.code_folder)
        self._path = sys.path[len(path) :]
        sys.path[:] = path
        self.missing = missing
        self.hung: set[str] = set()
        self._settings = settings
        self.experiments: Mapping[str, Experiment] = (
            settings.value("experiments", "EXPERIMENTS") or {}
        )

    @cached_property
    def _messages(self) -> TrustedMessages:
        settings = self._settings
        return TrustedMessages.of_submission(settings.folder, self.code.root, settings.files)

    @contextlib.contextmanager
    def fresh(self) -> Iterator[None]:
        """Give a check the modules and library settings of a process that has just started."""
        self.code.forget()
        with _as_before():
            sys.path += self._path
            try:
                yield
            finally:
                self.code.stand_ins.close()

    def run(
        self, experiment: str, arguments: Mapping[str, Any], arrays: Mapping[str, Array], seed: int
    ) -> Outcome:
        """Run an experiment; lets every exception of the student's code through."""
        recorder = run(experiment, arguments, arrays, seed, self.code, self.experiments)
        return Outcome(Ending.RETURNED, recorder.values, recorder.arrays)

    def raised(self, error: BaseException) -> BaseException:
        """Return the exception of the student's own line, which a `Misuse` may explain."""
        return error.__cause__ if isinstance(error, Misuse) and error.__cause__ else error

    def place(self, error: BaseException) -> str:
        """Return the line of the student's code that an exception comes from."""
        described = describe(error, self.code)
        return f"{described['file']}, line {described['line']}"

    def conclusion_of_call(
        self, error: BaseException, file: str, functions: Sequence[str]
    ) -> BaseException:
        """Return a check's conclusion from an exception of the student's code."""
        raised, messages = self._described(error)
        return conclusion_of_call(raised, self.code.root, file, functions, messages)

    def conclusion_of_import(self, error: BaseException, file: str) -> BaseException:
        """Return a check's conclusion from an exception while a file was imported."""
        raised, messages = self._described(error)
        return conclusion_of_import(raised, self.code.root, file, messages)

    def _described(self, error: BaseException) -> tuple[RaisedError, TrustedMessages]:
        """Return the error as a worker reports it, and the messages that it may have."""
        messages = self._messages if isinstance(error, Misuse) else NO_MESSAGES
        return RaisedError(**describe(error, self.code)), messages


def _absent(is_available: Callable[[], bool]) -> Any:
    """Return a function that finds no such device; torch also reads the original's attributes."""

    @functools.wraps(is_available)
    def absent() -> bool:
        return False

    return absent


@contextlib.contextmanager
def _as_before() -> Iterator[None]:
    """Run a check on one thread without a GPU, as Gradescope does; then restore the settings."""
    python, numpy, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    settings = Settings.now()
    cuda, mps = torch.cuda.is_available, torch.backends.mps.is_available
    compiles, torch.compile = torch.compile, run_eagerly
    torch.cuda.is_available, torch.backends.mps.is_available = _absent(cuda), _absent(mps)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.cuda.is_available, torch.backends.mps.is_available = cuda, mps
        torch.compile = compiles
        settings.restore()
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(torch_state)
