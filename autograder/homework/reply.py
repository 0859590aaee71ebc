"""The form of a reply: every array of the shape that was asked for, or a sentence that says not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autograder.engine.judge.calls import Outcome
from autograder.engine.judge.exceptions import CheckFailed, Unusable
from autograder.engine.judge.trusted_messages import known_type
from autograder.homework.problems.gan_case import N_CLASSES
from autograder.homework.problems.probe_networks import Array

_OBSTACLES = ("sparse", "quantised", "on the meta device", "too large")
# Float64 is exact up to far more, but its squares and exponentials are not.
_ABSURD = 1e30
_LARGEST_GRADIENT = 100_000


@dataclass(frozen=True)
class Call:
    """One call of a probe network: its input as rows, and its labels."""

    rows: Array
    labels: np.ndarray[Any, np.dtype[np.int64]] | None


class Form:
    """Checks the form of a reply and says in a sentence what is wrong with it."""

    def __init__(self, reply: Outcome, function: str) -> None:
        self._reply = reply
        self._function = function
        self.values = reply.values

    def pair(self, names: str) -> None:
        """Refuse a function that did not return two values."""
        if "returned" in self.values:
            raise Unusable(
                f"{self._function} must return two tensors, {names}; "
                f"it returned {_kind(self.values['returned'])}."
            )

    def array(self, name: str, shape: tuple[int, ...], meaning: str, finite: bool = True) -> Array:
        """Return a recorded tensor as float64."""
        told = self.values.get(name)
        found = self._reply.arrays.get(name)
        if found is None and isinstance(told, dict) and told.get("kind") == "tensor":
            raise Unusable(self._not_sent(name, told, shape, meaning))
        if not isinstance(told, dict) or told.get("kind") != "tensor" or found is None:
            raise Unusable(
                f"{self._function} must return {name} as a tensor of shape {meaning}; "
                f"it returned {_kind(told)}."
            )
        if found.shape != shape:
            raise Unusable(
                f"{self._function} returns {name} of shape {tuple(found.shape)}, "
                f"expected {tuple(shape)}, that is {meaning}."
            )
        if told.get("dtype") not in ("float32", "float64"):
            raise Unusable(
                f"{self._function} returns {name} with dtype {_dtype(told)}, expected float32."
            )
        if finite and not np.isfinite(found).all():
            raise Unusable(f"{self._function} returns {name} with NaN or infinite entries.")
        if finite and np.abs(found).max(initial=0.0) > _ABSURD:
            raise Unusable(f"{self._function} returns {name} with entries beyond all bounds.")
        return found.astype(np.float64)

    def _not_sent(
        self, name: str, told: Mapping[str, object], shape: tuple[int, ...], meaning: str
    ) -> str:
        """Say what was returned where the worker could not even send it."""
        if told.get("shape") != list(shape):
            return (
                f"{self._function} returns {name} of shape {_tuple(told.get('shape'))}, "
                f"expected {shape}, that is {meaning}."
            )
        obstacle = str(told.get("not_sent"))
        if obstacle in _OBSTACLES:
            return (
                f"{self._function} returns {name} as a tensor that is {obstacle}; "
                "expected a plain float32 tensor."
            )
        return f"{self._function} returns {name} with dtype {_dtype(told)}, expected float32."

    def log_det(self, batch: int) -> Array | CheckFailed:
        """Return the recorded log_det (B,), or what is wrong with its form."""
        try:
            return self.array("log_det", (batch,), "(B,)")
        except CheckFailed as failure:
            return failure

    def scalar(self, name: str, finite: bool = True) -> float:
        """Return a recorded 0-d tensor as a float."""
        told = self.values.get(name)
        if isinstance(told, dict) and told.get("kind") == "number":
            raise Unusable(
                f"{self._function} returns a Python {_type(told)}; expected a 0-d "
                "tensor that gradients flow through."
            )
        if isinstance(told, dict) and told.get("kind") == "tensor":
            found = self._reply.arrays.get(name)
            shape = told.get("shape") if found is None else list(found.shape)
            if shape != []:
                raise Unusable(
                    f"{self._function} returns a tensor of shape {_tuple(shape)}; expected one "
                    "number for the whole batch, a 0-d tensor."
                )
        return float(self.array(name, (), "() (one number)", finite))

    def numbers(self, name: str) -> tuple[float, ...]:
        """Return a list of numbers that the experiment noted; empty if it is no such list."""
        told = self.values.get(name)
        if not isinstance(told, list) or not all(type(n) is float for n in told):
            return ()
        return tuple(told)

    def gradients(self) -> dict[str, Array]:
        """Return the recorded gradients by parameter name; NaN in them is the check's to find."""
        return {
            name.removeprefix("grad."): array.astype(np.float64)
            for name, array in self._reply.arrays.items()
            # Nothing but floats is a gradient, a byte must not become eight of ours, and no
            # parameter is that large.
            if name.startswith("grad.")
            and array.dtype in (np.float32, np.float64)
            and array.size <= _LARGEST_GRADIENT
        }

    def calls(
        self, network: str, width: int, conditional: bool, most_rows: int
    ) -> tuple[Call, ...]:
        """Return the recorded calls of a probe network, in their order; none of many rows."""
        unreadable = Unusable(f"{self._function}: the record of {network} is not readable.")
        sizes = self.values.get(f"{network}_calls")
        if not isinstance(sizes, list) or not all(_is_size(n) for n in sizes):
            raise unreadable
        sizes = [n for n in sizes if n]  # a call without a row says nothing
        if not sizes:
            return ()
        if sum(sizes) > most_rows:  # before anything is made of them: they cost the judge's time
            raise Unusable(
                f"{self._function} gives {network} {sum(sizes)} inputs in one call; a loss needs a "
                "few times the size of the batch, x_real.shape[0]."
            )
        rows = self._reply.arrays.get(f"{network}.input")
        if rows is None or rows.shape != (sum(sizes), width):
            raise unreadable
        if not np.isfinite(rows).all():
            raise Unusable(f"{self._function} gives {network} NaN or infinite inputs.")
        if rows.dtype.kind != "f" or np.abs(rows).max(initial=0.0) > _ABSURD:
            raise Unusable(f"{self._function} gives {network} inputs beyond all bounds.")
        ends = np.cumsum(sizes)[:-1]
        parts = np.split(rows.astype(np.float64), ends)
        if not conditional:
            return tuple(Call(part, None) for part in parts)
        labels = self._reply.arrays.get(f"{network}.labels")
        if labels is None or labels.shape != (sum(sizes),) or labels.dtype.kind != "i":
            raise unreadable
        if len(labels) and not 0 <= labels.min() <= labels.max() < N_CLASSES:
            raise unreadable
        return tuple(
            Call(part, label)
            for part, label in zip(parts, np.split(labels.astype(np.int64), ends), strict=True)
        )


def parts(reply: Outcome, count: int) -> list[Outcome]:
    """Take a reply apart whose names begin with the number of a part, "0.loss"; none is missing."""
    values: list[dict[str, Any]] = [{} for _ in range(count)]
    arrays: list[dict[str, Any]] = [{} for _ in range(count)]
    numbers = {str(n): n for n in range(count)}
    for told, sorted_by_part in ((reply.values, values), (reply.arrays, arrays)):
        for name, value in told.items():
            number, _, own_name = name.partition(".")
            if number in numbers:
                sorted_by_part[numbers[number]][own_name] = value
    return [replace(reply, values=v, arrays=a) for v, a in zip(values, arrays, strict=True)]


def unless_failed(found: Array | CheckFailed) -> Array:
    """Return an array, or raise the failure that was kept in its place."""
    if isinstance(found, CheckFailed):
        raise found
    return found


def _tuple(shape: object) -> str:
    if isinstance(shape, list) and len(shape) < 10 and all(_is_size(n) for n in shape):
        return str(tuple(shape))
    return "unknown"


def _is_size(n: object) -> bool:
    return type(n) is int and 0 <= n < 10**9


def _kind(told: object) -> str:
    if not isinstance(told, dict):
        return "nothing"
    if told.get("kind") == "tensor":
        return f"one tensor of shape {_tuple(told.get('shape'))}"
    name = _type(told)
    return "None" if name == "NoneType" else f"a value of type {name}"


def _type(told: Mapping[str, object]) -> str:
    """Name a type; the name of one that the student made up could hold anything."""
    return known_type(told.get("type")) or "of your own"


def _dtype(told: Mapping[str, object]) -> str:
    name = str(told.get("dtype"))
    return (
        name if re.fullmatch("q?u?(int|float|bfloat|complex|bool)[0-9]{0,3}", name) else "unknown"
    )
