"""The fixed problems about the flow, with the answers of correct solutions and of mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.flow_gradients import flow_gradients
from autograder.homework.golden.answers import Given, Predict, unflattened
from autograder.homework.golden.problems import Made, Maf
from autograder.homework.oracles import flow
from autograder.homework.problems.flow_parameters import MAP_PARAMETERS, Array
from autograder.homework.strategies import MadeCase, MafCase, is_well_conditioned

_GRID = 16  # weights and data are multiples of 1 / 16: short, and exact in float32


def _on_grid(values: Array) -> Array:
    return np.round(values * _GRID) / _GRID


def _rounded(weights: flow.MadeWeights) -> flow.MadeWeights:
    return flow.MadeWeights(tuple((_on_grid(w), _on_grid(b)) for w, b in weights.layers))


def made_problem(input_size: int, hidden_size: int, n_hidden: int, batch: int) -> Made:
    """The first drawn problem that is well conditioned and sensitive after rounding to the grid."""
    for seed in range(10_000):
        case = MadeCase(input_size, hidden_size, n_hidden, batch, seed)
        weights, x, z = _rounded(case.weights), _on_grid(case.x), _on_grid(case.z)
        made = flow.made_forward(weights, z)[0]
        alpha = flow.conditioner(weights, x)[1]
        steep = np.abs(flow.made_inverse_jacobian(weights, x)[:, 1, 0])
        if (
            is_well_conditioned([weights], x).all()
            and is_well_conditioned([weights], made).all()
            and np.ptp(alpha[:, 1]) > 0.2
            and np.abs(alpha).max(axis=0).min() > 0.2
            and steep.max() > 0.2
        ):
            return Made(input_size, hidden_size, n_hidden, weights, x, z)
    raise ValueError("no well-conditioned problem was found")


def maf_problem(input_size: int, hidden_size: int, n_hidden: int, n_flows: int, batch: int) -> Maf:
    for seed in range(10_000):
        case = MafCase(input_size, hidden_size, n_hidden, n_flows, batch, seed)
        blocks = tuple(map(_rounded, case.blocks))
        maps = tuple(
            flow.TriangularMap(*(_on_grid(getattr(m, name)) for name in MAP_PARAMETERS))
            for m in case.maps
        )
        x = _on_grid(case.x)
        if is_well_conditioned(blocks, x).all():
            return Maf(input_size, hidden_size, n_hidden, n_flows, blocks, maps, x)
    raise ValueError("no well-conditioned problem was found")


def made_right(function: str, problem: Made) -> Given:
    weights = flow.MadeWeights(problem.weights.layers)
    if function == "MADE.forward":
        x, alpha = flow.made_forward(weights, problem.z)
        total = alpha.sum(axis=1)
        return {"x": [x], "log_det": [total, -total]}  # the assignment leaves the sign open
    z, log_det = flow.made_inverse(weights, problem.x)
    jacobian = flow.made_inverse_jacobian(weights, problem.x)
    return {"z": [z], "log_det": [log_det], "jacobian": [jacobian]}


def maf_right(problem: Maf, blocks: Sequence[Any]) -> Given:
    value = np.asarray(flow.maf_log_prob(blocks, problem.x).mean())
    gradients = flow_gradients(blocks, problem.x)
    return {"value": [value], **{f"gradient {name}": [g] for name, g in gradients.items()}}


def predict_made(function: str) -> Predict:
    def predict(mistake: Wrong, problem: Made, right: Given) -> Given:
        found: Given = {}
        for name in right:
            prediction = mistake.answers.get(f"{function}.{name}")
            if prediction is not None and (answer := prediction(problem)) is not None:
                array = np.asarray(answer, np.float64)
                found[name] = [array, -array] if len(right[name]) == 2 else [array]
        return found

    return predict


def predict_maf(mistake: Wrong, problem: Maf, right: Given) -> Given:
    found: Given = {}
    value = mistake.answers.get("MAF.log_probs")
    if value is not None and (answer := value(problem)) is not None:
        found["value"] = [np.asarray(answer, np.float64)]
    gradient = mistake.answers.get("MAF.log_probs.gradient")
    if gradient is not None and (answer := gradient(problem)) is not None:
        found.update(unflattened(np.asarray(answer), flow_gradients(_maps(problem), problem.x)))
    return found


def _maps(problem: Maf) -> list[flow.TriangularMap]:
    return [flow.TriangularMap(**vars(one)) for one in problem.maps]


def data_of_made(problem: Made) -> dict[str, Any]:
    fields = vars(problem)
    sizes = {name: fields[name] for name in ("input_size", "hidden_size", "n_hidden")}
    return {**sizes, "layers": problem.weights.layers, "x": problem.x, "z": problem.z}


def data_of_maf(problem: Maf) -> dict[str, Any]:
    fields = vars(problem)
    return {
        **{name: fields[name] for name in ("input_size", "hidden_size", "n_hidden", "n_flows")},
        "blocks": [block.layers for block in problem.blocks],
        "maps": [vars(one) for one in problem.maps],
        "x": problem.x,
    }
