"""Replies that later checks use again: the same questions about one function, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

from autograder.engine.judge.caller import Caller
from autograder.engine.judge.calls import Call, Ending, Outcome
from autograder.engine.judge.exceptions import CheckFailed
from autograder.homework.kept_replies import KeptReplies
from autograder.homework.problems.gan_case import GanCase
from autograder.homework.strategies import STEEP, MadeCase, MafCase
from autograder.homework.student import Student
from tests.in_process import SEED, InProcess
from tests.this_homework import reference_files

MADE = MadeCase(2, 3, 1, 4, 5)
SAME = MadeCase(2, 3, 1, 4, 5)
OTHER = MadeCase(2, 3, 1, 4, 6)
MAF = MafCase(2, 3, 1, 2, 4, 5)
GAN = GanCase(4, 3, 1.0, False, 11)
D_LOSS, G_LOSS = "loss_nonsaturating_d", "loss_nonsaturating_g"


class Counting(InProcess):
    """Counts the calls; `broken` ones fail."""

    def __init__(self) -> None:
        super().__init__(reference_files())
        self.calls = 0
        self.broken = False

    def call(self, call: Call) -> Outcome:
        """Run an experiment."""
        self.calls += 1
        if self.broken:
            raise CheckFailed("It broke.")
        return super().call(call)


def check(kept: KeptReplies) -> tuple[Counting, Student]:
    """The caller and the submission of one check."""
    caller = Counting()
    return caller, Student(cast(Caller, caller), SEED, kept)


@pytest.mark.parametrize(
    "ask",
    [
        lambda student: student.made_forward(MADE).x,
        lambda student: student.made_inverse(MADE).z,
        lambda student: student.made_inverse(MADE, jacobian=True).jacobian,
        lambda student: student.log_probs(MAF, MAF.maps).value,
        lambda student: student.gan_loss(D_LOSS, GAN).value,
        lambda student: student.gan_loss(D_LOSS, GAN).d_calls[0].rows,
    ],
)
def test_a_later_check_that_asks_the_same_calls_nothing(ask: Callable[[Student], Any]) -> None:
    """It gets the same answer."""
    kept = KeptReplies()
    first, student = check(kept)
    answer = ask(student)
    second, student = check(kept)
    np.testing.assert_array_equal(ask(student), answer)
    assert (first.calls, second.calls) == (1, 0)


def test_cases_are_compared_by_their_numbers() -> None:
    """Hypothesis makes cases anew, and those of another kind have other arrays."""
    caller, student = check(KeptReplies())
    for case in (MADE, SAME):
        student.made_forward(case)
    assert caller.calls == 1
    like_steep = MadeCase(2, 6, 1, 5, 5)
    for case in (OTHER, STEEP, like_steep):
        student.made_forward(case)
    assert caller.calls == 4


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (lambda s: s.made_forward(MADE), lambda s: s.made_forward(MADE, MADE.z)),
        (lambda s: s.made_inverse(MADE), lambda s: s.made_inverse(MADE, x=MADE.x)),
        (lambda s: s.made_inverse(MADE), lambda s: s.made_inverse(MADE, jacobian=True)),
        (
            lambda s: s.made_inverse(MADE),
            lambda s: s.made_inverse(MADE, cotangents=(np.ones((4, 2)), np.ones(4))),
        ),
        (lambda s: s.log_probs(MAF, MAF.maps), lambda s: s.log_probs(MAF, MAF.blocks)),
        (lambda s: s.gan_loss(D_LOSS, GAN), lambda s: s.gan_loss(D_LOSS, GAN, images=False)),
        (lambda s: s.gan_loss(D_LOSS, GAN), lambda s: s.gan_loss(G_LOSS, GAN)),
        (lambda s: s.gan_losses(D_LOSS, GAN, [1], images=True),) * 2,
    ],
)
def test_other_questions_are_asked(
    first: Callable[[Student], Any], second: Callable[[Student], Any]
) -> None:
    """With other inputs, derivatives, blocks or functions."""
    caller, student = check(KeptReplies())
    first(student)
    second(student)
    assert caller.calls == 2


def test_another_functions_question_drops_the_replies() -> None:
    """They would take much memory."""
    caller, student = check(KeptReplies())
    student.gan_loss(D_LOSS, GAN)
    student.gan_loss(G_LOSS, GAN)
    student.gan_loss(D_LOSS, GAN)
    assert caller.calls == 3


def test_replies_are_kept_as_long_as_there_is_room() -> None:
    """A worker that sends a lot, again and again, must not fill the judge's memory."""
    kept, asked = KeptReplies(), []
    large = Outcome(Ending.RETURNED, arrays={"x": np.zeros(2**19)})  # 4 MiB

    def ask() -> Outcome:
        asked.append(large)
        return large

    for _ in range(2):
        for question in range(5):
            assert kept.answer("loss", question, ask, str) == str(large)
    assert len(asked) == 5 + 2  # three are kept
    kept.answer("another loss", 0, ask, str)
    kept.answer("another loss", 0, ask, str)
    assert len(asked) == 5 + 2 + 1


def test_a_call_that_failed_is_made_again() -> None:
    """By the next check, in a worker of its own."""
    kept = KeptReplies()
    caller, student = check(kept)
    caller.broken = True
    with pytest.raises(CheckFailed):
        student.made_forward(MADE)
    caller, student = check(kept)
    student.made_forward(MADE)
    assert caller.calls == 1
