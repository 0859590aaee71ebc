"""The given networks and the ones in their place, and the list of operations on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from autograder.homework.experiments.probes import ProbeCritic, ProbeGenerator
from autograder.homework.experiments.training import SmallDiscriminator, SmallGenerator
from autograder.homework.problems.arrays import gan_arrays
from autograder.homework.problems.gan_case import GanCase
from autograder.homework.training_runs.gan_training import small_problem
from codebase.network import (
    ConditionalDiscriminator,
    ConditionalGenerator,
    Discriminator,
    Generator,
)

BATCH, DIM_Z = 4, 4


class Networks:
    """A generator and a discriminator, called with labels where they take some."""

    def __init__(self, kind: str, conditional: bool) -> None:
        self.g, self.d = _made(kind, conditional)
        torch.manual_seed(0)
        self.z = torch.randn(BATCH, self.g.dim_z)
        self.x_real = torch.rand(BATCH, 1, 28, 28)
        self.y = [torch.tensor([3, 1, 4, 1])] if conditional else []

    def fake(self) -> Tensor:
        """Images that g makes."""
        images: Tensor = self.g(self.z, *self.y)
        return images

    def judged(self, x: Tensor) -> Tensor:
        """What d says of images."""
        logits: Tensor = self.d(x, *(y[: len(x)] for y in self.y))
        return logits

    def one(self, x: Tensor, *y: Tensor) -> Tensor:
        """What d says of a single image without a batch, as `vmap` and `grad` ask."""
        logit: Tensor = self.d(x[None], *(label[None] for label in y))[0]
        return logit

    def points(self) -> Tensor:
        """Images of which a gradient can be taken."""
        return torch.rand(BATCH, 1, 28, 28, requires_grad=True)


def _made(kind: str, conditional: bool) -> tuple[Any, Any]:
    if kind == "given":
        if conditional:
            return ConditionalGenerator(DIM_Z), ConditionalDiscriminator()
        return Generator(DIM_Z), Discriminator()
    if kind == "probe":
        case = GanCase(BATCH, DIM_Z, 1.5, conditional, 1)
        tensors = {name: torch.tensor(a) for name, a in gan_arrays(case, case.critic).items()}
        return ProbeGenerator(tensors, conditional), ProbeCritic(tensors, conditional)
    weights = small_problem(conditional, 0).weights
    tensors = {name: torch.tensor(a, dtype=torch.float32) for name, a in weights.items()}
    return SmallGenerator(tensors, conditional), SmallDiscriminator(tensors)


Operation = Callable[[Networks], object]
OPERATIONS: dict[str, Operation] = {}


def operation(function: Operation) -> Operation:
    """Take a function into the list under its own name."""
    OPERATIONS[function.__name__] = function
    return function
