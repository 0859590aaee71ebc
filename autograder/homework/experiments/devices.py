"""Find device mistakes without a GPU, by running the student's functions on a simulated one.

All functions share one worker. A call that combines an input with a tensor made on the CPU raises
where it would raise on a GPU.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from autograder.engine.sandbox.experiment import Recorder, StudentCode, quits_debugger
from autograder.homework.experiments.background import TookTooLong, at_most, lower_priority
from autograder.homework.experiments.probes import IMAGE, ProbeCritic, ProbeGenerator, Tensors
from autograder.homework.experiments.simulated_gpu import GPU, MixedDevices, simulated_gpu

_BATCH = 3
# A call takes some milliseconds; one that hangs must not cost the others their advice.
_LONGEST_CALL_S = 2.0


def on_simulated_gpu(
    student: StudentCode, arguments: Mapping[str, Any], tensors: Tensors, recorder: Recorder
) -> None:
    """Note the outcome of each of `arguments["functions"]`: fine, mixed, missing or other."""
    lower_priority(student)
    with simulated_gpu():
        for name, call in (*_flow_calls(student), *_gan_calls(student, tensors)):
            if name in arguments["functions"]:
                recorder.note(name, _outcome(call, _LONGEST_CALL_S * student.speed))


def _outcome(call: Callable[[], Any], limit_s: float) -> str:
    try:
        with at_most(limit_s):
            call()
    except TookTooLong:
        return "other"
    except NotImplementedError:
        return "missing"
    except MixedDevices:
        return "mixed"
    except Exception as error:
        if quits_debugger(error):
            raise
        return "other"
    return "fine"


def _flow_calls(student: StudentCode) -> Iterator[tuple[str, Callable[[], Any]]]:
    def block() -> Any:
        return student.attribute("flow_network", "MADE")(2, 4, 1).to(GPU)

    def flow() -> Any:
        return student.attribute("flow_network", "MAF")(2, 4, 1, 1).to(GPU)

    x = torch.rand(_BATCH, 2, device=GPU)
    yield "MADE.forward", lambda: block().forward(x)
    yield "MADE.inverse", lambda: block().inverse(x)
    yield "MAF.log_probs", lambda: flow().log_probs(x)


def _gan_calls(student: StudentCode, tensors: Tensors) -> Iterator[tuple[str, Callable[[], Any]]]:
    x_real = torch.rand(_BATCH, *IMAGE, device=GPU)
    labels = torch.zeros(_BATCH, dtype=torch.int64, device=GPU)

    def loss(name: str, conditional: bool) -> Any:
        g = ProbeGenerator(tensors, conditional).to(GPU)
        d = ProbeCritic(tensors, conditional).to(GPU)
        inputs = [x_real, labels] if conditional else [x_real]
        return student.attribute("gan", name)(g, d, *inputs, device=GPU)

    for stem in ("loss_nonsaturating", "conditional_loss_nonsaturating", "loss_wasserstein_gp"):
        for name in (f"{stem}_d", f"{stem}_g"):
            yield name, functools.partial(loss, name, name.startswith("conditional"))
