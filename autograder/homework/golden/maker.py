"""Make `golden.json`: fixed problems, the oracles' answers, and those of the known mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from autograder.engine.judge.compare import Tolerance, close
from autograder.homework.flow_gradients import flow_gradients
from autograder.homework.golden.problems import Gan, Made, Maf, Problem, in_patterns
from autograder.homework.losses import expected as losses
from autograder.homework.losses.evidence import Evidence
from autograder.homework.mistakes.entries import Wrong
from autograder.homework.oracles import flow, gan
from autograder.homework.problems.flow_parameters import Array
from autograder.homework.problems.gan_case import N_CLASSES
from autograder.homework.problems.probe_networks import Labels, Rows
from autograder.homework.strategies import MadeCase, MafCase, is_well_conditioned

MADE, MAF = ("MADE.forward", "MADE.inverse"), ("MAF.log_probs",)
# Function and the problems that it is asked.
LOSSES = {
    "loss_nonsaturating_d": "images",
    "loss_nonsaturating_g": "images",
    "conditional_loss_nonsaturating_d": "labelled images",
    "conditional_loss_nonsaturating_g": "labelled images",
    "loss_wasserstein_gp_d": "linear critics",
    "loss_wasserstein_gp_g": "images",
}

# Sizes of the flow's problems; the smallest comes first, and no two batches are alike.
_MADES = ((2, 2, 1, 2), (2, 3, 1, 3), (2, 4, 2, 5))
_MAFS = ((2, 2, 1, 1, 2), (2, 3, 1, 2, 3), (2, 3, 2, 3, 5))
# With two variables many a mistake looks like another: those of three are for names only.
_MADES_FOR_NAMES = ((3, 4, 1, 4),)
_MAFS_FOR_NAMES = ((3, 4, 1, 2, 4),)
_GRID = 16  # weights and data are multiples of 1 / 16: short, and exact in float32
_SIGNIFICANT = 8
# What a generator's parameters learn from single draws; its bias learns from all of them.
_DRAWN = frozenset({"weight", "label_embedding"})
_SAME = Tolerance(rtol=1e-9, atol=1e-12)
# As in `golden`: closer than this, a mistake and the right answer are the same.
_EQUAL = Tolerance(rtol=2e-3, atol=2e-4)
# A name for four mistakes at once tells nobody anything.
_MOST_HINTS = 3

Given: TypeAlias = dict[str, list[Array]]


def make_golden(mistakes: Sequence[Wrong]) -> dict[str, Any]:
    """Return what golden.json is to hold."""
    made = [_made_problem(*sizes) for sizes in _MADES + _MADES_FOR_NAMES]
    maf = [_maf_problem(*sizes) for sizes in _MAFS + _MAFS_FOR_NAMES]
    of_losses = {name: [Gan(told, "labels" in told) for told in _GANS[name]] for name in _GANS}
    functions: dict[str, Any] = {}
    for function in MADE:
        right = [_made_right(function, problem) for problem in made]
        functions[function] = {
            "problems": "MADE",
            "judged": len(_MADES),
            "right": right,
            "mistakes": _mistakes(mistakes, made, right, _predict_made(function)),
        }
    right = [_maf_right(problem, problem.maps) for problem in maf]
    functions[MAF[0]] = {
        "problems": "MAF",
        "judged": len(_MAFS),
        "right": right,
        "right_on_own": [_maf_right(problem, problem.blocks) for problem in maf],
        "mistakes": _mistakes(mistakes, maf, right, _predict_maf),
    }
    for function, name in LOSSES.items():
        problems = of_losses[name]
        right = [_loss_right(function, problem) for problem in problems]
        functions[function] = {
            "problems": name,
            "judged": len(problems),
            "right": right,
            "mistakes": _mistakes(mistakes, problems, right, _predict_loss(function)),
        }
    golden: dict[str, Any] = _plain(
        {
            "about": "Made by `python -m autograder golden`; do not edit. Answers are lists of all "
            "that is right; null is not compared.",
            "problems": {
                "MADE": [_told_made(problem) for problem in made],
                "MAF": [_told_maf(problem) for problem in maf],
                **_GANS,
            },
            "functions": functions,
        }
    )
    return golden


def write_golden(golden: Mapping[str, Any]) -> str:
    """Return the text of golden.json: a line for every list of numbers."""

    def lines(value: Any, indent: str) -> str:
        deep = isinstance(value, dict) or (
            isinstance(value, list) and any(isinstance(one, dict) for one in value)
        )
        if not deep:
            return json.dumps(value, ensure_ascii=False)
        inner = indent + " "
        if isinstance(value, dict):
            entries = [f"{inner}{json.dumps(k)}: {lines(v, inner)}" for k, v in value.items()]
            return "{\n" + ",\n".join(entries) + f"\n{indent}}}"
        return "[\n" + ",\n".join(inner + lines(one, inner) for one in value) + f"\n{indent}]"

    return lines(golden, "") + "\n"


def same_golden(made: Any, found: Any) -> bool:
    """Whether two such files say the same; other machines may round another last digit."""
    if isinstance(made, dict) and isinstance(found, dict):
        return list(made) == list(found) and all(same_golden(made[k], found[k]) for k in made)
    if isinstance(made, list) and isinstance(found, list):
        return len(made) == len(found) and all(map(same_golden, made, found))
    if isinstance(made, float) and isinstance(found, (int, float)):
        return bool(np.isclose(made, found, rtol=1e-5, atol=1e-7))
    return bool(made == found)


# ---- problem 1 ----------------------------------------------------------------------------------


def _on_grid(values: Array) -> Array:
    return np.round(values * _GRID) / _GRID


def _rounded(weights: flow.MadeWeights) -> flow.MadeWeights:
    return flow.MadeWeights(tuple((_on_grid(w), _on_grid(b)) for w, b in weights.layers))


def _made_problem(input_size: int, hidden_size: int, n_hidden: int, batch: int) -> Made:
    """The first drawn problem that stays well conditioned, and telling, on the grid."""
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


def _maf_problem(input_size: int, hidden_size: int, n_hidden: int, n_flows: int, batch: int) -> Maf:
    for seed in range(10_000):
        case = MafCase(input_size, hidden_size, n_hidden, n_flows, batch, seed)
        blocks = tuple(map(_rounded, case.blocks))
        maps = tuple(
            flow.ElementwiseMap(_on_grid(m.scale), _on_grid(m.bend), _on_grid(m.shift))
            for m in case.maps
        )
        x = _on_grid(case.x)
        if is_well_conditioned(blocks, x).all():
            return Maf(input_size, hidden_size, n_hidden, n_flows, blocks, maps, x)
    raise ValueError("no well-conditioned problem was found")


def _made_right(function: str, problem: Made) -> Given:
    weights = flow.MadeWeights(problem.weights.layers)
    if function == "MADE.forward":
        x, alpha = flow.made_forward(weights, problem.z)
        total = alpha.sum(axis=1)
        return {"x": [x], "log_det": [total, -total]}  # the handout leaves the sign open
    z, log_det = flow.made_inverse(weights, problem.x)
    jacobian = flow.made_inverse_jacobian(weights, problem.x)
    return {"z": [z], "log_det": [log_det], "jacobian": [jacobian]}


def _maf_right(problem: Maf, blocks: Sequence[Any]) -> Given:
    value = np.asarray(flow.maf_log_prob(blocks, problem.x).mean())
    gradients = flow_gradients(blocks, problem.x)
    return {"value": [value], **{f"gradient {name}": [g] for name, g in gradients.items()}}


_Predict: TypeAlias = Callable[[Wrong, Any, Given], Given]


def _predict_made(function: str) -> _Predict:
    def predict(mistake: Wrong, problem: Made, right: Given) -> Given:
        found: Given = {}
        for name in right:
            prediction = mistake.answers.get(f"{function}.{name}")
            if prediction is not None and (answer := prediction(problem)) is not None:
                array = np.asarray(answer, np.float64)
                found[name] = [array, -array] if len(right[name]) == 2 else [array]
        return found

    return predict


def _predict_maf(mistake: Wrong, problem: Maf, right: Given) -> Given:
    found: Given = {}
    value = mistake.answers.get("MAF.log_probs")
    if value is not None and (answer := value(problem)) is not None:
        found["value"] = [np.asarray(answer, np.float64)]
    gradient = mistake.answers.get("MAF.log_probs.gradient")
    if gradient is not None and (answer := gradient(problem)) is not None:
        found.update(_unflattened(np.asarray(answer), flow_gradients(_maps(problem), problem.x)))
    return found


def _maps(problem: Maf) -> list[flow.ElementwiseMap]:
    return [flow.ElementwiseMap(**vars(one)) for one in problem.maps]


def _unflattened(values: Array, like: Mapping[str, Array]) -> Given:
    """Undo `gradients.flat`."""
    found: Given = {}
    start = 0
    for name in sorted(like):
        end = start + like[name].size
        found[f"gradient {name}"] = [values[start:end].reshape(like[name].shape)]
        start = end
    return found


# ---- problems 2, 4 and 5 ------------------------------------------------------------------------

# Multiples of the patterns: plain, columns, rows, pairs of columns, pairs of rows, checkerboard.
_REAL = (
    (0.25, -0.25, 0.125, 0.0, 0.125, 0.0),
    (-0.25, 0.125, 0.25, 0.125, 0.0, 0.0),
    (0.125, 0.25, -0.125, 0.0, -0.25, 0.125),
    (-0.125, 0.0, -0.25, 0.25, 0.125, 0.0),
    (0.0, 0.125, 0.125, -0.25, 0.25, 0.125),
)
_FAKE = ((-0.25, 0.25, 0.0, 0.0, 0.0, 0.125), (0.25, 0.125, 0.0, 0.0, 0.0, -0.25))
# Units 2 and 3 see nothing of a generated image; so their weights may follow the label.
_W1 = (
    (4.0, -2.0, 0.0, 0.0, 0.0, 2.0),
    (0.0, 0.0, 6.0, 0.0, 2.0, 0.0),
    (0.0, 0.0, 2.0, 6.0, -4.0, 0.0),
)
_GANS: dict[str, list[dict[str, Any]]] = {
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
    """What one right solution may have drawn for one problem."""

    z: Array
    fake_labels: Labels | None
    alpha: Array


def _draws(problem: Gan) -> Iterator[_Draw]:
    """Draws under which an answer must stay the same to be a golden one."""
    rng = np.random.default_rng(0)
    # The real labels, every class alone, and a mixture.
    labels = [problem.labels, *(np.full(problem.batch, y) for y in range(N_CLASSES))]
    labels.append(rng.integers(0, N_CLASSES, problem.batch))
    for fake_labels in labels if problem.conditional else [None] * 4:
        z, alpha = rng.standard_normal((problem.batch, problem.dim_z)), rng.random(problem.batch)
        yield _Draw(z, fake_labels, alpha)


def _situation(function: str, problem: Gan, draw: _Draw) -> losses.Situation:
    """What the networks are given by a right solution with these draws."""
    images = problem.generator.images(draw.z, draw.fake_labels)
    penalised = function == "loss_wasserstein_gp_d"
    labels = problem.labels if problem.conditional else None
    return losses.Situation(
        function,
        problem,
        problem.critic,
        Evidence(
            z=draw.z,
            g_labels=draw.fake_labels,
            fake_z=draw.z,
            fake=Rows(images, draw.fake_labels),
            fake_labels_seen=draw.fake_labels,
            real=Rows(problem.x_real, labels),
            real_labels_seen=labels,
            real_labels_true=labels,
            between=gan.interpolates(problem.x_real, images, draw.alpha)
            if penalised
            else np.zeros((0, images.shape[1])),
            alpha=draw.alpha if penalised else np.zeros(0),
            strange=np.zeros((0, images.shape[1])),
            d_saw_real=problem.batch,
            d_saw_fake=problem.batch,
        ),
    )


def _loss_right(function: str, problem: Gan) -> Given:
    """Value and gradient; NaN where a gradient's entry depends on what was drawn."""
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
            raise ValueError(f"{function}: the value depends on what is drawn, {problem}")
        if not varies.all():
            right[name] = [np.where(varies, np.nan, first)]
    return right


def _as_the_probe(gradient: Mapping[str, Array]) -> dict[str, Array]:
    """A linear critic's gradients as the worker's probe knows them: it has w2 (1, 784), b2 (1,)."""
    if "w" not in gradient:
        return dict(gradient)
    return {"w2": gradient["w"][None, :], "b2": np.reshape(gradient["b"], 1)}


def _predict_loss(function: str) -> _Predict:
    def predict(mistake: Wrong, problem: Gan, right: Given) -> Given:
        linear = ".linear" if "w" in problem.told["critic"] else ""
        found: Given = {}
        value = _steady(mistake, f"{function}{linear}", function, problem)
        if value is not None:
            found["value"] = [value]
        if not linear:
            gradient = _steady_gradient(mistake, function, problem, right)
            found.update(gradient or {})
        return found

    return predict


def _steady(mistake: Wrong, answer: str, function: str, problem: Gan) -> Array | None:
    """A mistake's answer if it is the same whatever is drawn."""
    prediction = mistake.answers.get(answer)
    if prediction is None:
        return None
    found = [prediction(_situation(function, problem, draw)) for draw in _draws(problem)]
    arrays = [np.asarray(one, np.float64) for one in found if one is not None]
    if len(arrays) < len(found) or not all(close(one, arrays[0], _SAME) for one in arrays):
        return None
    return arrays[0]


def _steady_gradient(mistake: Wrong, function: str, problem: Gan, right: Given) -> Given | None:
    """A mistake's gradient, if its compared entries are the same whatever is drawn."""
    prediction = mistake.answers.get(f"{function}.gradient")
    if prediction is None:
        return None
    found: list[Given] = []
    for draw in _draws(problem):
        situation = _situation(function, problem, draw)
        answer = prediction(situation)
        if answer is None:
            return None
        whole = _unflattened(np.asarray(answer), losses.expected_gradient(situation))
        kept = {name: in_patterns(whole[name][0]) for name in right if name in whole}
        found.append({k: [np.where(np.isnan(right[k][0]), np.nan, v)] for k, v in kept.items()})
    for one in found:
        for name, (array,) in one.items():
            if not np.allclose(array, found[0][name][0], atol=1e-12, equal_nan=True):
                return None
    return found[0]


# ---- mistakes -----------------------------------------------------------------------------------


def _mistakes(
    mistakes: Sequence[Wrong], problems: Sequence[Problem], right: list[Given], predict: _Predict
) -> list[dict[str, Any]]:
    """The answers of all mistakes that show here; those that answer alike are one entry."""
    entries: list[tuple[list[Wrong], list[Given]]] = []
    for mistake in mistakes:
        if not mistake.hint:
            continue
        with np.errstate(all="ignore"):
            answers = [predict(mistake, p, r) for p, r in zip(problems, right, strict=True)]
        names = set.intersection(*(set(one) for one in answers))
        answers = [{k: v for k, v in one.items() if k in names} for one in answers]
        if not names or all(map(_alike, answers, right)):
            continue
        if any(not np.isfinite(array).all() for one in answers for array in one.get("value", ())):
            continue
        for others, known in entries:
            if all(set(a) == set(b) and _alike(a, b) for a, b in zip(answers, known, strict=True)):
                others.append(mistake)
                break
        else:
            entries.append(([mistake], answers))
    return [
        {"names": [m.id for m in alike], "hints": hints, "answers": answers}
        for alike, answers in entries
        if len(hints := list(dict.fromkeys(m.hint for m in alike))) <= _MOST_HINTS
    ]


def _alike(one: Given, other: Given) -> bool:
    """Whether all answers of the first are among the second's, where both are told."""
    return all(
        any(_equal(array, theirs) for theirs in other[name])
        for name, (array, *_) in one.items()
        if name in other
    )


def _equal(one: Array, other: Array) -> bool:
    known = np.isfinite(one) & np.isfinite(other) if one.shape == other.shape else None
    return known is not None and close(one[known], other[known], _EQUAL)


# ---- JSON ---------------------------------------------------------------------------------------


def _told_made(problem: Made) -> dict[str, Any]:
    return {
        "input_size": problem.input_size,
        "hidden_size": problem.hidden_size,
        "n_hidden": problem.n_hidden,
        "layers": problem.weights.layers,
        "x": problem.x,
        "z": problem.z,
    }


def _told_maf(problem: Maf) -> dict[str, Any]:
    return {
        "input_size": problem.input_size,
        "hidden_size": problem.hidden_size,
        "n_hidden": problem.n_hidden,
        "n_flows": problem.n_flows,
        "blocks": [block.layers for block in problem.blocks],
        "maps": [vars(one) for one in problem.maps],
        "x": problem.x,
    }


def _plain(value: Any) -> Any:
    """Arrays to lists, numbers to few digits, NaN to null."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.{_SIGNIFICANT}g}") + 0.0 if np.isfinite(value) else None
    return value
