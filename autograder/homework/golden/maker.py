"""Make `golden.json`: fixed problems, the oracles' answers, and those of the known mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.golden.answers import Given, Predict, alike
from autograder.homework.golden.maker_flow import (
    data_of_made,
    data_of_maf,
    made_problem,
    made_right,
    maf_problem,
    maf_right,
    predict_made,
    predict_maf,
)
from autograder.homework.golden.maker_gan import GANS, loss_right, predict_loss
from autograder.homework.golden.problems import GOLDEN, Gan, Problem

__all__ = ["GOLDEN", "make_golden"]

MADE, MAF = ("MADE.forward", "MADE.inverse"), ("MAF.log_probs",)
# The problems of each loss.
LOSSES = {
    "loss_nonsaturating_d": "images",
    "loss_nonsaturating_g": "images",
    "conditional_loss_nonsaturating_d": "labelled images",
    "conditional_loss_nonsaturating_g": "labelled images",
    "loss_wasserstein_gp_d": "linear critics",
    "loss_wasserstein_gp_g": "images",
}

# Sizes of the flow's problems, the smallest first; no two batch sizes are equal.
_MADES = ((2, 2, 1, 2), (2, 3, 1, 3), (2, 4, 2, 5))
_MAFS = ((2, 2, 1, 1, 2), (2, 3, 1, 2, 3), (2, 3, 2, 3, 5))
# With two variables many mistakes agree: problems with three are only for naming them.
_MADES_FOR_NAMES = ((3, 4, 1, 4),)
_MAFS_FOR_NAMES = ((3, 4, 1, 2, 4),)
# A hint for four mistakes at once would not help.
_MOST_HINTS = 3


def make_golden(mistakes: Sequence[Wrong]) -> dict[str, Any]:
    """Return the content of golden.json."""
    made = [made_problem(*sizes) for sizes in _MADES + _MADES_FOR_NAMES]
    maf = [maf_problem(*sizes) for sizes in _MAFS + _MAFS_FOR_NAMES]
    of_losses = {name: [Gan(data, "labels" in data) for data in GANS[name]] for name in GANS}
    functions: dict[str, Any] = {}
    for function in MADE:
        right = [made_right(function, problem) for problem in made]
        functions[function] = {
            "problems": "MADE",
            "judged": len(_MADES),
            "right": right,
            "mistakes": _mistakes(mistakes, made, right, predict_made(function)),
        }
    right = [maf_right(problem, problem.maps) for problem in maf]
    functions[MAF[0]] = {
        "problems": "MAF",
        "judged": len(_MAFS),
        "right": right,
        "right_on_own": [maf_right(problem, problem.blocks) for problem in maf],
        "mistakes": _mistakes(mistakes, maf, right, predict_maf),
    }
    for function, name in LOSSES.items():
        problems = of_losses[name]
        right = [loss_right(function, problem) for problem in problems]
        functions[function] = {
            "problems": name,
            "judged": len(problems),
            "right": right,
            "mistakes": _mistakes(mistakes, problems, right, predict_loss(function)),
        }
    return {
        "about": "Made by `python -m autograder golden`; do not edit. Answers are lists of all "
        "that is right; null is not compared.",
        "problems": {
            "MADE": [data_of_made(problem) for problem in made],
            "MAF": [data_of_maf(problem) for problem in maf],
            **GANS,
        },
        "functions": functions,
    }


def _mistakes(
    mistakes: Sequence[Wrong], problems: Sequence[Problem], right: list[Given], predict: Predict
) -> list[dict[str, Any]]:
    """The answers of all mistakes that show here; those with the same answers are one entry."""
    entries: list[tuple[list[Wrong], list[Given]]] = []
    for mistake in mistakes:
        if not mistake.hint:
            continue
        with np.errstate(all="ignore"):
            answers = [predict(mistake, p, r) for p, r in zip(problems, right, strict=True)]
        names = set.intersection(*(set(one) for one in answers))
        answers = [{k: v for k, v in one.items() if k in names} for one in answers]
        if not names or all(map(alike, answers, right)):
            continue
        if any(not np.isfinite(array).all() for one in answers for array in one.get("value", ())):
            continue
        for others, theirs in entries:
            if all(set(a) == set(b) and alike(a, b) for a, b in zip(answers, theirs, strict=True)):
                others.append(mistake)
                break
        else:
            entries.append(([mistake], answers))
    return [
        {"names": [m.id for m in those], "hints": hints, "answers": answers}
        for those, answers in entries
        if len(hints := list(dict.fromkeys(m.hint for m in those))) <= _MOST_HINTS
    ]
