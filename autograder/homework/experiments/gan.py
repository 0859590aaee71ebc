"""Experiments on problems 2, 4 and 5: a loss function called with two probe networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from autograder.engine.sandbox.experiment import Misuse, Recorder, StudentCode, set_seeds
from autograder.homework.experiments.batches import explain_by_batch, is_nan
from autograder.homework.experiments.probes import (
    IMAGE,
    ProbeCritic,
    ProbeGenerator,
    Tensors,
    bits,
    changed_parameters,
)


def gan_losses(
    student: StudentCode, arguments: Mapping[str, Any], tensors: Tensors, recorder: Recorder
) -> None:
    """Call one loss, once with every seed, each time with fresh networks.

    Records the value, the gradient and the inputs of g and d of the call with seed number n = 0, 1,
    ... as `{n}.loss` and so on.

    Arguments: `function`, `seeds`, `conditional`, `trains` ("g" or "d": whose gradient to record,
    as `grad.{parameter}`), `gradient` (whether to record it), `images` (whether to send back what
    d was given).
    """
    function = student.attribute("gan", str(arguments["function"]))
    for n, seed in enumerate(arguments["seeds"]):
        set_seeds(int(seed))
        _call_once(student, function, arguments, tensors, recorder, f"{n}.")


def _call_once(
    student: StudentCode,
    function: Callable[..., object],
    arguments: Mapping[str, Any],
    tensors: Tensors,
    recorder: Recorder,
    prefix: str,
) -> None:
    name, conditional = str(arguments["function"]), bool(arguments["conditional"])
    batch = len(tensors["x_real"])

    def call(size: int, g: ProbeGenerator, d: ProbeCritic) -> object:
        # Copies, so that changes to the images do not reach the next call.
        rows = torch.arange(size) % batch
        x_real = tensors["x_real"].index_select(0, rows).reshape(-1, *IMAGE)
        inputs = [x_real, tensors["labels"][rows]] if conditional else [x_real]
        return function(g, d, *inputs, device=torch.device("cpu"))

    def call_again(size: int) -> object:
        return call(size, ProbeGenerator(tensors, conditional), ProbeCritic(tensors, conditional))

    g, d = ProbeGenerator(tensors, conditional), ProbeCritic(tensors, conditional)
    everything = [*g.parameters(), *d.parameters()]
    before = bits(everything)
    try:
        loss = call(batch, g, d)
    except Exception as error:
        explain_by_batch(student, name, batch, call_again, error)
        raise
    # The state of the random numbers afterwards: always the same if the loss seeds them.
    recorder.note(f"{prefix}next_random", torch.rand(4, dtype=torch.float64).tolist())
    recorder.add(f"{prefix}loss", loss)
    if is_nan(loss):
        explain_by_batch(student, name, batch, call_again)
    g.report(recorder, f"{prefix}g")
    d.report(recorder, f"{prefix}d", images=bool(arguments["images"]))
    trained = g if arguments["trains"] == "g" else d
    if not isinstance(loss, Tensor) or loss.dim() != 0 or not arguments["gradient"]:
        return
    parameters = dict(trained.named_parameters())
    went_backward = any(parameter.grad is not None for parameter in everything)
    for parameter in (*everything, *parameters.values()):
        parameter.grad = None
    if loss.requires_grad:
        try:
            # As the training loop does it: not all of autograd works with torch.autograd.grad.
            loss.backward()  # type: ignore[no-untyped-call]
        except RuntimeError:
            _explain(name, everything, before, went_backward=went_backward)
            raise
    gradients = {key: parameter.grad for key, parameter in parameters.items()}
    recorder.note(f"{prefix}reached", any(gradient is not None for gradient in gradients.values()))
    for key, gradient in gradients.items():
        recorder.add(
            f"{prefix}grad.{key}",
            torch.zeros_like(parameters[key]) if gradient is None else gradient,
        )


def _explain(
    function: str, parameters: Sequence[Tensor], before: Tensor, *, went_backward: bool
) -> None:
    """Explain why a loss cannot be differentiated.

    Raises:
        Misuse: it called backward() itself, or changed the parameters.
    """
    if not torch.equal(before, bits(parameters)):
        raise changed_parameters(function)
    if went_backward:
        raise Misuse(
            f"{function} calls backward() itself, so that the training loop's backward() finds "
            "nothing left; only return the loss"
        )
