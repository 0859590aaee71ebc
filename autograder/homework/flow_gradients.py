"""The gradient of the mean log-likelihood under the experiments' names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autograder.engine.judge.gradients import gradient_error
from autograder.homework.oracles import flow
from autograder.homework.problems.flow_parameters import MAP_PARAMETERS, Array


def flow_gradients(blocks: Sequence[flow.Block[Any]], x: Array) -> dict[str, Array]:
    """The gradient of the mean log-likelihood by every parameter, under the experiments' names."""
    expected: dict[str, Array] = {}
    for k, gradient in enumerate(flow.maf_mean_log_prob_gradient(blocks, x)):
        if isinstance(gradient, flow.TriangularGradient):
            for name in MAP_PARAMETERS:
                expected[f"block{k}.{name}"] = getattr(gradient, name)
        else:
            for j, (by_weight, by_bias) in enumerate(gradient):
                expected[f"block{k}.weight{j}"] = by_weight
                expected[f"block{k}.bias{j}"] = by_bias
    return expected


def flow_gradient_error(
    got: Mapping[str, Array], blocks: Sequence[flow.Block[Any]], x: Array
) -> str:
    """`gradient_error` of the mean log-likelihood of x (B, D)."""
    return gradient_error(got, flow_gradients(blocks, x))
