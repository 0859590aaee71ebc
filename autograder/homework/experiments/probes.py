"""Small networks with weights from the judge that record their inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from autograder.engine.sandbox.experiment import Misuse, Recorder

# The judge's arrays, by name.
Tensors = Mapping[str, Tensor]

IMAGE = (1, 28, 28)
# A solution that handles the images one by one calls a network 1024 times in the largest check.
_MAX_CALLS = 1100
_MAX_ROWS = 16_000  # 50 MB of images, below the limit of a reply


class StandIn(nn.Module):
    """A network that replaces one of the homework's, with the same attributes except layers."""

    def __getattr__(self, name: str) -> Any:
        """Explain which attributes exist if a loss uses another one."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            raise AttributeError(
                f"the networks in the tests are not the homework's and have no {name}; call g(...) "
                "and d(...) as a whole, and take g.dim_z and g.num_classes from g"
            ) from None


def bits(parameters: Iterable[Tensor]) -> Tensor:
    """Return a copy of all parameters as one row of integers, in which NaN equals NaN."""
    return torch.cat([parameter.detach().reshape(-1) for parameter in parameters]).view(torch.int32)


def changed_parameters(function: str) -> Misuse:
    """Return the error for a loss that has changed its networks."""
    return Misuse(
        f"{function} changes parameters of g or d itself; a loss must only compute a number, and "
        "the optimiser of the training loop makes the step"
    )


@dataclass
class _Seen:
    """The rows and labels of every call, and the number of all rows.

    A copy of a network writes into the original's record.
    """

    calls: list[tuple[Tensor, Tensor | None]] = field(default_factory=list)
    rows: int = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> _Seen:
        """Return the record itself."""
        return self


class Probe(StandIn):
    """Keeps a copy of the input and labels of every call of `forward`.

    Its output is a view exactly where the homework's network returns one, since a view cannot be
    detached in place.
    """

    def __init__(self, name: str, conditional: bool) -> None:
        super().__init__()
        self._name = name
        self._conditional = conditional
        self._seen = _Seen()

    def note(self, value: object, labels: tuple[object, ...]) -> tuple[Tensor, Tensor | None]:
        """Check and record the arguments of a call.

        Raises:
            Misuse: the homework's network could not take them.
        """
        if not isinstance(value, Tensor) or not value.is_floating_point():
            raise Misuse(f"{self._name} was called with something that is not a float tensor")
        if len(labels) != int(self._conditional):
            inputs = "an input and labels" if self._conditional else "one input"
            raise Misuse(
                f"{self._name} takes {inputs}; its number of arguments was {1 + len(labels)}"
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
            raise Misuse(
                f"{self._name} was called far more often than the loss needs; look for a loop that "
                "never ends"
            )

    def report(self, recorder: Recorder, key: str, *, images: bool = True) -> None:
        """Record the rows of all calls, joined, as `{key}.input` and `{key}.labels`.

        `{key}_calls` has the number of rows of each call.
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
    """A copy of a tensor's values, also inside torch.func's `grad` and `vmap`.

    A tensor is a wrapper there, whose values cannot be read. The batch that `vmap` hides, of inputs
    with `dimensions` each, is joined with the first dimension.
    """
    try:
        return _unwrapped(value, dimensions)
    except AttributeError:  # a torch without these internal names; needed for wrappers only
        return value.detach().clone()


def _unwrapped(value: Tensor, dimensions: int) -> Tensor:
    functorch = torch._C._functorch
    with torch._C._DisableFuncTorch():  # else results are wrapped again
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

    def __init__(self, tensors: Tensors, conditional: bool) -> None:
        super().__init__("g", conditional)
        self.weight = nn.Parameter(tensors["g.weight"].clone())
        self.bias = nn.Parameter(tensors["g.bias"].clone())
        if conditional:
            self.label_embedding = nn.Parameter(tensors["g.label_embedding"].clone())
            self.num_classes = len(self.label_embedding)
        self.dim_z = self.weight.shape[1]

    def forward(self, z: Tensor, *labels: object, y: object = None) -> Tensor:
        """Map z (B, dim_z) to images; labels may be given by name, as in the homework's."""
        if not isinstance(z, Tensor) or z.dim() != 2 or z.shape[1] != self.dim_z:
            shape = tuple(z.shape) if isinstance(z, Tensor) else type(z).__name__
            raise Misuse(f"g was called with {shape}, expected z of shape (B, g.dim_z)")
        z, label = self.note(z, labels if y is None else (*labels, y))
        # A sum of images, not a view of a sum of rows.
        images = (z @ self.weight.T).reshape(-1, *IMAGE) + self.bias.reshape(IMAGE)
        if label is not None:
            # Twenty times as fast as an index, backward.
            images = images + embedding(label, self.label_embedding).reshape(-1, *IMAGE)
        return images


class ProbeCritic(Probe):
    """logits = (w2 tanh(w1 x + b1) + b2)[label], or a linear critic where only w2, b2 are given."""

    def __init__(self, tensors: Tensors, conditional: bool) -> None:
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
    """Images (B, ...) as rows (B, n), in such a way that the gradient by x is no view either.

    The gradient through flattening is a view, the one through a product is not.
    """
    return (x * 1.0).flatten(1)


def of_label(logits: Tensor, label: Tensor | None) -> Tensor:
    """The entry (B,) of a label, or the only one; a view, as the homework's networks return."""
    return (logits if label is None else logits.gather(1, label.unsqueeze(1))).squeeze(1)
