"""The worker's loop: read a request, run one experiment beside the student's code, reply.

Everything the student's code can do happens below `serve`: whatever it raises, SystemExit
included, becomes a reply that says so.
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
    told = request.header
    number, name, seed = told["id"], told["experiment"], int(told["seed"])
    try:
        known = {**experiments, "self_test": _self_test}
        recorder = run(name, told["arguments"], request.arrays, seed, student, known)
        header = {"id": number, "values": recorder.values}
        return frames.encode(frames.Frame(header, recorder.arrays))
    except BaseException as error:
        header = {"id": number, "error": describe(error, student)}
        return frames.encode(frames.Frame(header))
