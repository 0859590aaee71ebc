"""Cases as arguments of the experiments: sizes, and float32 arrays by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Protocol, TypeAlias

import numpy as np

from autograder.homework.problems.flow_parameters import (
    Array,
    MadeParameters,
    MapParameters,
    TrainableParameters,
)
from autograder.homework.problems.probe_networks import Critic, Generator, Labels, LinearCritic

_DIGITS = 6
_SHORT = 6  # numbers

Block: TypeAlias = MadeParameters | MapParameters | TrainableParameters


class FlowProblem(Protocol):
    """Sizes of a MADE and data x (B, D); `used`: the network was called before."""

    @property
    def input_size(self) -> int: ...
    @property
    def hidden_size(self) -> int: ...
    @property
    def n_hidden(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def used(self) -> bool: ...
    @property
    def x(self) -> Array: ...


class MadeProblem(FlowProblem, Protocol):
    """A problem for MADE, with parameters and noise z (B, D)."""

    @property
    def weights(self) -> MadeParameters: ...
    @property
    def z(self) -> Array: ...


class MafProblem(FlowProblem, Protocol):
    """A problem for MAF, without its blocks."""

    @property
    def n_flows(self) -> int: ...


class GanProblem(Protocol):
    """A problem for a loss: probe networks, real images (B, 784) and labels (B,)."""

    @property
    def dim_z(self) -> int: ...
    @property
    def conditional(self) -> bool: ...
    @property
    def seed(self) -> int: ...
    @property
    def generator(self) -> Generator: ...
    @property
    def critic(self) -> Critic | LinearCritic: ...
    @property
    def x_real(self) -> Array: ...
    @property
    def labels(self) -> Labels: ...


def made_in_words(problem: FlowProblem) -> str:
    """Return the sizes of a MADE and its batch."""
    sizes = f"{problem.input_size} variables, {problem.hidden_size} hidden units"
    return f"{sizes}, batch {len(problem.x)}"


def maf_in_words(problem: MafProblem) -> str:
    """Return the sizes of a MAF and its batch."""
    blocks = f"{problem.n_flows} block{'s' * (problem.n_flows > 1)}"
    return f"{blocks} with {problem.input_size} variables, batch {len(problem.x)}"


def short_array(name: str, values: Array | Labels) -> str:
    """Return ", z = [[0.5, -1.25]]", or "" for more numbers than a line can show."""
    return f", {name} = {as_list(values)}" if np.size(values) <= _SHORT else ""


def as_list(values: Any) -> str:
    """Format numbers as Python code, with few digits."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0:
        return repr(float(f"{float(array):.{_DIGITS}g}"))
    return "[" + ", ".join(as_list(one) for one in array) + "]"


def made_arrays(weights: MadeParameters, block: int = 0) -> dict[str, Array]:
    """Return a MADE's weights under the experiments' names."""
    arrays: dict[str, Array] = {}
    for j, (weight, bias) in enumerate(weights.layers):
        arrays[f"block{block}.weight{j}"] = float32(weight)
        arrays[f"block{block}.bias{j}"] = float32(bias)
    return arrays


def maf_arrays(blocks: Sequence[Block]) -> dict[str, Array]:
    """Return the parameters of all blocks of a MAF under the experiments' names."""
    arrays: dict[str, Array] = {}
    for k, block in enumerate(blocks):
        if isinstance(block, MadeParameters):
            arrays.update(made_arrays(block, k))
        else:
            for field in fields(block):
                arrays[f"block{k}.{field.name}"] = float32(getattr(block, field.name))
    return arrays


def gan_arrays(case: GanProblem, critic: Critic | LinearCritic) -> dict[str, Any]:
    """Return images, labels and the probe networks' parameters under the experiments' names."""
    generator = case.generator
    arrays: dict[str, Any] = {
        "g.weight": float32(generator.weight),
        "g.bias": float32(generator.bias),
        "x_real": float32(case.x_real),
    }
    if case.conditional and generator.label_embedding is not None:
        arrays["g.label_embedding"] = float32(generator.label_embedding)
        arrays["labels"] = case.labels
    if isinstance(critic, Critic):
        for name in ("w1", "b1", "w2", "b2"):
            arrays[f"d.{name}"] = float32(getattr(critic, name))
    else:
        classes = 10 if case.conditional else 1
        arrays["d.w2"] = float32(np.tile(critic.w, (classes, 1)))
        arrays["d.b2"] = float32(np.full(classes, critic.b))
    return arrays


def made_sizes(case: FlowProblem) -> dict[str, int]:
    """Return the sizes as arguments of an experiment; `used`: the network was called before."""
    return {
        "used": int(case.used),
        "input_size": case.input_size,
        "hidden_size": case.hidden_size,
        "n_hidden": case.n_hidden,
    }


def maf_sizes(case: MafProblem) -> dict[str, int]:
    return {**made_sizes(case), "n_flows": case.n_flows}


def float32(values: Any) -> Any:
    return np.asarray(values, dtype=np.float32)
