"""Answers of right and wrong solutions on fixed problems, while `golden.json` is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from autograder.engine.catalogue.diagnosis import SAME_ANSWER
from autograder.engine.catalogue.solutions import Wrong
from autograder.engine.judge.compare import close
from autograder.homework.problems.flow_parameters import Array

# For every name of an answer, all that is right.
Given: TypeAlias = dict[str, list[Array]]
# What a mistake answers to a problem whose right answers are given.
Predict: TypeAlias = Callable[[Wrong, Any, Given], Given]


def unflattened(values: Array, like: Mapping[str, Array]) -> Given:
    """Undo `gradients.flat`."""
    found: Given = {}
    start = 0
    for name in sorted(like):
        end = start + like[name].size
        found[f"gradient {name}"] = [values[start:end].reshape(like[name].shape)]
        start = end
    return found


def alike(one: Given, other: Given) -> bool:
    """Whether all answers of the first are among the second's, where both are told."""
    return all(
        any(_equal(array, theirs) for theirs in other[name])
        for name, (array, *_) in one.items()
        if name in other
    )


def _equal(one: Array, other: Array) -> bool:
    known = np.isfinite(one) & np.isfinite(other) if one.shape == other.shape else None
    return known is not None and close(one[known], other[known], SAME_ANSWER)
