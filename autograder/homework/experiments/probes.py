"""Small networks whose weights the judge chose and which record what they are given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from autograder.engine.sandbox.experiment import Misuse, Recorder

IMAGE = (1, 28, 28)
# A solution that handles the images one by one calls a network 1024 times in the largest check.
_MAX_CALLS = 1100
_MAX_ROWS = 16_000  # 50 MB of images, within what a reply may hold


class StandIn(nn.Module):
    """A network in place of the handout's, with what that has beside its layers."""

    def __getattr__(self, name: str) -> Any:
        """Say what there is, where a loss asks for something else."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            raise AttributeError(
                f"the tests' networks are not the handout's and have no {name}; call g(...) and "
                "d(...) as a whole, and take g.dim_z and g.num_classes from g"
            ) from None


def bits(parameters: Iterable[Tensor]) -> Tensor:
    """Return a copy of parameters, one after the other, as integers: there NaN equals NaN."""
    return torch.cat([parameter.detach().reshape(-1) for parameter in parameters]).view(torch.int32)


def changed_parameters(function: str) -> Misuse:
    """Return what to raise where a loss has changed the networks it was given."""
    return Misuse(
        f"{function} changes parameters of g or d itself; a loss only computes a number, and the "
        "optimiser of the training loop makes the step"
    )


@dataclass
class _Seen:
    """The rows and labels of every call, and how many rows that are together.

    A copy of a network writes into the record of the original.
    """

    calls: list[tuple[Tensor, Tensor | None]] = field(default_factory=list)
    rows: int = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> _Seen:
        """Return the record itself."""
        return self


class Probe(StandIn):
    """Keeps a copy of the input and labels of every call of `forward`.

    It allows what the given network allows, so what it returns is a view exactly where the given
    network's output is one: a view cannot be detached in place.
    """

    def __init__(self, name: str, conditional: bool) -> None:
        super().__init__()
        self._name = name
        self._conditional = conditional
        self._seen = _Seen()

    def note(self, value: object, labels: tuple[object, ...]) -> tuple[Tensor, Tensor | None]:
        """Check and record the arguments of a call.

        Raises:
            Misuse: the network was called with something that the real one could not take.
        """
        if not isinstance(value, Tensor) or not value.is_floating_point():
            raise Misuse(f"{self._name} was called with something that is not a float tensor")
        if len(labels) != int(self._conditional):
            wanted = "an input and labels" if self._conditional else "one input"
            raise Misuse(
                f"{self._name} takes {wanted}; its number of arguments was {1 + len(labels)}"
            )
        label = labels[0] if labels else None
        if self._conditional and (
            not isinstance(label, Tensor)
            or label.dtype != torch.int64
            or label.shape != value.shape[:1]
        ):
            raise Misuse(
                f"{self._name} was called with labels that are not an int64 tensor of shape (B,)"
            )
        tensor = label if isinstance(label, Tensor) else None
        if value.device.type != "meta":
            self._keep(_plain(value, value.dim()), None if tensor is None else _plain(tensor, 1))
        return value, tensor

    def _keep(self, rows: Tensor, labels: Tensor | None) -> None:
        if labels is not None and bool(((labels < 0) | (labels > 9)).any()):
            raise Misuse(f"{self._name} was called with labels outside 0..9")
        self._seen.calls.append((rows, labels))
        self._seen.rows += len(rows)
        if len(self._seen.calls) > _MAX_CALLS or self._seen.rows > _MAX_ROWS:
            raise Misuse(f"{self._name} was called far more often than the loss needs")

    def report(self, recorder: Recorder, key: str, *, images: bool = True) -> None:
        """Record the rows of all calls as `{key}.input` and `{key}.labels`, one after the other.

        `{key}_calls` says how many rows each call had.
        """
        recorder.note(f"{key}_calls", [len(value) for value, _ in self._seen.calls])
        if self._seen.calls and images:
            recorder.add(
                f"{key}.input", torch.cat([value.flatten(1) for value, _ in self._seen.calls])
            )
        labels = [label for _, label in self._seen.calls if label is not None]
        if labels:
            recorder.add(f"{key}.labels", torch.cat(labels))


def _plain(value: Tensor, dimensions: int) -> Tensor:
    """A copy of what a tensor holds, also within torch.func's `grad` and `vmap`.

    There it is a wrapper whose values cannot be read. What `vmap` hides, a batch of inputs each of
    which has `dimensions`, is joined with the first dimension.
    """
    functorch = torch._C._functorch
    with torch._C._DisableFuncTorch():  # else what is done to the unwrapped is wrapped again
        hidden = []
        while functorch.is_functorch_wrapped_tensor(value):
            if functorch.is_batchedtensor(value):
                hidden.append(functorch.maybe_get_bdim(value))
            value = functorch.get_unwrapped(value)
        for moved, dimension in enumerate(reversed(hidden)):
            value = value.movedim(dimension + moved, 0)
        value = value.detach()
        return value.flatten(0, value.dim() - dimensions).clone()


class ProbeGenerator(Probe):
    """images = z weight^T + bias (+ the label's row of label_embedding), shape (B, 1, 28, 28)."""

    def __init__(self, tensors: Mapping[str, Tensor], conditional: bool) -> None:
        super().__init__("g", conditional)
        self.weight = nn.Parameter(tensors["g.weight"].clone())
        self.bias = nn.Parameter(tensors["g.bias"].clone())
        if conditional:
            self.label_embedding = nn.Parameter(tensors["g.label_embedding"].clone())
            self.num_classes = len(self.label_embedding)
        self.dim_z = self.weight.shape[1]

    def forward(self, z: Tensor, *labels: object, y: object = None) -> Tensor:
        """Map z (B, dim_z) to images; labels may be given by name, as the real one takes them."""
        if not isinstance(z, Tensor) or z.dim() != 2 or z.shape[1] != self.dim_z:
            shape = tuple(z.shape) if isinstance(z, Tensor) else type(z).__name__
            raise Misuse(f"g was called with {shape}, expected z of shape (B, g.dim_z)")
        z, label = self.note(z, labels if y is None else (*labels, y))
        # A sum of images, not a view of a sum of rows.
        images = (z @ self.weight.T).reshape(-1, *IMAGE) + self.bias.reshape(IMAGE)
        if label is not None:
            images = images + self.label_embedding[label].reshape(-1, *IMAGE)
        return images


class ProbeCritic(Probe):
    """logits = (w2 tanh(w1 x + b1) + b2)[label], or a linear critic where only w2, b2 are given."""

    def __init__(self, tensors: Mapping[str, Tensor], conditional: bool) -> None:
        super().__init__("d", conditional)
        self.w1: Tensor
        self.b1: Tensor
        self.w2: Tensor
        self.b2: Tensor
        for name in ("w1", "b1", "w2", "b2"):
            if f"d.{name}" in tensors:
                setattr(self, name, nn.Parameter(tensors[f"d.{name}"].clone()))

    def forward(self, x: Tensor, *labels: object, y: object = None) -> Tensor:
        """Map images (B, 1, 28, 28) to logits (B,); see `ProbeGenerator` for labels."""
        if not isinstance(x, Tensor) or x.dim() != 4 or x.shape[1:] != IMAGE:
            shape = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise Misuse(f"d was called with {shape}, expected images of shape (B, 1, 28, 28)")
        x, label = self.note(x, labels if y is None else (*labels, y))
        rows = rows_of(x)
        if hasattr(self, "w1"):
            rows = torch.tanh(rows @ self.w1.T + self.b1)
        logits = rows @ self.w2.T + self.b2
        return of_label(logits, label)


def rows_of(x: Tensor) -> Tensor:
    """Images (B, ...) as rows (B, n), so that the gradient that comes back to x is no view either.

    What flattening gives back is one, what a product gives back is not.
    """
    return (x * 1.0).flatten(1)


def of_label(logits: Tensor, label: Tensor | None) -> Tensor:
    """The entry (B,) of a label, or the only one: a view, as the given discriminators return it."""
    return (logits if label is None else logits.gather(1, label.unsqueeze(1))).squeeze(1)
