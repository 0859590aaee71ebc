"""The worker's loop: read a request, run one experiment with the student's code, reply.

All student code runs below `serve`, and everything that it raises, SystemExit included, becomes a
reply.
"""

from __future__ import annotations

import builtins
import math
import os
import pdb
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import torch

from autograder.engine.sandbox import frames
from autograder.engine.sandbox.confine import is_ours
from autograder.engine.sandbox.experiment import (
    Experiment,
    Misuse,
    Recorder,
    StudentCode,
    describe,
    run,
    run_eagerly,
)
from autograder.engine.sandbox.fresh import Settings


def serve(sock: socket.socket, experiments: Mapping[str, Experiment], student: StudentCode) -> None:
    """Answer requests until the judge closes the connection; see `StudentCode`."""
    _refuse_dialogues()
    torch.compile = run_eagerly
    settings = Settings.now()

    def fresh(student: StudentCode, *_: object) -> None:
        """Give the next check the state of a worker that has just started."""
        student.stand_ins.close()
        student.forget()
        settings.restore()

    available = {**experiments, "self_test": _self_test, "fresh": fresh}
    try:
        while True:
            try:
                request = frames.receive(sock, math.inf)
            except frames.PeerClosed:
                return
            frames.send_encoded(sock, _answer(request, available, student), math.inf)
    finally:
        student.stand_ins.close()


def _refuse_dialogues() -> None:
    """Make calls that wait for a keyboard raise, in the student's line."""
    sys.breakpointhook = _no_dialogue
    builtins.input = _no_dialogue
    pdb.Pdb.__init__ = _no_dialogue  # type: ignore[method-assign]  # all of pdb makes one


def _no_dialogue(*_: object, **__: object) -> NoReturn:
    raise Misuse("breakpoint(), pdb and input() cannot be used in a grading: remove the call")


def _self_test(
    student: StudentCode,
    arguments: Mapping[str, Any],
    tensors: Mapping[str, torch.Tensor],
    recorder: Recorder,
) -> None:
    """Try imports and autograd before student code runs: a failure here is the grader's fault.

    A package may have been imported in the zygote while its files are out of reach here.
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
    """Return the encoded reply; encoding may run student code, so its errors count too."""
    header = request.header
    number, name, seed = header["id"], header["experiment"], int(header["seed"])
    try:
        recorder = run(name, header["arguments"], request.arrays, seed, student, experiments)
        return frames.encode(
            frames.Frame({"id": number, "values": recorder.values}, recorder.arrays)
        )
    except BaseException as error:
        return frames.encode(frames.Frame({"id": number, "error": describe(error, student)}))
