"""5.5 WGAN-GP: value and gradient of both losses."""

import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from autograder.engine.judge.diagnosis import Diagnosis
from autograder.engine.judge.drawn_cases import for_cases
from autograder.homework.losses.checks import check_gradient, check_value
from autograder.homework.problems.gan_case import GanCase
from autograder.homework.strategies import gan_cases
from autograder.homework.student import Student


@number("5.5.1")
@weight(3)
@for_cases(gan_cases(conditional=False), 15)
def test_value_of_d_loss(student: Student, diagnosis: Diagnosis, case: GanCase) -> None:
    """loss_wasserstein_gp_d is mean D(G(z)) - mean D(x) + 10 mean (||grad D(r)|| - 1)^2.

    Check the signs of the two means, what you take the norm over, the square, and lambda.
    """
    check_value(student, diagnosis, case, "loss_wasserstein_gp_d")


@number("5.5.2")
@weight(3)
@pytest.mark.explained_by("5.5.1")
@for_cases(gan_cases(conditional=False), 12)
def test_gradient_of_d_loss(student: Student, diagnosis: Diagnosis, case: GanCase) -> None:
    """The gradient of loss_wasserstein_gp_d w.r.t. the critic is correct, penalty included.

    If the value is correct, look for detach(), no_grad(), .item() or .data on the way to the loss.
    """
    check_gradient(student, diagnosis, case, "loss_wasserstein_gp_d")


@number("5.5.3")
@weight(0.5)
@for_cases(gan_cases(conditional=False), 12)
def test_value_of_g_loss(student: Student, diagnosis: Diagnosis, case: GanCase) -> None:
    """loss_wasserstein_gp_g is -mean D(G(z)).

    Check the sign, and what you do with the critic's outputs before the mean.
    """
    check_value(student, diagnosis, case, "loss_wasserstein_gp_g")


@number("5.5.4")
@weight(2)
@pytest.mark.explained_by("5.5.3")
@for_cases(gan_cases(conditional=False), 10)
def test_gradient_of_g_loss(student: Student, diagnosis: Diagnosis, case: GanCase) -> None:
    """The gradient of loss_wasserstein_gp_g with respect to the generator is correct.

    If the value is correct, look for detach(), no_grad(), .item() or .data on the way to the loss.
    """
    check_gradient(student, diagnosis, case, "loss_wasserstein_gp_g")
