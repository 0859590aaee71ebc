"""Compare gradients parameter by parameter, and name the worst one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from autograder.engine.judge.calls import Array
from autograder.engine.judge.compare import note

# The largest relative error of a parameter's gradient, between float32 and float64.
RELATIVE = 2e-3


def gradient_error(
    got: Mapping[str, Array],
    expected: Mapping[str, Array],
    allowed: float = RELATIVE,
) -> str:
    """Return "" if all gradients agree, else a sentence about the worst parameter.

    The relative error of a parameter is ||got - expected|| / ||expected||; parameters whose
    expected gradient is small compared to the whole are measured against a part of the whole.
    """
    whole = float(np.sqrt(sum(float((array**2).sum()) for array in expected.values())))
    worst, name = 0.0, ""
    for key, target in expected.items():
        array = got.get(key)
        if array is None or array.shape != target.shape or not np.isfinite(array).all():
            note(float("inf"))
            return f"gradient w.r.t. {key}: missing, NaN or infinite."
        scale = max(float(np.linalg.norm(target)), 0.05 * whole, 1e-6)
        relative = float(np.linalg.norm(array - target)) / scale
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

    A missing one counts as zeros, one of another shape as NaN.
    """
    parts = []
    for key in sorted(order):
        part = gradients.get(key, np.zeros_like(order[key]))
        fits = part.shape == order[key].shape
        parts.append(part if fits else np.full_like(order[key], np.nan, dtype=np.float64))
    return np.concatenate([np.asarray(part, dtype=np.float64).reshape(-1) for part in parts])
