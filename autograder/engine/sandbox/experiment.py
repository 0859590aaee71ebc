"""Run one experiment with the student's code and record its results.

On Gradescope this runs in a sandboxed worker (serve.py), at home in the student's pytest process.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import math
import os
import random
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray

from autograder.engine.sandbox.limits import MAX_BODY_BYTES
from autograder.engine.sandbox.stand_ins import StandIns

Array = NDArray[Any]

# The experiments that every homework has: import a file of the submission, call a function in it.
IMPORT, CALL = "import", "call"

_MESSAGE_LENGTH = 600
# More than a reply's names and shapes of arrays can take.
_SAFETENSORS_HEADER = 64 * 1024
_DTYPES = frozenset(
    {
        *(torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.bool),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8),
    }
)


class Misuse(Exception):
    """The student's code uses a given object in a way that cannot work; the message explains it."""

    __module__ = "builtins"  # a student's pytest shows its name without a path to our code


class StudentCode:
    """The staged submission, whose modules are imported on first use.

    Args:
        root: the folder of the staged submission.
        code: the folder of the student's files in it, "" for none.
        speed: how many times slower this machine is than the one that time limits were set for;
            infinite for no limits.
    """

    # Whether this process only runs the student's code, and so may lower its priority.
    own_process = True

    def __init__(self, root: Path, code: str, speed: float = 1.0) -> None:
        self.root = root
        self.code = code
        self.speed = speed
        # Appended, not inserted: the student's files must never shadow ours or a library's.
        # The second entry is for solutions that import their own files by the bare name.
        sys.path += dict.fromkeys((str(root), str(root / code)))
        self._last_before = next(reversed(sys.modules))
        self.stand_ins = StandIns(root, code, _not_installed)

    def place_of(self, file: str) -> str | None:
        """Return a file's path within the submission, or None if it is not in it."""
        inside = file.startswith(str(self.root))
        return Path(file).relative_to(self.root).as_posix() if inside else None

    def module(self, name: str) -> ModuleType:
        """Import one of the student's files by its name without folder and ".py".

        Raises:
            BaseException: the student's file raises while it is imported.
        """
        return self.load(".".join(PurePosixPath(self.code, name).parts))

    def unseen(self) -> contextlib.AbstractContextManager[None]:
        """Hide what the code prints in a call that only explains a failure; a worker hides all."""
        return contextlib.nullcontext()

    def load(self, name: str) -> ModuleType:
        """Import a module, with stand-ins for missing packages; raises as `module` does."""
        while True:
            try:
                return importlib.import_module(name)
            except ModuleNotFoundError as error:
                if not self.stand_ins.admit(error):
                    raise
                self.forget()

    def forget(self) -> None:
        """Remove the submission's modules, so that they are imported again."""
        inside = f"{self.root}{os.sep}"
        # Only those imported since: to look at thousands would copy their memory after a fork.
        since = itertools.takewhile(self._last_before.__ne__, reversed(sys.modules))
        for name in list(since):
            if str(getattr(sys.modules[name], "__file__", None)).startswith(inside):
                del sys.modules[name]

    def attribute(self, module: str, name: str) -> Any:
        """Return a class or function of the submission.

        Raises:
            Misuse: the file does not define it.
        """
        value = getattr(self.module(module), name, None)
        if value is None:
            # One blank in the message: the judge knows the files' whole names.
            file = PurePosixPath(self.code, f"{module}.py").as_posix()
            raise Misuse(f"{file} does not define {name}")
        return value


class Recorder:
    """Results of an experiment: plain values for the header, arrays for the body."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.arrays: dict[str, Array] = {}
        self._room = MAX_BODY_BYTES - _SAFETENSORS_HEADER

    def add(self, name: str, value: object) -> None:
        """Record a tensor by its contents, a number by its value, any other object by its type.

        A tensor that cannot be sent (sparse, quantised, on the meta device, of an odd dtype, too
        large) is recorded without its contents.
        """
        if isinstance(value, torch.Tensor):
            # As a plain tensor: a subclass may override anything.
            plain = value.detach()
            if plain.layout == torch.strided:  # other layouts have no storage to share
                plain = plain.as_subclass(torch.Tensor)
            self.values[name] = {
                "kind": "tensor",
                "dtype": str(plain.dtype).removeprefix("torch."),
                "shape": [int(n) for n in plain.shape],
                "requires_grad": bool(value.requires_grad),
            }
            if reason := self._not_sendable(plain):
                self.values[name]["not_sent"] = reason
            else:
                array = self.arrays[name] = _to_array(plain)
                self._room -= array.nbytes
        elif isinstance(value, (bool, int, float)) and math.isfinite(value):
            self.values[name] = {
                "kind": "number",
                "type": type(value).__name__,
                "value": float(value),
            }
        else:
            self.values[name] = {"kind": "other", "type": type(value).__name__[:80]}

    def _not_sendable(self, plain: torch.Tensor) -> str:
        if plain.layout != torch.strided:
            return "sparse"
        if plain.is_quantized:
            return "quantised"
        if plain.device.type != "cpu":
            return f"on the {plain.device.type} device"
        if plain.dtype not in _DTYPES:
            return "dtype"
        size = plain.numel() * max(plain.element_size(), 4 if plain.dtype == torch.bfloat16 else 1)
        return "too large" if size > self._room else ""

    def note(self, name: str, value: bool | int | float | str | list[Any] | None) -> None:
        """Record a plain value that is ours, not the student's."""
        self.values[name] = value


Experiment = Callable[[StudentCode, Mapping[str, Any], Mapping[str, torch.Tensor], Recorder], None]


def run(
    name: str,
    arguments: Mapping[str, Any],
    arrays: Mapping[str, Array],
    seed: int,
    student: StudentCode,
    experiments: Mapping[str, Experiment],
) -> Recorder:
    """Run an experiment by its name; return its results.

    It runs again when it has met the import of a package that is not installed.

    Raises:
        BaseException: the student's code raises.
    """
    experiment = {IMPORT: _import, CALL: _call, **experiments}[name]
    while True:
        set_seeds(seed)
        recorder = Recorder()
        tensors = {key: torch.from_numpy(array.copy()) for key, array in arrays.items()}
        try:
            experiment(student, arguments, tensors, recorder)
        except ModuleNotFoundError as error:
            if not student.stand_ins.admit(error):
                raise
        else:
            return recorder


def _import(
    student: StudentCode,
    arguments: Mapping[str, Any],
    tensors: Mapping[str, torch.Tensor],
    recorder: Recorder,
) -> None:
    """Import one file of the submission."""
    student.load(str(arguments["module"]))


def _call(
    student: StudentCode,
    arguments: Mapping[str, Any],
    tensors: Mapping[str, torch.Tensor],
    recorder: Recorder,
) -> None:
    """Call one function; record what it returns, and gradients if cotangents are given.

    `arguments` has `module`, `function`, `order` (the names of the function's arguments, in order),
    `values` (those that are not arrays), `returns` (names of the results; several for a tuple) and
    `as_arrays` (call it with numpy arrays). For a tensor `bar.NAME`, the gradient of
    sum(bar * result NAME) is recorded for every floating argument, as `grad.ARGUMENT`.
    """
    function = student.attribute(arguments["module"], arguments["function"])
    bars = {
        name.removeprefix("bar."): bar for name, bar in tensors.items() if name.startswith("bar.")
    }
    given: dict[str, Any] = {**arguments["values"]}
    for name in arguments["order"]:
        if name in tensors:
            differentiable = bool(bars) and tensors[name].is_floating_point()
            given[name] = (
                tensors[name].numpy()
                if arguments["as_arrays"]
                else tensors[name].requires_grad_(differentiable)
            )
    result = function(*(given[name] for name in arguments["order"]))
    names = arguments["returns"]
    results = result if len(names) > 1 else (result,)
    if not isinstance(results, (tuple, list)) or len(results) != len(names):
        recorder.add("returned", result)
        return
    for name, value in zip(names, results, strict=True):
        recorder.add(name, torch.from_numpy(value) if isinstance(value, np.ndarray) else value)
    reached = [
        (result * bars[name]).sum()
        for name, result in zip(names, results, strict=True)
        if name in bars and isinstance(result, torch.Tensor) and result.requires_grad
    ]
    inputs = {name: each for name, each in given.items() if getattr(each, "requires_grad", False)}
    if reached and inputs:
        grads = torch.autograd.grad(sum(reached), list(inputs.values()), allow_unused=True)  # type: ignore[arg-type]
        for name, grad in zip(inputs, grads, strict=True):
            if grad is not None:
                recorder.add(f"grad.{name}", grad)


def run_eagerly(model: Any = None, **_options: Any) -> Any:
    """Stand in for torch.compile, as a function or a decorator: return `model` unchanged.

    The real one needs a C++ compiler, which a worker does not have, and imports for seconds even
    when torch's switch disables it.
    """
    return run_eagerly if model is None else model


def _not_installed(package: str, file: str) -> NoReturn:
    raise Misuse(f"{package} is not installed where this is graded; remove its use from {file}")


def set_seeds(seed: int) -> None:
    """Seed all generators that the student's code may draw from."""
    # torch.manual_seed formats a traceback at each call if CUDA is built in but not started.
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def quits_debugger(error: BaseException) -> bool:
    """Whether an exception is a debugger's `q`, at home: it must end the run, not be explained."""
    return type(error).__module__ in ("bdb", "_pytest.outcomes")


def describe(error: BaseException, student: StudentCode) -> dict[str, Any]:
    """Return type, message, file and line (in the student's files) of an exception."""
    try:
        return _describe(error, student)
    except Exception:  # an exception's methods may be the student's code
        return {"type": "Exception", "message": "(it could not be read)", "misuse": False}


def _describe(error: BaseException, student: StudentCode) -> dict[str, Any]:
    file, line = None, None
    text: object = error
    if isinstance(error, SyntaxError) and student.place_of(str(error.filename)) is not None:
        file, line, text = error.filename, error.lineno, error.msg
    else:
        for frame in traceback.extract_tb(error.__traceback__):
            if student.place_of(frame.filename) is not None:
                file, line = frame.filename, frame.lineno
    try:
        message = str(text)
    except Exception:
        message = "(its text could not be read)"
    return {
        "type": str(type(error).__name__)[:80],
        "message": message[:_MESSAGE_LENGTH],
        "misuse": isinstance(error, Misuse),
        "file": student.place_of(file) if file else None,
        "line": line,
    }


def _to_array(plain: torch.Tensor) -> Array:
    if plain.dtype == torch.bfloat16:  # numpy has none
        plain = plain.float()
    # A copy, which the student's code cannot change later.
    array: Array = plain.resolve_neg().contiguous().numpy().copy()
    return array
