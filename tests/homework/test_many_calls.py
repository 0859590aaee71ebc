"""A loss that is called several times in one request: the calls are independent."""

from __future__ import annotations

from typing import cast

import numpy as np

from autograder.engine.judge.caller import Caller
from autograder.engine.judge.calls import Ending, Outcome
from autograder.engine.judge.reply import split_reply
from autograder.homework.problems.gan_case import GanCase
from autograder.homework.student import Student
from tests.in_process import SEED, InProcess, student_of
from tests.this_homework import reference_files

CASE = GanCase(4, 3, 1.0, True, 11)
LOSS = "conditional_loss_nonsaturating_d"


def test_every_call_uses_its_own_seed() -> None:
    """The same seed gives the same random numbers, another seed others."""
    first, second, again = student_of().gan_losses(LOSS, CASE, [5, 6, 5], images=True)
    np.testing.assert_array_equal(first.g_calls[0].rows, again.g_calls[0].rows)
    assert first.value == again.value != second.value
    assert not np.isclose(first.g_calls[0].rows, second.g_calls[0].rows).any()


def test_a_call_is_the_same_alone_and_among_others() -> None:
    """Including the records of d, labels and the state of the random numbers."""
    alone = student_of().gan_losses(LOSS, CASE, [6], images=True)[0]
    among = student_of().gan_losses(LOSS, CASE, [5, 6], images=True)[1]
    assert (alone.value, alone.next_random) == (among.value, among.next_random)
    for one, other in zip(alone.d_calls, among.d_calls, strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_array_equal(one.labels, other.labels)


def test_changes_to_the_images_do_not_reach_the_next_call() -> None:
    """Every call gets its own copies of images and labels."""
    files = reference_files()
    start = f"    # BEGIN SOLUTION 4.2 {LOSS}\n"
    assert start in files["codebase/gan.py"]
    spoiling = f"{start}    x_real.mul_(0.5)\n    y_real.add_(1).remainder_(10)\n"
    files["codebase/gan.py"] = files["codebase/gan.py"].replace(start, spoiling)
    student = Student(cast(Caller, InProcess(files)), SEED)
    first, second = student.gan_losses(LOSS, CASE, [5, 5], images=True)
    assert first.value == second.value


def test_a_reply_is_split_by_the_number_before_each_name() -> None:
    """Names without a requested number are dropped."""
    values = {
        "0.loss": 1,
        "1.loss": 2,
        "1.g.input": 3,
        "2.loss": 4,
        ".loss": 5,
        "loss": 6,
        "01.x": 7,
    }
    array = np.zeros(1)
    reply = Outcome(Ending.RETURNED, values, {"0.g.input": array, "-1.loss": array})
    first, second = split_reply(reply, 2)
    assert (first.values, second.values) == ({"loss": 1}, {"loss": 2, "g.input": 3})
    assert (list(first.arrays), list(second.arrays)) == (["g.input"], [])
