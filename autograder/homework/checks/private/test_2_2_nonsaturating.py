"""2.2 The non-saturating GAN: value and gradient of both losses."""

import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from autograder.engine.judge.diagnosis import Diagnosis
from autograder.engine.judge.drawn_cases import for_cases
from autograder.homework.losses.checks import check_gradient, check_value
from autograder.homework.problems.gan_case import GanCase
from autograder.homework.strategies import gan_cases
from autograder.homework.student import Student


@number("2.2.1")
@weight(2.5)
@for_cases(gan_cases(conditional=False), 15)
def test_value_of_d_loss(student: Student, diagnosis: Diagnosis, case: GanCase) -> None:
    """loss_nonsaturating_d is -mean log D(x) - mean log(1 - D(G(z))).

    Check which images you label as real, the signs, and where you take the logarithm and the mean.
    """
    check_value(student, diagnosis, case, "loss_nonsaturating_d")


@number("2.2.2")
@weight(3)
@pytest.mark.explained_by("2.2.1")
@for_cases(gan_cases(conditional=False), 10)
def test_gradient_of_d_loss(student: Student, diagnosis: Diagnosis, case: GanCase) -> None:
    """The gradient of loss_nonsaturating_d with respect to the discriminator is correct.

    If the value is correct, look for detach(), no_grad(), .item() or .data on the way to the loss.
    """
    check_gradient(student, diagnosis, case, "loss_nonsaturating_d")


@number("2.2.3")
@weight(2.5)
@for_cases(gan_cases(conditional=False), 15)
def test_value_of_g_loss(student: Student, diagnosis: Diagnosis, case: GanCase) -> None:
    """loss_nonsaturating_g is -mean log D(G(z)).

    Check what you pass to d, the sign, and where you take the logarithm and the mean.
    """
    check_value(student, diagnosis, case, "loss_nonsaturating_g")


@number("2.2.4")
@weight(3)
@pytest.mark.explained_by("2.2.3")
@for_cases(gan_cases(conditional=False), 10)
def test_gradient_of_g_loss(student: Student, diagnosis: Diagnosis, case: GanCase) -> None:
    """The gradient of loss_nonsaturating_g with respect to the generator is correct.

    If the value is correct, look for detach(), no_grad(), .item() or .data on the way to the loss.
    """
    check_gradient(student, diagnosis, case, "loss_nonsaturating_g")
