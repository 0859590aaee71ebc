"""5.5 WGAN-GP: the penalty in closed form, the draws, a short training run, and advice."""

import pytest
from gradescope_utils.autograder_utils.decorators import number, weight
from hypothesis import given, settings

from autograder.homework import gan_checks, gan_draws
from autograder.homework.device_advice import DeviceAdvice
from autograder.homework.mistakes.diagnosis import Diagnosis
from autograder.homework.strategies import GanCase, gan_cases
from autograder.homework.student import Student
from autograder.homework.trained_gan import GanTraining

FUNCTIONS = ("loss_wasserstein_gp_d", "loss_wasserstein_gp_g")


@number("5.5.5")
@weight(1)
@settings(max_examples=10)
@given(case=gan_cases(conditional=False))
def test_penalty_of_a_linear_critic(student: Student, diagnosis: Diagnosis, case: GanCase) -> None:
    """For a linear critic w x + b the penalty is 10 (||w|| - 1)^2, wherever it is taken."""
    gan_checks.check_linear_critic(student, diagnosis, case)


@number("5.5.6")
@weight(2)
def test_interpolation_weights(student: Student) -> None:
    """Every example has one interpolation weight of its own, uniform on [0, 1]."""
    gan_draws.check_interpolation(student, "loss_wasserstein_gp_d")


@number("5.5.7")
@weight(1)
def test_latents_are_standard_normal(student: Student) -> None:
    """Both losses give the generator a fresh standard normal z for every example."""
    for function in FUNCTIONS:
        gan_draws.check_latents(student, function, conditional=False)


@number("5.5.8")
@weight(2)
def test_small_gan_learns(gan_training: GanTraining) -> None:
    """A small WGAN-GP trained for a moment learns the mean of its data."""
    gan_training.check()


@number("5.5.9")
@pytest.mark.run_last
def test_tensors_are_made_on_the_given_device(device_advice: DeviceAdvice) -> None:
    """Advice: new tensors are made on the given device."""
    device_advice.advise(FUNCTIONS, "Pass device=device where you make it.")
