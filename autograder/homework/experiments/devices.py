"""Find device mistakes without a GPU, by running the student's functions on torch's meta device.

A tensor made on the CPU cannot be combined with tensors there, so the call raises exactly where it
would raise on a GPU. All functions share one worker, since torch's first operation on that device
imports for a second.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from autograder.engine.sandbox.experiment import Recorder, StudentCode, quits_debugger
from autograder.homework.experiments.background import TookTooLong, at_most, lower_priority
from autograder.homework.experiments.probes import IMAGE, ProbeCritic, ProbeGenerator, Tensors

_META = torch.device("meta")
_BATCH = 3
# A call takes some milliseconds; one that hangs must not cost the others their advice.
_LONGEST_CALL_S = 2.0


def on_meta_device(
    student: StudentCode, arguments: Mapping[str, Any], tensors: Tensors, recorder: Recorder
) -> None:
    """Note the outcome of every function of the homework: fine, mixed, missing or other."""
    lower_priority(student)
    if student.own_process:  # calls are timed there, and the first must not pay for the imports
        with contextlib.suppress(Exception):  # without a folder to write to, no call works
            warm_up()
    # Validation of a distribution's arguments reads values, which meta tensors do not have.
    torch.distributions.Distribution.set_default_validate_args(False)
    with _simulated_gpu():
        for name, call in (*_flow_calls(student), *_gan_calls(student, tensors)):
            recorder.note(name, _outcome(call, _LONGEST_CALL_S * student.speed))


@contextlib.contextmanager
def _simulated_gpu() -> Iterator[None]:
    """Let code that tests for a GPU find one.

    Everything is restored: a student's own pytest continues with other checks in this process.
    """
    is_available, cuda = torch.cuda.is_available, torch.Tensor.cuda
    torch.cuda.is_available = lambda: True
    torch.Tensor.cuda = lambda tensor, *_, **__: tensor.to(_META)  # type: ignore[method-assign]
    try:
        yield
    finally:
        torch.cuda.is_available = is_available
        torch.Tensor.cuda = cuda  # type: ignore[method-assign]


def warm_up() -> None:
    """Run torch's first operation on the meta device, which imports for a second."""
    torch.empty(2, 2, device=_META) @ torch.empty(2, 2, device=_META) + 1.0


def _outcome(call: Callable[[], Any], limit_s: float) -> str:
    try:
        with at_most(limit_s):
            call()
    except TookTooLong:
        return "other"
    except NotImplementedError:
        return "missing"
    except Exception as error:
        if quits_debugger(error):
            raise
        text = str(error)
        mixed = "same device" in text or "not on the expected device" in text
        return "mixed" if mixed else "other"
    return "fine"


def _flow_calls(student: StudentCode) -> Iterator[tuple[str, Callable[[], Any]]]:
    def block() -> Any:
        return student.attribute("flow_network", "MADE")(2, 4, 1).to(_META)

    def flow() -> Any:
        return student.attribute("flow_network", "MAF")(2, 4, 1, 1).to(_META)

    x = torch.empty(_BATCH, 2, device=_META)
    yield "MADE.forward", lambda: block().forward(x)
    yield "MADE.inverse", lambda: block().inverse(x)
    yield "MAF.log_probs", lambda: flow().log_probs(x)


def _gan_calls(student: StudentCode, tensors: Tensors) -> Iterator[tuple[str, Callable[[], Any]]]:
    x_real = torch.empty(_BATCH, *IMAGE, device=_META)
    labels = torch.empty(_BATCH, dtype=torch.int64, device=_META)

    def loss(name: str, conditional: bool) -> Any:
        g = ProbeGenerator(tensors, conditional).to(_META)
        d = ProbeCritic(tensors, conditional).to(_META)
        inputs = [x_real, labels] if conditional else [x_real]
        return student.attribute("gan", name)(g, d, *inputs, device=_META)

    for stem in ("loss_nonsaturating", "conditional_loss_nonsaturating", "loss_wasserstein_gp"):
        for name in (f"{stem}_d", f"{stem}_g"):
            yield name, functools.partial(loss, name, name.startswith("conditional"))
