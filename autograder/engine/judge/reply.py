"""The form of a reply: arrays of the expected shape, or a sentence on what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from autograder.engine.judge.calls import Array, Outcome
from autograder.engine.judge.exceptions import Unusable
from autograder.engine.judge.trusted_messages import known_type

_OBSTACLES = ("sparse", "quantised", "on the meta device", "too large")
# Far below the largest float64, so that squares and products of such numbers stay finite.
MAX_ABSOLUTE = 1e30
_MAX_GRADIENT_SIZE = 100_000
_COUNTS = {2: "two", 3: "three", 4: "four"}


class Reply:
    """Reads a reply; raises a sentence if something has not the expected form."""

    def __init__(self, outcome: Outcome, function: str) -> None:
        self._arrays = outcome.arrays
        self.function = function
        self.values = outcome.values

    def several(self, names: Sequence[str]) -> None:
        """Refuse a function that did not return several values with these names."""
        if "returned" in self.values:
            count = _COUNTS.get(len(names), str(len(names)))
            raise Unusable(
                f"{self.function} must return {count} tensors, {_listed(names)}; "
                f"it returned {_kind(self.values['returned'])}."
            )

    def array(self, name: str, shape: tuple[int, ...], meaning: str, finite: bool = True) -> Array:
        """Return a recorded tensor as float64.

        Raises:
            Unusable: it is no float tensor of that shape, or has NaN, infinite or huge entries.
        """
        value, array = self.values.get(name), self._arrays.get(name)
        if not isinstance(value, dict) or value.get("kind") != "tensor":
            raise Unusable(
                f"{self.function} must return {name} as a tensor of shape {meaning}; "
                f"it returned {_kind(value)}."
            )
        sent_shape = value.get("shape") if array is None else list(array.shape)
        if sent_shape != list(shape):
            raise Unusable(
                f"{self.function} returns {name} of shape {_tuple(sent_shape)}, "
                f"expected {shape}, that is {meaning}."
            )
        obstacle = str(value.get("not_sent"))
        if array is None and obstacle in _OBSTACLES:
            raise Unusable(
                f"{self.function} returns {name} as a tensor that is {obstacle}; "
                "expected a plain float32 tensor."
            )
        if array is None or value.get("dtype") not in ("float32", "float64"):
            raise Unusable(
                f"{self.function} returns {name} with dtype {_dtype(value)}, expected float32."
            )
        if finite and not np.isfinite(array).all():
            raise Unusable(f"{self.function} returns {name} with NaN or infinite entries.")
        if finite and np.abs(array).max(initial=0.0) > MAX_ABSOLUTE:
            raise Unusable(
                f"{self.function} returns {name} with absolute values above {MAX_ABSOLUTE:g}."
            )
        return array.astype(np.float64)

    def scalar(self, name: str, finite: bool = True) -> float:
        """Return a recorded 0-d tensor as a float."""
        value = self.values.get(name)
        if isinstance(value, dict) and value.get("kind") == "number":
            raise Unusable(
                f"{self.function} returns a Python {_type(value)}; expected a 0-d "
                "tensor that gradients flow through."
            )
        if isinstance(value, dict) and value.get("kind") == "tensor":
            array = self._arrays.get(name)
            shape = value.get("shape") if array is None else list(array.shape)
            if shape != []:
                raise Unusable(
                    f"{self.function} returns a tensor of shape {_tuple(shape)}; expected one "
                    "number for the whole batch, a 0-d tensor."
                )
        return float(self.array(name, (), "() (one number)", finite))

    def numbers(self, name: str) -> tuple[float, ...]:
        """Return a recorded list of numbers; empty if it is none."""
        value = self.values.get(name)
        if not isinstance(value, list) or not all(type(n) is float for n in value):
            return ()
        return tuple(value)

    def gradients(self) -> dict[str, Array]:
        """Return the recorded gradients by parameter name; they may contain NaN."""
        return {
            name.removeprefix("grad."): array.astype(np.float64)
            for name, array in self._arrays.items()
            # Gradients are floats (a byte must not become eight of ours), and no parameter is that
            # large.
            if name.startswith("grad.")
            and array.dtype in (np.float32, np.float64)
            and array.size <= _MAX_GRADIENT_SIZE
        }


def split_reply(reply: Outcome, count: int) -> list[Outcome]:
    """Split a reply whose names begin with a number, "0.loss", into `count` replies."""
    values: list[dict[str, Any]] = [{} for _ in range(count)]
    arrays: list[dict[str, Any]] = [{} for _ in range(count)]
    numbers = {str(n): n for n in range(count)}
    for source, split in ((reply.values, values), (reply.arrays, arrays)):
        for name, value in source.items():
            number, _, own_name = name.partition(".")
            if number in numbers:
                split[numbers[number]][own_name] = value
    return [replace(reply, values=v, arrays=a) for v, a in zip(values, arrays, strict=True)]


def _tuple(shape: object) -> str:
    if isinstance(shape, list) and len(shape) < 10 and all(is_size(n) for n in shape):
        return str(tuple(shape))
    return "unknown"


def is_size(n: object) -> bool:
    return type(n) is int and 0 <= n < 10**9


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _kind(value: object) -> str:
    if not isinstance(value, dict):
        return "nothing"
    if value.get("kind") == "tensor":
        return f"one tensor of shape {_tuple(value.get('shape'))}"
    name = _type(value)
    return "None" if name == "NoneType" else f"a value of type {name}"


def _type(value: Mapping[str, object]) -> str:
    """Name a common type; the name of the student's own type could contain anything."""
    return known_type(value.get("type")) or "of your own"


def _dtype(value: Mapping[str, object]) -> str:
    name = str(value.get("dtype"))
    return (
        name if re.fullmatch("q?u?(int|float|bfloat|complex|bool)[0-9]{0,3}", name) else "unknown"
    )
