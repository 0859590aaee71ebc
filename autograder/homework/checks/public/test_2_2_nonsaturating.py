"""2.2 The non-saturating GAN: fixed problems, the draws of z, a short training run, and advice."""

import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from autograder.homework.golden.checks import check_golden
from autograder.homework.losses.large_logits import advise_on_large_logits
from autograder.homework.sampling import checks as gan_draws
from autograder.homework.sampling.snippets import draws, showing, training
from autograder.homework.student import Student
from autograder.homework.training_runs.device_advice import DeviceAdvice
from autograder.homework.training_runs.gan_training import GanTraining

FUNCTIONS = ("loss_nonsaturating_d", "loss_nonsaturating_g")


@number("2.2.10")
@weight(0.5)
@pytest.mark.requires_any_of("2.2.1", "2.2.2", "2.2.3", "2.2.4")
@pytest.mark.explained_by("2.2.1", "2.2.2")
def test_d_loss_on_fixed_problems(student: Student) -> None:
    """loss_nonsaturating_d has the expected value and gradient on three small problems.

    Run `pytest -k 2.2.10` in your homework's folder to print the smallest problem as a snippet.
    """
    check_golden(student, "loss_nonsaturating_d")


@number("2.2.11")
@weight(0.5)
@pytest.mark.requires_any_of("2.2.1", "2.2.2", "2.2.3", "2.2.4")
@pytest.mark.explained_by("2.2.3", "2.2.4")
def test_g_loss_on_fixed_problems(student: Student) -> None:
    """loss_nonsaturating_g has the expected value and gradient on three small problems.

    Run `pytest -k 2.2.11` in your homework's folder to print the smallest problem as a snippet.
    """
    check_golden(student, "loss_nonsaturating_g")


@number("2.2.5")
@weight(1)
@pytest.mark.requires_any_of("2.2.1", "2.2.2", "2.2.3", "2.2.4")
@pytest.mark.requires_any_of("2.2.10", "2.2.11")
def test_latents_are_standard_normal(student: Student) -> None:
    """Both losses draw a new standard normal z for every example."""
    with showing(draws(FUNCTIONS)):
        for function in FUNCTIONS:
            gan_draws.check_latents(student, function, conditional=False)


@number("2.2.6")
@weight(2)
@pytest.mark.requires_any_of("2.2.1", "2.2.2", "2.2.3", "2.2.4")
@pytest.mark.requires_any_of("2.2.10", "2.2.11")
@pytest.mark.explained_by("2.2.1", "2.2.2", "2.2.3", "2.2.4", "2.2.10", "2.2.11")
def test_small_gan_learns(gan_training: GanTraining) -> None:
    """After 50 training steps, a small GAN has moved toward the mean image."""
    with showing(training(FUNCTIONS)):
        gan_training.check()


@number("2.2.7")
def test_losses_stay_finite_at_large_logits(student: Student) -> None:
    """Advice: the losses stay finite and keep growing when the discriminator is very confident."""
    advise_on_large_logits(student, FUNCTIONS, conditional=False)


@number("2.2.8")
@pytest.mark.run_last
def test_tensors_are_made_on_the_given_device(device_advice: DeviceAdvice) -> None:
    """Advice: new tensors are created on the given device."""
    device_advice.advise(FUNCTIONS, "Pass device=device when you create it.")
