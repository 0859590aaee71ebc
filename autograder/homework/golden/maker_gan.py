"""The fixed problems about the losses, with the answers of correct solutions and of mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.engine.judge.compare import Tolerance, close
from autograder.homework.golden.answers import Given, Predict, unflattened
from autograder.homework.golden.problems import Gan, in_patterns
from autograder.homework.losses import expected as losses
from autograder.homework.losses.recovered import LossCall, RecoveredInputs
from autograder.homework.oracles import gan
from autograder.homework.problems.flow_parameters import Array
from autograder.homework.problems.gan_case import N_CLASSES
from autograder.homework.problems.probe_networks import Labels, Rows

# Generator parameters whose gradients depend on single draws; that of the bias does not.
_DRAWN = frozenset({"weight", "label_embedding"})
_SAME = Tolerance(rtol=1e-9, atol=1e-12)

# Multiples of the patterns: plain, columns, rows, pairs of columns, pairs of rows, checkerboard.
_REAL = (
    (0.25, -0.25, 0.125, 0.0, 0.125, 0.0),
    (-0.25, 0.125, 0.25, 0.125, 0.0, 0.0),
    (0.125, 0.25, -0.125, 0.0, -0.25, 0.125),
    (-0.125, 0.0, -0.25, 0.25, 0.125, 0.0),
    (0.0, 0.125, 0.125, -0.25, 0.25, 0.125),
)
_FAKE = ((-0.25, 0.25, 0.0, 0.0, 0.0, 0.125), (0.25, 0.125, 0.0, 0.0, 0.0, -0.25))
# Units 2 and 3 do not react to a generated image, so their weights may depend on the label.
_W1 = (
    (4.0, -2.0, 0.0, 0.0, 0.0, 2.0),
    (0.0, 0.0, 6.0, 0.0, 2.0, 0.0),
    (0.0, 0.0, 2.0, 6.0, -4.0, 0.0),
)
GANS: dict[str, list[dict[str, Any]]] = {
    "images": [
        {
            "real": _REAL[:batch],
            "fake": fake,
            "critic": {"w1": _W1, "b1": (0.5, -0.25, 0.25), "w2": (w2,), "b2": (b2,)},
        }
        for batch, fake, w2, b2 in (
            (2, _FAKE[0], (1.5, -1.0, 2.0), 0.5),
            (3, _FAKE[1], (-2.0, 1.5, 0.5), -0.25),
            (5, _FAKE[0], (2.5, 1.0, -1.5), 1.0),
        )
    ],
    "labelled images": [
        {
            "real": _REAL[:batch],
            "labels": labels,
            "fake": fake,
            "critic": {
                "w1": _W1,
                "b1": (0.5, 0.0, 0.0),
                "w2": tuple(
                    (w, ((3 * y) % 7 - 3) / 2, ((5 * y) % 9 - 4) / 2) for y in range(N_CLASSES)
                ),
                "b2": (b2,) * N_CLASSES,
            },
        }
        for batch, labels, fake, w, b2 in (
            (2, (3, 8), _FAKE[0], 1.5, 0.5),
            (3, (9, 0, 4), _FAKE[1], -2.0, -0.25),
            (5, (1, 7, 7, 2, 5), _FAKE[0], 2.5, 1.0),
        )
    ],
    "linear critics": [
        {"real": _REAL[:batch], "fake": fake, "critic": {"w": w, "b": b}}
        for batch, fake, w, b in (  # of norm 2, 0.5 and 1.25
            (2, _FAKE[0], (0.0, 1.6, 0.0, 1.2, 0.0, 0.0), 0.5),
            (3, _FAKE[1], (0.3, 0.0, 0.4, 0.0, 0.0, 0.0), -0.25),
            (5, _FAKE[0], (0.75, -1.0, 0.0, 0.0, 0.0, 0.0), 1.0),
        )
    ],
}


@dataclass(frozen=True, eq=False)
class _Draw:
    """Random numbers that a correct solution may draw for one problem."""

    z: Array
    fake_labels: Labels | None
    alpha: Array


def _draws(problem: Gan) -> Iterator[_Draw]:
    """Draws under which a golden answer must stay the same."""
    rng = np.random.default_rng(0)
    # The real labels, every class alone, and a mixture.
    labels = [problem.labels, *(np.full(problem.batch, y) for y in range(N_CLASSES))]
    labels.append(rng.integers(0, N_CLASSES, problem.batch))
    for fake_labels in labels if problem.conditional else [None] * 4:
        z, alpha = rng.standard_normal((problem.batch, problem.dim_z)), rng.random(problem.batch)
        yield _Draw(z, fake_labels, alpha)


def _situation(function: str, problem: Gan, draw: _Draw) -> LossCall:
    """What the networks are given by a right solution with these draws."""
    images = problem.generator.images(draw.z, draw.fake_labels)
    between = problem.batch if function == "loss_wasserstein_gp_d" else 0
    labels = problem.labels if problem.conditional else None
    return LossCall(
        function,
        problem,
        RecoveredInputs(
            z=draw.z,
            z_shown=np.ones(problem.batch, np.bool_),
            g_labels=draw.fake_labels,
            fake_z=draw.z,
            fake=Rows(images, draw.fake_labels),
            fake_labels_seen=draw.fake_labels,
            real=Rows(problem.x_real, labels),
            real_labels_seen=labels,
            real_labels_true=labels,
            interpolates=gan.interpolates(problem.x_real, images, draw.alpha)[:between],
            alpha=draw.alpha[:between],
            pairs=np.tile(np.arange(between)[:, None], 2),
            unmatched=np.zeros((0, images.shape[1])),
            d_saw_real=problem.batch,
            d_saw_fake=problem.batch,
        ),
    )


def loss_right(function: str, problem: Gan) -> Given:
    """Value and gradient; NaN where a gradient's entry depends on the draws."""
    found = []
    for draw in _draws(problem):
        situation = _situation(function, problem, draw)
        gradient = losses.expected_gradient(situation)
        found.append(
            {
                "value": np.asarray(losses.expected_value(situation)),
                **{
                    f"gradient {name}": in_patterns(array)
                    for name, array in _as_the_probe(gradient).items()
                    if name not in _DRAWN
                },
            }
        )
    right: Given = {}
    for name, first in found[0].items():
        varies = ~np.isclose(np.stack([one[name] for one in found]), first, atol=1e-12).all(axis=0)
        if name == "value" and varies:
            raise ValueError(f"{function}: the value depends on the draws, {problem}")
        if not varies.all():
            right[name] = [np.where(varies, np.nan, first)]
    return right


def _as_the_probe(gradient: Mapping[str, Array]) -> dict[str, Array]:
    """A linear critic's gradients in the probe's names and shapes: w2 (1, 784), b2 (1,)."""
    if "w" not in gradient:
        return dict(gradient)
    return {"w2": gradient["w"][None, :], "b2": np.reshape(gradient["b"], 1)}


def predict_loss(function: str) -> Predict:
    def predict(mistake: Wrong, problem: Gan, right: Given) -> Given:
        linear = ".linear" if "w" in problem.data["critic"] else ""
        found: Given = {}
        value = _steady(mistake, f"{function}{linear}", function, problem)
        if value is not None:
            found["value"] = [value]
        return {**found, **(_steady_gradient(mistake, function, problem, right) or {})}

    return predict


def _steady(mistake: Wrong, answer: str, function: str, problem: Gan) -> Array | None:
    """A mistake's answer if it is the same for all draws."""
    prediction = mistake.answers.get(answer)
    if prediction is None:
        return None
    found = [prediction(_situation(function, problem, draw)) for draw in _draws(problem)]
    arrays = [np.asarray(one, np.float64) for one in found if one is not None]
    if len(arrays) < len(found) or not all(close(one, arrays[0], _SAME) for one in arrays):
        return None
    return arrays[0]


def _steady_gradient(mistake: Wrong, function: str, problem: Gan, right: Given) -> Given | None:
    """A mistake's gradient if its compared entries are the same for all draws."""
    prediction = mistake.answers.get(f"{function}.gradient")
    if prediction is None:
        return None
    found: list[Given] = []
    for draw in _draws(problem):
        situation = _situation(function, problem, draw)
        answer = prediction(situation)
        if answer is None:
            return None
        whole = unflattened(np.asarray(answer), losses.expected_gradient(situation))
        arrays = _as_the_probe({name.removeprefix("gradient "): v[0] for name, v in whole.items()})
        named = {f"gradient {name}": array for name, array in arrays.items()}
        kept = {name: in_patterns(named[name]) for name in right if name in named}
        found.append({k: [np.where(np.isnan(right[k][0]), np.nan, v)] for k, v in kept.items()})
    for one in found:
        for name, (array,) in one.items():
            if not np.allclose(array, found[0][name][0], atol=1e-12, equal_nan=True):
                return None
    return found[0]
