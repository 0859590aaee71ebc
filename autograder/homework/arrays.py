"""Cases as the experiments know them: sizes, and arrays by name in float32."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.homework.oracles import flow, gan
from autograder.homework.oracles.flow import Array
from autograder.homework.strategies import GanCase, MadeCase, MafCase


def made_arrays(weights: flow.MadeWeights, block: int = 0) -> dict[str, Array]:
    """Name a MADE's weights as the experiments know them."""
    arrays: dict[str, Array] = {}
    for j, (weight, bias) in enumerate(weights.layers):
        arrays[f"block{block}.weight{j}"] = float32(weight)
        arrays[f"block{block}.bias{j}"] = float32(bias)
    return arrays


def maf_arrays(blocks: tuple[flow.Block[Any], ...]) -> dict[str, Array]:
    """Name the parameters of all blocks of a MAF as the experiments know them."""
    arrays: dict[str, Array] = {}
    for k, block in enumerate(blocks):
        if isinstance(block, flow.MadeWeights):
            arrays.update(made_arrays(block, k))
        elif isinstance(block, flow.ElementwiseMap):
            for name in ("scale", "bend", "shift"):
                arrays[f"block{k}.{name}"] = float32(getattr(block, name))
    return arrays


def gan_arrays(case: GanCase, critic: gan.Critic | gan.LinearCritic) -> dict[str, Any]:
    """Name the parameters of the probe networks as the experiments know them."""
    generator = case.generator
    arrays: dict[str, Any] = {
        "g.weight": float32(generator.weight),
        "g.bias": float32(generator.bias),
        "x_real": float32(case.x_real),
    }
    if case.conditional and generator.label_embedding is not None:
        arrays["g.label_embedding"] = float32(generator.label_embedding)
        arrays["labels"] = case.labels
    if isinstance(critic, gan.Critic):
        for name in ("w1", "b1", "w2", "b2"):
            arrays[f"d.{name}"] = float32(getattr(critic, name))
    else:
        classes = 10 if case.conditional else 1
        arrays["d.w2"] = float32(np.tile(critic.w, (classes, 1)))
        arrays["d.b2"] = float32(np.full(classes, critic.b))
    return arrays


def made_sizes(case: MadeCase | MafCase) -> dict[str, int]:
    return {
        "input_size": case.input_size,
        "hidden_size": case.hidden_size,
        "n_hidden": case.n_hidden,
    }


def maf_sizes(case: MafCase) -> dict[str, int]:
    return {**made_sizes(case), "n_flows": case.n_flows}


def float32(values: Any) -> Any:
    return np.asarray(values, dtype=np.float32)
