"""Advice on losses that are not finite when the discriminator is very sure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autograder.engine.judge.verdicts import Advice
from autograder.homework.problems.gan_case import GanCase
from autograder.homework.problems.probe_networks import LinearCritic
from autograder.homework.student import Student

_LOGIT = 100.0


def advise_on_large_logits(
    student: Student, functions: Sequence[str], *, conditional: bool
) -> None:
    """Say which losses are infinite when the discriminator answers +-100 to everything."""
    bad = []
    for function in functions:
        for logit in (-_LOGIT, _LOGIT):
            case = GanCase(2, 3, 1.0, conditional, student.seed)
            critic = LinearCritic(np.zeros(case.x_real.shape[1]), logit)
            if not np.isfinite(student.gan_loss_value(function, case, critic)):
                bad.append(function)
    if bad:
        raise Advice(
            f"{' and '.join(dict.fromkeys(bad))}: infinite or NaN when d answers a logit of "
            f"{_LOGIT:.0f} or -{_LOGIT:.0f}. Some intermediate result, such as sigmoid(h) or "
            "exp(h), leaves float32's range there; a loss computed from the logits in one step "
            "does not. No points are lost for this."
        )
