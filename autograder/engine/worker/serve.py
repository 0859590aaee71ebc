"""The worker's loop: read a request, run one experiment beside the student's code, reply.

Everything the student's code can do happens below `serve`: whatever it raises, SystemExit
included, becomes a reply that says so.
"""

from __future__ import annotations

import importlib
import linecache
import math
import random
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from autograder.engine.worker import frames

_MESSAGE_LENGTH = 600
_SOURCE_LINE_LENGTH = 160


class Misuse(Exception):
    """The student's code used a given thing in a way that cannot work; the text says how."""


class StudentCode:
    """The staged submission, importable; its modules are imported when first asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # Appended, not inserted: the student's files must never shadow ours or the library's.
        # The second entry is for solutions that write `import network`.
        sys.path += [str(root), str(root / "codebase")]

    def module(self, name: str) -> ModuleType:
        """Import `codebase.<name>`.

        Raises:
            BaseException: whatever the student's file raises while it is imported.
        """
        return importlib.import_module(f"codebase.{name}")

    def attribute(self, module: str, name: str) -> Any:
        """Return a class or function of the submission.

        Raises:
            Misuse: the file does not define it.
        """
        found = getattr(self.module(module), name, None)
        if found is None:
            raise Misuse(f"codebase/{module}.py does not define {name}")
        return found


class Recorder:
    """What an experiment saw: plain values for the header, arrays for the body."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.arrays: dict[str, frames.Array] = {}

    def add(self, name: str, value: object) -> None:
        """Record any object: a tensor by its contents, a number by its value, else by its type."""
        if isinstance(value, torch.Tensor):
            self.values[name] = {
                "kind": "tensor",
                "dtype": str(value.dtype).removeprefix("torch."),
                "shape": list(value.shape),
                "requires_grad": bool(value.requires_grad),
            }
            self.arrays[name] = _to_array(value)
        elif isinstance(value, (bool, int, float)) and math.isfinite(value):
            self.values[name] = {
                "kind": "number",
                "type": type(value).__name__,
                "value": float(value),
            }
        else:
            self.values[name] = {"kind": "other", "type": type(value).__name__[:80]}

    def note(self, name: str, value: bool | int | float | str | list[Any] | None) -> None:
        """Record a plain value of our own."""
        self.values[name] = value


Experiment = Callable[[StudentCode, Mapping[str, Any], Mapping[str, torch.Tensor], Recorder], None]


def serve(sock: socket.socket, experiments: Mapping[str, Experiment], submission: Path) -> None:
    """Answer requests until the judge closes the connection."""
    student = StudentCode(submission)
    while True:
        try:
            request = frames.receive(sock, math.inf)
        except frames.PeerClosed:
            return
        frames.send(sock, _answer(request, experiments, student), math.inf)


def _answer(
    request: frames.Frame, experiments: Mapping[str, Experiment], student: StudentCode
) -> frames.Frame:
    header = request.header
    seed = int(header["seed"])
    # Not torch.manual_seed: with CUDA built in but not started, it formats a traceback each time.
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    recorder = Recorder()
    tensors = {name: torch.from_numpy(array.copy()) for name, array in request.arrays.items()}
    try:
        experiments[header["experiment"]](student, header["arguments"], tensors, recorder)
    except BaseException as error:
        return frames.Frame({"id": header["id"], "error": _describe(error, student.root)})
    return frames.Frame({"id": header["id"], "values": recorder.values}, recorder.arrays)


def _describe(error: BaseException, root: Path) -> dict[str, Any]:
    """Say what was raised and where in the student's files: type, text, file, line, source."""
    file, line = None, None
    if isinstance(error, SyntaxError) and error.filename:
        file, line = error.filename, error.lineno
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(str(root)):
            file, line = frame.filename, frame.lineno
    inside = file is not None and file.startswith(str(root))
    try:
        message = str(error)
    except Exception:
        message = "(its text could not be read)"
    return {
        "type": type(error).__name__[:80],
        "message": message[:_MESSAGE_LENGTH],
        "misuse": isinstance(error, Misuse),
        "file": Path(file).relative_to(root).as_posix() if inside and file else None,
        "line": line if inside else None,
        "source": linecache.getline(file, line).strip()[:_SOURCE_LINE_LENGTH]
        if inside and file and line
        else None,
    }


def _to_array(value: torch.Tensor) -> frames.Array:
    plain = value.detach()
    if plain.dtype in (torch.bfloat16,):
        plain = plain.float()
    if plain.is_complex():
        plain = torch.view_as_real(plain)
    # A clone, so that what the student's code changes later is not what was recorded.
    array: frames.Array = plain.to("cpu").contiguous().numpy().copy()
    return array
