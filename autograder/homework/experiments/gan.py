"""Experiments on problems 2, 4 and 5: one loss function between two probe networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from autograder.engine.worker.serve import Misuse, Recorder, StudentCode, set_seeds
from autograder.homework.experiments.probes import (
    IMAGE,
    ProbeCritic,
    ProbeGenerator,
    bits,
    changed_parameters,
)


def gan_losses(
    student: StudentCode,
    arguments: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    recorder: Recorder,
) -> None:
    """Call one loss, once with every seed, each time between networks of its own.

    Of the call with the n-th seed, counted from 0, are recorded as `{n}.loss` and so on: its value,
    its gradient and all that g and d were given.

    Arguments: `function`, `seeds`, `conditional`, `trains` ("g" or "d": whose gradient to record,
    as `grad.{parameter}`), `gradient` (whether to record it), `images` (whether to send back what
    d was given).
    """
    function = student.attribute("gan", str(arguments["function"]))
    for n, seed in enumerate(arguments["seeds"]):
        set_seeds(int(seed))
        _call_once(function, arguments, tensors, recorder, f"{n}.")


def _call_once(
    function: Callable[..., object],
    arguments: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    recorder: Recorder,
    prefix: str,
) -> None:
    conditional = bool(arguments["conditional"])
    g = ProbeGenerator(tensors, conditional)
    d = ProbeCritic(tensors, conditional)
    # A copy: what this call does to its images is not to be met by the next.
    x_real = tensors["x_real"].reshape(-1, *IMAGE).clone()
    inputs = [x_real, tensors["labels"].clone()] if conditional else [x_real]
    everything = [*g.parameters(), *d.parameters()]
    before = bits(everything)
    loss = function(g, d, *inputs, device=torch.device("cpu"))
    # The state of the random numbers afterwards: a loss that seeds them leaves the same every time.
    recorder.note(f"{prefix}next_random", torch.rand(4, dtype=torch.float64).tolist())
    recorder.add(f"{prefix}loss", loss)
    g.report(recorder, f"{prefix}g")
    d.report(recorder, f"{prefix}d", images=bool(arguments["images"]))
    trained = g if arguments["trains"] == "g" else d
    if not isinstance(loss, Tensor) or loss.dim() != 0 or not arguments["gradient"]:
        return
    parameters = dict(trained.named_parameters())
    found: tuple[Tensor | None, ...] = (None,) * len(parameters)
    if loss.requires_grad:
        try:
            found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        except RuntimeError:
            _explain(str(arguments["function"]), everything, before)
            raise
    recorder.note(f"{prefix}reached", any(gradient is not None for gradient in found))
    for (name, parameter), gradient in zip(parameters.items(), found, strict=True):
        recorder.add(
            f"{prefix}grad.{name}", torch.zeros_like(parameter) if gradient is None else gradient
        )


def _explain(function: str, parameters: Sequence[Tensor], before: Tensor) -> None:
    """Say why a loss cannot be differentiated any more, where it did itself what the loop does.

    Raises:
        Misuse: it called backward(), or changed the parameters.
    """
    if not torch.equal(before, bits(parameters)):
        raise changed_parameters(function)
    if any(parameter.grad is not None for parameter in parameters):
        raise Misuse(
            f"{function} calls backward() itself, so that the training loop's backward() finds "
            "nothing left; only return the loss"
        )
