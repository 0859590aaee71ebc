"""Initial weights of the flow's training runs: a trained flow whose weights were disturbed.

A run from random weights needs several times as many steps. The disturbed flow fits the data worse
than one that does nothing at all, and only steps along the correct gradient lead back. There are
two: one of MADE blocks, and one of the known maps that replace them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from autograder.homework.oracles.flow import MadeWeights, TrainableMap
from autograder.homework.problems.flow_parameters import Array

SIZES = {"input_size": 2, "hidden_size": 16, "n_hidden": 1, "n_flows": 4}
KNOWN_FLOWS = 3
_KNOWN_UNITS = 32
_MAP_PARAMETERS = tuple(field.name for field in fields(TrainableMap))
# The names are those of the experiment; made by `python -m benchmarks.training --make-start`, and
# with `--known-blocks`.
TRAINED = Path(__file__).with_name("trained_flow.npz")
TRAINED_MAPS = Path(__file__).with_name("trained_known_maps.npz")
# In standard deviations of a linear layer's initial weights.
_DISTURBANCE = 0.2
# The standard deviation itself: the parameters of the maps are all of the order of one.
_DISTURBANCE_OF_MAPS = 0.2


def random_weights(rng: np.random.Generator) -> tuple[MadeWeights, ...]:
    """Draw the weights of all blocks as torch's linear layers do: U(-1, 1) / sqrt(fan_in)."""
    size, hidden = SIZES["input_size"], SIZES["hidden_size"]
    widths = [size, *[hidden] * (SIZES["n_hidden"] + 1), 2 * size]
    shapes = list(zip(widths[1:], widths[:-1], strict=True))
    return tuple(
        MadeWeights(
            tuple(
                (
                    rng.uniform(-1, 1, (rows, columns)) / np.sqrt(columns),
                    rng.uniform(-1, 1, rows) / np.sqrt(columns),
                )
                for rows, columns in shapes
            )
        )
        for _ in range(SIZES["n_flows"])
    )


def trained() -> tuple[MadeWeights, ...]:
    """Read the weights of a flow that was trained for a long time."""
    layers = range(SIZES["n_hidden"] + 2)
    with np.load(TRAINED) as arrays:
        return tuple(
            MadeWeights(
                tuple(
                    (_read(arrays, f"block{k}.weight{j}"), _read(arrays, f"block{k}.bias{j}"))
                    for j in layers
                )
            )
            for k in range(SIZES["n_flows"])
        )


def _read(arrays: Mapping[str, Array], name: str) -> Array:
    return np.asarray(arrays[name], dtype=np.float64)


def disturbed(blocks: Sequence[MadeWeights], rng: np.random.Generator) -> tuple[MadeWeights, ...]:
    """Add Gaussian noise to all weights, in proportion to a layer's initial ones."""

    def moved(array: Array, fan_in: int) -> Array:
        noise: Array = _DISTURBANCE / np.sqrt(3 * fan_in) * rng.standard_normal(array.shape)
        return array + noise

    return tuple(
        MadeWeights(
            tuple(
                (moved(weight, weight.shape[1]), moved(bias, weight.shape[1]))
                for weight, bias in block.layers
            )
        )
        for block in blocks
    )


def random_maps(rng: np.random.Generator) -> tuple[TrainableMap, ...]:
    """Draw the parameters of smooth known maps whose units spread over the data."""
    shape, half = (2, _KNOWN_UNITS), _KNOWN_UNITS // 2
    return tuple(
        TrainableMap(
            slope=np.full(2, 0.5),
            inner=rng.standard_normal((*shape, 2)),
            offset=1.5 * rng.standard_normal(shape),
            outer=np.concatenate(
                [np.full((2, half), 0.3), 0.3 / np.sqrt(half) * rng.standard_normal((2, half))],
                axis=1,
            ),
        )
        for _ in range(KNOWN_FLOWS)
    )


def trained_maps() -> tuple[TrainableMap, ...]:
    """Read the parameters of known maps that were trained for a long time."""
    with np.load(TRAINED_MAPS) as arrays:
        return tuple(
            TrainableMap(**{name: _read(arrays, f"block{k}.{name}") for name in _MAP_PARAMETERS})
            for k in range(KNOWN_FLOWS)
        )


def disturbed_maps(
    maps: Sequence[TrainableMap], rng: np.random.Generator
) -> tuple[TrainableMap, ...]:
    """Add Gaussian noise to all parameters."""

    def moved(array: Array) -> Array:
        noise: Array = _DISTURBANCE_OF_MAPS * rng.standard_normal(array.shape)
        return array + noise

    return tuple(
        TrainableMap(**{name: moved(getattr(each, name)) for name in _MAP_PARAMETERS})
        for each in maps
    )
