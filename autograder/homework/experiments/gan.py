"""Experiments on problems 2, 4 and 5: one loss function between two probe networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from autograder.engine.worker.serve import Recorder, StudentCode
from autograder.homework.experiments.probes import IMAGE, ProbeCritic, ProbeGenerator


def gan_loss(
    student: StudentCode,
    arguments: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    recorder: Recorder,
) -> None:
    """Call one loss and record its value, its gradient and all that g and d were given.

    Arguments: `function`, `conditional`, `trains` ("g" or "d": whose gradient to record, as
    `grad.{parameter}`), `images` (whether to send back what d was given).
    """
    conditional = bool(arguments["conditional"])
    g = ProbeGenerator(tensors, conditional)
    d = ProbeCritic(tensors, conditional)
    x_real = tensors["x_real"].reshape(-1, *IMAGE)
    inputs = [x_real, tensors["labels"]] if conditional else [x_real]
    function = student.attribute("gan", str(arguments["function"]))
    loss = function(g, d, *inputs, device=torch.device("cpu"))
    # The state of the random numbers afterwards: a loss that seeds them leaves the same every time.
    recorder.note("next_random", torch.rand(4, dtype=torch.float64).tolist())
    recorder.add("loss", loss)
    g.report(recorder, "g")
    d.report(recorder, "d", images=bool(arguments.get("images", True)))
    trained = g if arguments["trains"] == "g" else d
    if not isinstance(loss, Tensor) or loss.dim() != 0 or not arguments.get("gradient", True):
        return
    parameters = dict(trained.named_parameters())
    found: tuple[Tensor | None, ...] = (None,) * len(parameters)
    if loss.requires_grad:
        found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    recorder.note("reached", any(gradient is not None for gradient in found))
    for (name, parameter), gradient in zip(parameters.items(), found, strict=True):
        recorder.add(f"grad.{name}", torch.zeros_like(parameter) if gradient is None else gradient)
