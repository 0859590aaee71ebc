"""5.5 WGAN-GP: fixed problems, the draws, a short training run, and advice."""

import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from autograder.homework.golden.checks import check_golden
from autograder.homework.sampling import checks as gan_draws
from autograder.homework.sampling.snippets import draws, showing, training
from autograder.homework.student import Student
from autograder.homework.training_runs.device_advice import DeviceAdvice
from autograder.homework.training_runs.gan_training import GanTraining

FUNCTIONS = ("loss_wasserstein_gp_d", "loss_wasserstein_gp_g")


@number("5.5.5")
@weight(1)
@pytest.mark.explained_by("5.5.1", "5.5.2")
def test_d_loss_on_fixed_problems(student: Student) -> None:
    """loss_wasserstein_gp_d has the expected value and gradient for three linear critics.

    The gradient of a linear critic w x + b is w everywhere, so its penalty is 10 (||w|| - 1)^2 at
    any point.
    """
    check_golden(student, "loss_wasserstein_gp_d")


@number("5.5.10")
@weight(0.5)
@pytest.mark.requires_any_of("5.5.3", "5.5.4")
@pytest.mark.explained_by("5.5.3", "5.5.4")
def test_g_loss_on_fixed_problems(student: Student) -> None:
    """loss_wasserstein_gp_g has the expected value and gradient on three small problems.

    Run `pytest -k 5.5.10` in your homework's folder to print the smallest problem as a snippet.
    """
    check_golden(student, "loss_wasserstein_gp_g")


@number("5.5.6")
@weight(2)
def test_interpolation_weights(student: Student) -> None:
    """Every example has its own interpolation weight, uniform on [0, 1]."""
    with showing(draws(FUNCTIONS[:1])):
        gan_draws.check_interpolation(student, "loss_wasserstein_gp_d")


@number("5.5.7")
@weight(1)
@pytest.mark.requires_any_of("5.5.1", "5.5.2", "5.5.3", "5.5.4")
@pytest.mark.requires_any_of("5.5.5", "5.5.10")
def test_latents_are_standard_normal(student: Student) -> None:
    """Both losses draw a new standard normal z for every example."""
    with showing(draws(FUNCTIONS)):
        for function in FUNCTIONS:
            gan_draws.check_latents(student, function, conditional=False)


@number("5.5.8")
@weight(2)
@pytest.mark.requires_any_of("5.5.1", "5.5.2", "5.5.3", "5.5.4")
@pytest.mark.requires_any_of("5.5.5", "5.5.10")
@pytest.mark.explained_by("5.5.1", "5.5.2", "5.5.3", "5.5.4", "5.5.6", "5.5.5", "5.5.10")
def test_small_gan_learns(gan_training: GanTraining) -> None:
    """After 50 training steps, a small WGAN-GP has moved toward the mean image."""
    with showing(training(FUNCTIONS)):
        gan_training.check()


@number("5.5.9")
@pytest.mark.run_last
def test_tensors_are_made_on_the_given_device(device_advice: DeviceAdvice) -> None:
    """Advice: new tensors are created on the given device."""
    device_advice.advise(FUNCTIONS, "Pass device=device when you create it.")
