"""Answers of correct and incorrect solutions to the fixed problems, to make `golden.json`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.engine.judge.compare import close
from autograder.engine.judge.diagnosis import SAME_ANSWER
from autograder.homework.problems.flow_parameters import Array

# All correct answers, by name.
Given: TypeAlias = dict[str, list[Array]]
# The answers of a mistake to a problem, from its correct answers.
Predict: TypeAlias = Callable[[Wrong, Any, Given], Given]


def unflattened(values: Array, like: Mapping[str, Array]) -> Given:
    """Undo `gradients.flat`."""
    arrays: Given = {}
    start = 0
    for name in sorted(like):
        end = start + like[name].size
        arrays[f"gradient {name}"] = [values[start:end].reshape(like[name].shape)]
        start = end
    return arrays


def alike(one: Given, other: Given) -> bool:
    """Whether all answers of the first are among the second's, where both have one."""
    return all(
        any(_equal(array, theirs) for theirs in other[name])
        for name, (array, *_) in one.items()
        if name in other
    )


def _equal(one: Array, other: Array) -> bool:
    if one.shape != other.shape:
        return False
    compared = np.isfinite(one) & np.isfinite(other)
    return close(one[compared], other[compared], SAME_ANSWER)
