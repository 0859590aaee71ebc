"""The worker's loop: read a request, run one experiment beside the student's code, reply.

Everything the student's code can do happens below `serve`: whatever it raises, SystemExit
included, becomes a reply that says so.
"""

from __future__ import annotations

import builtins
import importlib
import math
import os
import pdb
import random
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import numpy as np
import torch

from autograder.engine.worker import frames
from autograder.engine.worker.confine import is_ours
from autograder.engine.worker.stand_ins import StandIns

_MESSAGE_LENGTH = 600
# More than the names and shapes of all arrays of a reply can take.
_SAFETENSORS_HEADER = 64 * 1024
_DTYPES = frozenset(
    {
        *(torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.bool),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8),
    }
)


class Misuse(Exception):
    """The student's code used a given thing in a way that cannot work; the text says how."""


class StudentCode:
    """The staged submission, importable; its modules are imported when first asked for.

    Args:
        root: the folder of the staged submission.
        speed: how many times slower this machine is than the one that limits of time were set
            on; infinite where nothing is to be limited.
    """

    def __init__(self, root: Path, speed: float = 1.0) -> None:
        self.root = root
        self.speed = speed
        # Appended, not inserted: the student's files must never shadow ours or the library's.
        # The second entry is for solutions that write `import network`.
        sys.path += [str(root), str(root / "codebase")]
        self.stand_ins = StandIns(root, _not_installed)

    def module(self, name: str) -> ModuleType:
        """Import `codebase.<name>`.

        Raises:
            BaseException: whatever the student's file raises while it is imported.
        """
        return self.load(f"codebase.{name}")

    def load(self, name: str) -> ModuleType:
        """Import a module, with stand-ins for what is not installed; raises as `module` does."""
        while True:
            try:
                return importlib.import_module(name)
            except ModuleNotFoundError as error:
                if not self.stand_ins.admit(error):
                    raise
                self._forget()

    def _forget(self) -> None:
        """Let the submission's modules be imported from the start."""
        inside = f"{self.root}{os.sep}"
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None)).startswith(inside):
                del sys.modules[name]

    def attribute(self, module: str, name: str) -> Any:
        """Return a class or function of the submission.

        Raises:
            Misuse: the file does not define it.
        """
        found = getattr(self.module(module), name, None)
        if found is None:
            file = f"codebase/{module}.py"
            raise Misuse(f"{file} does not define {name}")
        return found


class Recorder:
    """What an experiment saw: plain values for the header, arrays for the body."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.arrays: dict[str, frames.Array] = {}
        self._room = frames.Limits().max_body_bytes - _SAFETENSORS_HEADER

    def add(self, name: str, value: object) -> None:
        """Record any object: a tensor by its contents, a number by its value, else by its type.

        A tensor that cannot be sent (sparse, quantised, on the meta device, of an odd dtype, too
        large) is recorded by what is known about it, without its contents.
        """
        if isinstance(value, torch.Tensor):
            # In words of its own: a subclass may answer anything to everything.
            plain = value.detach()
            if plain.layout == torch.strided:  # others have no storage to share
                plain = plain.as_subclass(torch.Tensor)
            self.values[name] = {
                "kind": "tensor",
                "dtype": str(plain.dtype).removeprefix("torch."),
                "shape": [int(n) for n in plain.shape],
                "requires_grad": bool(value.requires_grad),
            }
            if obstacle := self._obstacle(plain):
                self.values[name]["not_sent"] = obstacle
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

    def _obstacle(self, plain: torch.Tensor) -> str:
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
        """Record a plain value of our own."""
        self.values[name] = value


Experiment = Callable[[StudentCode, Mapping[str, Any], Mapping[str, torch.Tensor], Recorder], None]


def serve(
    sock: socket.socket, experiments: Mapping[str, Experiment], submission: Path, speed: float = 1.0
) -> None:
    """Answer requests until the judge closes the connection; see `StudentCode`."""
    _refuse_dialogues()
    torch.compile = run_eagerly
    student = StudentCode(submission, speed)
    try:
        while True:
            try:
                request = frames.receive(sock, math.inf)
            except frames.PeerClosed:
                return
            frames.send_encoded(sock, _answer(request, experiments, student), math.inf)
    finally:
        student.stand_ins.close()


def _refuse_dialogues() -> None:
    """Let whatever waits for somebody at a keyboard raise, in the student's own line."""
    sys.breakpointhook = _no_dialogue
    builtins.input = _no_dialogue
    pdb.Pdb.__init__ = _no_dialogue  # type: ignore[method-assign]  # all of pdb makes one


def _no_dialogue(*_: object, **__: object) -> NoReturn:
    raise Misuse("breakpoint(), pdb and input() cannot be used in a grading: remove the call")


def run_eagerly(model: Any = None, **_options: Any) -> Any:
    """Stand in for torch.compile: return what it is given, as a function or as a decorator.

    The real one needs a C++ compiler, which a worker has not, and imports for seconds even where
    torch's own switch tells it to compile nothing.
    """
    return run_eagerly if model is None else model


def _import(
    student: StudentCode,
    arguments: Mapping[str, Any],
    tensors: Mapping[str, torch.Tensor],
    recorder: Recorder,
) -> None:
    """Import one file of the submission: the experiment that every homework has."""
    student.load(str(arguments["module"]))


def _self_test(
    student: StudentCode,
    arguments: Mapping[str, Any],
    tensors: Mapping[str, torch.Tensor],
    recorder: Recorder,
) -> None:
    """Use what student code will use, before any of it runs: what fails here is the grader's fault.

    A package may be imported in the zygote and its files out of reach here.
    """
    for name, module in list(sys.modules.items()):
        for folder in [] if "." in name else getattr(module, "__path__", []):
            if os.path.isdir(folder) and not is_ours(Path(folder)):
                os.listdir(folder)
    weight = torch.ones(2, requires_grad=True)
    torch.nn.functional.softplus(torch.outer(weight, weight)).sum().backward()  # type: ignore[no-untyped-call]


def _answer(
    request: frames.Frame, experiments: Mapping[str, Experiment], student: StudentCode
) -> bytes:
    """Return the reply to a request, encoded: also that runs what the student's code changed."""
    header = request.header
    number, name = header["id"], header["experiment"]
    experiment = {"import": _import, "self_test": _self_test}.get(name) or experiments[name]
    try:
        recorder = _recorded(experiment, request, student)
        header = {"id": number, "values": recorder.values}
        return frames.encode(frames.Frame(header, recorder.arrays))
    except BaseException as error:
        header = {"id": number, "error": _described(error, student.root)}
        return frames.encode(frames.Frame(header))


def _recorded(experiment: Experiment, request: frames.Frame, student: StudentCode) -> Recorder:
    """Run an experiment; again, where it came to the import of something that is not installed."""
    while True:
        set_seeds(int(request.header["seed"]))
        recorder = Recorder()
        tensors = {name: torch.from_numpy(array.copy()) for name, array in request.arrays.items()}
        try:
            experiment(student, request.header["arguments"], tensors, recorder)
        except ModuleNotFoundError as error:
            if not student.stand_ins.admit(error):
                raise
        else:
            return recorder


def _not_installed(package: str, file: str) -> NoReturn:
    raise Misuse(f"{package} is not installed where this is graded; remove its use from {file}")


def set_seeds(seed: int) -> None:
    """Seed all that the student's code may draw from."""
    # Not torch.manual_seed: with CUDA built in but not started, it formats a traceback each time.
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def _described(error: BaseException, root: Path) -> dict[str, Any]:
    try:
        return _describe(error, root)
    except Exception:  # what it asks of the exception is code of the student's
        return {"type": "Exception", "message": "(it could not be read)", "misuse": False}


def _describe(error: BaseException, root: Path) -> dict[str, Any]:
    """Say what was raised and where in the student's files: type, text, file and line."""
    file, line = None, None
    unreadable = isinstance(error, SyntaxError) and str(error.filename).startswith(str(root))
    if isinstance(error, SyntaxError) and unreadable:
        file, line = error.filename, error.lineno
    else:
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename.startswith(str(root)):
                file, line = frame.filename, frame.lineno
    try:
        message = str(error.msg if isinstance(error, SyntaxError) and unreadable else error)
    except Exception:
        message = "(its text could not be read)"
    return {
        "type": str(type(error).__name__)[:80],
        "message": message[:_MESSAGE_LENGTH],
        "misuse": isinstance(error, Misuse),
        "file": Path(file).relative_to(root).as_posix() if file else None,
        "line": line,
    }


def _to_array(plain: torch.Tensor) -> frames.Array:
    if plain.dtype == torch.bfloat16:  # numpy has none
        plain = plain.float()
    # A clone, so that what the student's code changes later is not what was recorded.
    array: frames.Array = plain.resolve_neg().contiguous().numpy().copy()
    return array
