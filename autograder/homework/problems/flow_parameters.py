"""The parameters of problem 1's blocks as plain arrays, as they are sent to the worker.

The oracles compute with them.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]


@functools.lru_cache(maxsize=256)
def masks(input_size: int, hidden_size: int, n_hidden: int) -> tuple[Array, ...]:
    """The masks of ``MADE.create_masks``, one per masked layer.

    Input degrees are 0..D-1, hidden degrees cycle through 0..D-2, output degrees are -1..D-2,
    once for mu and once for alpha. A weight is kept where the later degree >= the earlier one.

    Args:
        input_size: D >= 2.
        hidden_size: H >= 1.
        n_hidden: hidden layers after the input layer, >= 0.

    Returns:
        n_hidden + 2 read-only arrays of 0 and 1: (H, D), then (H, H) each, then (2 D, H).

    Raises:
        ValueError: A size is too small.

    Source: assignment problem 1 (sequential ordering); MADE, arXiv:1502.03509, eq. 12-13.
    """
    for name, value, least in (
        ("input_size", input_size, 2),
        ("hidden_size", hidden_size, 1),
        ("n_hidden", n_hidden, 0),
    ):
        if value < least:
            raise ValueError(f"{name}={value} must be >= {least}")
    hidden = np.arange(hidden_size) % (input_size - 1)
    outputs = np.arange(input_size) - 1
    degrees = [np.arange(input_size), *[hidden] * (n_hidden + 1), np.tile(outputs, 2)]
    layers = tuple(
        (later[:, None] >= earlier[None, :]).astype(np.float64)
        for earlier, later in itertools.pairwise(degrees)
    )
    for mask in layers:
        mask.setflags(write=False)  # the cache returns the same arrays to every caller
    return layers


@dataclass(frozen=True, eq=False)
class MadeParameters:
    """The parameters of one MADE, unmasked, as ``nn.Linear`` stores them.

    Args:
        layers: n_hidden + 2 pairs of weight (out, in) and bias (out,).

    Raises:
        ValueError: The shapes do not make a MADE.
    """

    layers: tuple[tuple[Array, Array], ...]

    def __post_init__(self) -> None:
        if len(self.layers) < 2:
            raise ValueError(f"a MADE has at least 2 layers, got {len(self.layers)}")
        first = self.layers[0][0]
        if first.ndim != 2:
            raise ValueError(f"layer 0: weight must be 2-d, got shape {first.shape}")
        hidden_size, input_size = first.shape
        expected = masks(input_size, hidden_size, len(self.layers) - 2)
        for index, ((weight, bias), mask) in enumerate(zip(self.layers, expected, strict=True)):
            if weight.shape != mask.shape or bias.shape != mask.shape[:1]:
                raise ValueError(
                    f"layer {index}: expected weight {mask.shape} and bias {mask.shape[:1]}, "
                    f"got {weight.shape} and {bias.shape}"
                )

    @property
    def input_size(self) -> int:
        """D."""
        return int(self.layers[0][0].shape[1])

    @property
    def masks(self) -> tuple[Array, ...]:
        """The mask of every layer."""
        hidden_size, input_size = self.layers[0][0].shape
        return masks(input_size, hidden_size, len(self.layers) - 2)

    @functools.cached_property
    def masked(self) -> tuple[tuple[Array, Array], ...]:
        """The layers with their masks applied."""
        return tuple(
            (weight * mask, bias)
            for (weight, bias), mask in zip(self.layers, self.masks, strict=True)
        )


# The names of the known map's parameters in the experiments.
MAP_PARAMETERS = ("scale", "bend", "shift", "lean")


@dataclass(frozen=True, eq=False)
class MapParameters:
    """The parameters of the known map that replaces a MADE when 1.3 is graded.

    Args:
        scale: (D,), > 0.
        bend: (D,), > 0.
        shift: (D,).
        lean: (D - 1,), how much each variable but the first depends on the one before it.

    Raises:
        ValueError: Shapes do not fit, or scale or bend is not positive.
    """

    scale: Array
    bend: Array
    shift: Array
    lean: Array

    def __post_init__(self) -> None:
        shapes = {self.scale.shape, self.bend.shape, self.shift.shape}
        if len(shapes) != 1 or self.scale.ndim != 1:
            raise ValueError(f"scale, bend and shift must share one shape (D,), got {shapes}")
        if self.lean.shape != (len(self.scale) - 1,):
            raise ValueError(f"lean must have shape (D - 1,), got {self.lean.shape}")
        if not (np.all(self.scale > 0) and np.all(self.bend > 0)):
            raise ValueError(
                f"scale={self.scale} and bend={self.bend} must be > 0 for an increasing map"
            )

    @property
    def input_size(self) -> int:
        """D."""
        return len(self.scale)


@dataclass(frozen=True, eq=False)
class TrainableParameters:
    """The parameters of the known map that is trained in place of a MADE, K units per variable.

    Args:
        slope: (D,).
        inner: (D, K, D); only the entries that `sees` marks are used.
        offset: (D, K).
        outer: (D, K).

    Raises:
        ValueError: Shapes do not fit.
    """

    slope: Array
    inner: Array
    offset: Array
    outer: Array

    def __post_init__(self) -> None:
        size, units = self.offset.shape
        expected = ((size,), (size, units, size), (size, units))
        shapes = (self.slope.shape, self.inner.shape, self.outer.shape)
        if shapes != expected:
            raise ValueError(
                f"slope, inner and outer must have shapes {expected} with offset "
                f"{self.offset.shape}, got {shapes}"
            )

    @property
    def input_size(self) -> int:
        """D."""
        return len(self.slope)

    @property
    def increasing(self) -> NDArray[np.bool_]:
        """The units that see their own variable, (K,): the first half."""
        units = self.offset.shape[1]
        increasing: NDArray[np.bool_] = np.arange(units) < units // 2
        return increasing

    @property
    def sees(self) -> Array:
        """1 where a unit sees a variable, (D, K, D): one before its own, or perhaps its own."""
        size = self.input_size
        before = np.tril(np.ones((size, size)), -1)[:, None, :]
        sees: Array = before + np.eye(size)[:, None, :] * self.increasing[:, None]
        return sees
