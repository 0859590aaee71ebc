"""Compare gradients parameter by parameter, and say which one is off."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from autograder.engine.judge.compare import note
from autograder.homework import tolerances
from autograder.homework.problems.flow_parameters import Array


def gradient_error(
    got: Mapping[str, Array],
    expected: Mapping[str, Array],
    allowed: float = tolerances.GRADIENT_RELATIVE,
) -> str:
    """Return "" when all gradients agree, else a sentence about the worst parameter.

    The relative error of a parameter is ||got - expected|| / ||expected||; parameters whose
    expected gradient is small beside the whole are measured against a part of the whole instead.
    """
    whole = float(np.sqrt(sum(float((array**2).sum()) for array in expected.values())))
    worst, name = 0.0, ""
    for key, right in expected.items():
        found = got.get(key)
        if found is None or found.shape != right.shape or not np.isfinite(found).all():
            note(float("inf"))
            return f"gradient w.r.t. {key}: missing, NaN or infinite."
        scale = max(float(np.linalg.norm(right)), 0.05 * whole, 1e-6)
        relative = float(np.linalg.norm(found - right)) / scale
        if relative > worst:
            worst, name = relative, key
    note(worst / allowed)
    if worst <= allowed:
        return ""
    norm, right_norm = (float(np.linalg.norm(side[name])) for side in (got, expected))
    return (
        f"gradient w.r.t. {name}: norm {norm:.4g}, expected {right_norm:.4g}; relative error "
        f"{worst:.2g} (allowed {allowed:g})."
    )


def flat(gradients: Mapping[str, Array], order: Mapping[str, Array]) -> Array:
    """Join gradients to one vector, in the order of the keys of `order`.

    Where one is missing there are zeros, where one has another shape NaN.
    """
    joined = []
    for key in sorted(order):
        found = gradients.get(key, np.zeros_like(order[key]))
        fits = found.shape == order[key].shape
        joined.append(found if fits else np.full_like(order[key], np.nan, dtype=np.float64))
    return np.concatenate([np.asarray(one, dtype=np.float64).reshape(-1) for one in joined])
