"""The experiment of 1.3, in the worker: the bound between an encoder and a decoder of the judge's.

1.1 and 1.2 need none: `Student.call` calls a function with arrays.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autograder.engine.sandbox.experiment import Experiment, Misuse, Recorder, StudentCode

NAMES = ("nelbo", "kl", "rec")
_MOST_ROWS = 10_000


class ProbeEncoder(nn.Module):
    """m = x m_weight^T + m_bias, v = exp(x v_weight^T + v_bias)."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.m_weight = nn.Parameter(tensors["encoder.m_weight"].clone())
        self.m_bias = nn.Parameter(tensors["encoder.m_bias"].clone())
        self.v_weight = nn.Parameter(tensors["encoder.v_weight"].clone())
        self.v_bias = nn.Parameter(tensors["encoder.v_bias"].clone())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (..., X) to m and v (..., D)."""
        m = F.linear(x, self.m_weight, self.m_bias)
        return m, torch.exp(F.linear(x, self.v_weight, self.v_bias))


class ProbeDecoder(nn.Module):
    """logits = tanh(z) weight^T + bias; keeps every z that it is given."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.weight = nn.Parameter(tensors["decoder.weight"].clone())
        self.bias = nn.Parameter(tensors["decoder.bias"].clone())
        self.seen: list[Tensor] = []

    def forward(self, z: Tensor) -> Tensor:
        """Map z (..., D) to logits (..., X)."""
        size = self.weight.shape[1]
        if not isinstance(z, Tensor) or z.dim() == 0 or z.shape[-1] != size:
            shape = tuple(z.shape) if isinstance(z, Tensor) else type(z).__name__
            raise Misuse(f"the decoder was called with {shape}, expected z of shape (B, D)")
        rows = z.detach().reshape(-1, size).clone()
        # The same z once more, for example to show an image, is no other sample.
        if not any(torch.equal(rows, other) for other in self.seen):
            self.seen.append(rows)
        if sum(map(len, self.seen)) > _MOST_ROWS:
            raise Misuse("the decoder was called far more often than the bound needs")
        return F.linear(torch.tanh(z), self.weight, self.bias)


def negative_elbo(
    student: StudentCode,
    arguments: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    recorder: Recorder,
) -> None:
    """Call VAE.negative_elbo_bound once; record nelbo, kl, rec and the gradient of nelbo.

    `z` has the samples that the decoder was given as rows, `samples` their number.

    `arguments` has `given`: the text of functions that take the place of the student's own of
    these names, or "" to leave those.
    """
    with _given(student, str(arguments["given"])):
        encoder, decoder = ProbeEncoder(tensors), ProbeDecoder(tensors)
        vae = student.attribute("vae", "VAE")(encoder, decoder)
        returned = vae.negative_elbo_bound(tensors["x"])
    recorder.note("samples", sum(map(len, decoder.seen)))
    if decoder.seen:
        recorder.add("z", torch.cat(decoder.seen))
    if not isinstance(returned, (tuple, list)) or len(returned) != len(NAMES):
        recorder.add("returned", returned)
        return
    for name, value in zip(NAMES, returned, strict=True):
        recorder.add(name, value)
    nelbo = returned[0]
    if isinstance(nelbo, Tensor) and nelbo.dim() == 0 and nelbo.requires_grad:
        nelbo.backward()  # type: ignore[no-untyped-call]
    for prefix, network in (("encoder", encoder), ("decoder", decoder)):
        for name, parameter in network.named_parameters():
            if parameter.grad is not None:
                recorder.add(f"grad.{prefix}.{name}", parameter.grad)


@contextlib.contextmanager
def _given(student: StudentCode, text: str) -> Iterator[None]:
    """Replace the student's functions in both files, under whatever name they were imported."""
    functions: dict[str, Any] = {}
    exec(text, functions)
    modules = [student.module(name) for name in ("gaussians", "vae")] if text else []
    replaced: list[tuple[ModuleType, str, object]] = []
    for name in ("sample_gaussian", "log_normal"):
        own = getattr(modules[0], name, None) if modules else None
        for module in modules if own is not None else ():
            for key, value in list(vars(module).items()):
                if value is own:
                    setattr(module, key, functions[name])
                    replaced.append((module, key, value))
    try:
        yield
    finally:
        for module, key, value in replaced:
            setattr(module, key, value)


EXPERIMENTS: dict[str, Experiment] = {"negative_elbo": negative_elbo}
