"""Advice on losses of a discriminator that is very sure."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import pytest

from autograder.engine.judge.exceptions import Advice
from autograder.homework.losses.large_logits import advise_on_large_logits
from autograder.homework.problems.gan_case import GanCase
from autograder.homework.problems.probe_networks import LinearCritic
from autograder.homework.student import Student


class OneLoss:
    """In the student's place: every loss is this function of the one logit that d gives."""

    seed = 1

    def __init__(self, loss: Callable[[float], float]) -> None:
        self._loss = loss

    def gan_loss_value(self, function: str, case: GanCase, critic: LinearCritic) -> float:
        """See `Student.gan_loss_value`."""
        with np.errstate(all="ignore"):
            return self._loss(np.float64(critic.b))


def advice(loss: Callable[[float], float]) -> str:
    """The advice on a loss, "" if there is none."""
    try:
        advise_on_large_logits(cast(Student, OneLoss(loss)), ["some_loss"], conditional=False)
    except Advice as said:
        return said.feedback
    return ""


def sigmoid(h: float) -> float:
    """In numbers that end where float32 does, more or less."""
    return 1 / (1 + np.exp(-h)) if h > -90 else 0.0


@pytest.mark.parametrize(
    "loss",
    [
        lambda h: np.logaddexp(0, h) + np.logaddexp(0, -h),
        lambda h: np.logaddexp(0, -h),
        lambda h: -np.logaddexp(0, h),  # wrong, but neither infinite nor capped
        lambda h: 0.6931,
        lambda h: 0.0,
    ],
)
def test_no_advice(loss: Callable[[float], float]) -> None:
    """On a loss that grows with the logit, or on one without a logarithm."""
    assert advice(loss) == ""


def test_infinite() -> None:
    """The logarithm of a sigmoid that is 0."""
    said = advice(lambda h: -np.log(sigmoid(h)))
    assert "some_loss: infinite or NaN" in said
    assert said.endswith("No points are lost for this.")


@pytest.mark.parametrize("epsilon", [1e-2, 1e-8, 1e-12, 1e-20])
def test_capped(epsilon: float) -> None:
    """A small number within the logarithm: finite, but without a gradient where it matters."""
    said = advice(lambda h: -np.log(sigmoid(h) + epsilon))
    assert f"some_loss: never exceeds {-np.log(epsilon):.3g}" in said
    assert "No points are lost for a number of 1e-6 or less; 1e-4 and more cost points" in said
