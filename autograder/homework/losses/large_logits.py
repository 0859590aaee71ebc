"""Advice on losses that are infinite or capped when the discriminator is very sure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autograder.engine.judge.exceptions import Advice, advising
from autograder.homework.problems.gan_case import GanCase
from autograder.homework.problems.probe_networks import LinearCritic
from autograder.homework.student import Student

_LOGIT = 100.0
# A correct loss is at least 100 at one of the two logits. log(p + 1e-20) ends at 46; a loss that
# stays below 3 is no logarithm of a small number.
_CAPPED = (3.0, 49.0)


def advise_on_large_logits(
    student: Student, functions: Sequence[str], *, conditional: bool
) -> None:
    """Report losses that are infinite or capped where the discriminator's logits are all +-100.

    Raises:
        Advice: there are some.
        NotAttempted: a loss is a stub or fails.
    """
    infinite: list[str] = []
    capped: dict[str, float] = {}
    for function in functions:
        values = []
        for logit in (-_LOGIT, _LOGIT):
            case = GanCase(2, 3, 1.0, conditional, student.seed)
            critic = LinearCritic(np.zeros(case.x_real.shape[1]), logit)
            with advising():
                values.append(abs(student.gan_loss_value(function, case, critic)))
        if not np.all(np.isfinite(values)):
            infinite.append(function)
        elif _CAPPED[0] < max(values) < _CAPPED[1]:
            capped[function] = max(values)
    advice = []
    if infinite:
        advice.append(
            f"{' and '.join(infinite)}: infinite or NaN when d returns a logit of "
            f"{_LOGIT:.0f} or -{_LOGIT:.0f}. An intermediate result, such as sigmoid(h) or "
            "exp(h), leaves float32's range there. A loss computed from the logits in one step "
            "does not. No points are lost for this."
        )
    for function, value in capped.items():
        advice.append(
            f"{function}: never exceeds {value:.3g}, even when d returns a logit of {_LOGIT:.0f} "
            f"or -{_LOGIT:.0f} and is wrong. A small number added inside a logarithm, or a clamp, "
            "limits the loss and removes its gradient there. A loss computed from the logits in "
            "one step needs neither. No points are lost for a number of 1e-6 or less; 1e-4 and "
            "more cost points, because they change the loss of an image whose probability is 7e-5."
        )
    if advice:
        raise Advice(" ".join(advice))
