"""A student's code in this process, as if the process had just been started for it."""

from __future__ import annotations

import contextlib
import importlib
import math
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autograder.engine.judge.calls import Array, Ending, Outcome, RaisedError
from autograder.engine.judge.conclusions import conclusion_of, with_source
from autograder.engine.judge.exceptions import Unusable
from autograder.engine.judge.trusted_messages import TrustedMessages
from autograder.engine.sandbox.experiment import (
    Experiment,
    Misuse,
    StudentCode,
    describe,
    run,
    run_eagerly,
)
from autograder.engine.submission.imports import missing_packages

CODE = "codebase"  # the folder of the student's files, and the package that they are


class OwnCode(StudentCode):
    """The student's own files, where they lie."""

    own_process = False

    def __init__(self, root: Path) -> None:
        super().__init__(root, math.inf)
        self._code = (root / CODE).resolve()

    def place_of(self, file: str) -> str | None:
        """Return "codebase/gan.py" for that file; None for those of the libraries and ours."""
        path = Path(file).resolve()
        if not path.is_relative_to(self._code):
            return None
        return f"{CODE}/{path.relative_to(self._code).as_posix()}"

    def _forget(self) -> None:
        forget(self)


class Runner:
    """What all checks of a session share.

    Args:
        folder: the student's.
        package: the homework's.
        files: the student's.
        missing: those of them that are not there.
        homework: the folder of the homework's package.
    """

    def __init__(
        self,
        folder: Path,
        package: str,
        files: tuple[str, ...],
        missing: tuple[str, ...],
        homework: Path,
    ) -> None:
        path = list(sys.path)
        self.code = OwnCode(folder)
        self._path = sys.path[len(path) :]
        sys.path[:] = path
        self.missing = missing
        self.hung: set[str] = set()
        self._homework = homework
        self._files = files
        self._sentences: TrustedMessages | None = None
        experiments = importlib.import_module(f"{package}.experiments")
        self.experiments: Mapping[str, Experiment] = experiments.EXPERIMENTS

    @property
    def sentences(self) -> TrustedMessages:
        """What a worker may say in words of ours; read when first asked for."""
        if self._sentences is None:
            absent = missing_packages(self.code.root, self._files)
            names = {*self._files, *(each.package for each in absent)}
            self._sentences = TrustedMessages.of_homework(self._homework).knowing(names)
        return self._sentences

    @contextlib.contextmanager
    def fresh(self) -> Iterator[None]:
        """Let a check meet modules and libraries as a process that has just started has them."""
        forget(self.code)
        path = list(sys.path)
        sys.path += self._path
        try:
            with _as_before():
                yield
        finally:
            self.code.stand_ins.close()
            sys.path[:] = path

    def run(
        self, experiment: str, arguments: Mapping[str, Any], arrays: Mapping[str, Array], seed: int
    ) -> Outcome:
        """Run an experiment; raises whatever the student's code raises."""
        recorder = run(experiment, arguments, arrays, seed, self.code, self.experiments)
        return Outcome(Ending.RETURNED, recorder.values, recorder.arrays)

    def concluded(self, error: BaseException, words: Sequence[str], needs: str) -> BaseException:
        """Return what a check concludes from an exception of the student's code.

        Args:
            error: the exception.
            words: what may stand in our sentences about it, such as the functions that were called.
            needs: the file that was asked for.
        """
        sentences = self.sentences if isinstance(error, Misuse) else TrustedMessages()
        return conclusion_of(self._raised(error, needs), sentences, words)

    def concluded_of_import(self, error: BaseException, file: str) -> BaseException:
        """Return what a check concludes from an exception while a file was imported."""
        raised = self._raised(error, file)
        sentences = self.sentences if isinstance(error, Misuse) else TrustedMessages()
        conclusion = conclusion_of(replace(raised, file=raised.file or file), sentences, (file,))
        if isinstance(conclusion, Unusable):
            conclusion.of_file = conclusion.of_file or f"{file} cannot be imported"
        return conclusion

    def _raised(self, error: BaseException, needs: str) -> RaisedError:
        return with_source(RaisedError(**describe(error, self.code)), self.code.root, needs)


def forget(code: OwnCode) -> None:
    """Remove the student's modules from memory, under whatever names they were imported."""
    own = {path.stem for path in (code.root / CODE).glob("*.py")}
    for name in [name for name in sys.modules if name.partition(".")[0] in {CODE, *own}]:
        file = getattr(sys.modules[name], "__file__", None)
        if name.partition(".")[0] == CODE or (file and code.place_of(file)):
            del sys.modules[name]
    importlib.invalidate_caches()


@contextlib.contextmanager
def _as_before() -> Iterator[None]:
    """Run a check on one thread without a GPU, as Gradescope does; put back what it changes."""
    python, numpy, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    distribution: Any = torch.distributions.Distribution
    validates = distribution._validate_args
    cuda, mps = torch.cuda.is_available, torch.backends.mps.is_available
    deterministic = torch.are_deterministic_algorithms_enabled()
    absent: Any = lambda: False  # noqa: E731
    compiles, torch.compile = torch.compile, run_eagerly
    torch.cuda.is_available = torch.backends.mps.is_available = absent
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.cuda.is_available, torch.backends.mps.is_available = cuda, mps
        torch.compile = compiles
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        torch.set_default_device(None)
        torch.set_grad_enabled(True)
        torch.autograd.set_detect_anomaly(False)
        if torch.are_deterministic_algorithms_enabled() != deterministic:  # it imports for seconds
            torch.use_deterministic_algorithms(deterministic)
        distribution.set_default_validate_args(validates)
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(torch_state)
