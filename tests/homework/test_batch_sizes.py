"""A hard-coded batch size is reported as such, and nothing else is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from autograder.engine.sandbox.experiment import Misuse, Recorder, StudentCode
from autograder.homework.experiments.batches import explain_by_batch
from autograder.homework.experiments.gan import gan_losses
from autograder.homework.experiments.training import train_gan
from autograder.homework.problems.arrays import gan_arrays
from autograder.homework.problems.gan_case import GanCase
from autograder.homework.training_runs.gan_training import RECIPE, small_problem

CASE = GanCase(batch=3, dim_z=4, scale=1.0, conditional=False, seed=1)
TENSORS = {name: torch.tensor(array) for name, array in gan_arrays(CASE, CASE.critic).items()}

Loss = Callable[..., Any]


def code_of(loss: Loss) -> StudentCode:
    """A submission whose functions all are this loss."""
    code = SimpleNamespace(
        attribute=lambda _module, _name: loss,
        unseen=contextlib.nullcontext,
        speed=1.0,
        own_process=False,
    )
    return cast(StudentCode, code)


def recorded(loss: Loss) -> Recorder:
    """Call a loss between probes."""
    recorder = Recorder()
    arguments = {"function": "some_loss", "seeds": [1], "conditional": False, "trains": "d"}
    gan_losses(code_of(loss), {**arguments, "gradient": True, "images": True}, TENSORS, recorder)
    return recorder


def of_size(size: int) -> Loss:
    """A loss that works on batches of one size."""

    def loss(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
        logits: Tensor = d(x_real) * torch.ones(size)
        return logits.mean()

    return loss


@pytest.mark.parametrize("size", [2, 64, 100, 256])
def test_the_constant_is_named(size: int) -> None:
    """It may be the training's batch size, or a number in the exception's text."""
    with pytest.raises(
        Misuse, match=f"some_loss works on a batch of {size} images and fails on other sizes; take"
    ):
        recorded(of_size(size))


@pytest.mark.parametrize("shape", ["(B,)", "(B, 1)"])
def test_a_number_per_image_in_the_wrong_shape_is_no_constant(shape: str) -> None:
    """It fits images of width 28 if there are 28 of them, and no 28 is in the code."""

    def loss(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
        weight = torch.rand(len(x_real)) if shape == "(B,)" else torch.rand(len(x_real), 1)
        logits: Tensor = d(weight * x_real)
        return logits.mean()

    with pytest.raises(Misuse, match=r"needs the shape \(B, 1, 1, 1\) before") as caught:
        recorded(loss)
    assert "x_real.shape" not in str(caught.value)
    assert isinstance(caught.value.__cause__, RuntimeError), "what the line raised is kept"


def test_the_line_is_that_of_the_loss() -> None:
    """The traceback still contains the line of the loss."""
    with pytest.raises(Misuse) as caught:
        recorded(of_size(64))
    names = [entry.name for entry in caught.traceback]
    assert "loss" in names


def test_a_loss_of_no_images_is_reported() -> None:
    """The mean of no logits is NaN; with 64 images there are some."""

    def loss(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
        logits: Tensor = d(torch.cat([x_real, x_real]))
        return logits[:64].mean() - logits[64:].mean()

    with pytest.raises(Misuse, match="works on a batch of 64 images"):
        recorded(loss)


def test_failure_on_every_batch_is_raised_unchanged() -> None:
    """Even if its text contains numbers."""

    def loss(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
        raise KeyError("64 and 100")

    with pytest.raises(KeyError, match="64 and 100"):
        recorded(loss)


def test_nan_on_every_batch_is_recorded() -> None:
    """The judge reports it with a message of its own."""

    def loss(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
        logits: Tensor = d(x_real)
        return (logits.sum() * 0.0 / 0.0).mean()

    assert recorded(loss).arrays["0.loss"] != recorded(loss).arrays["0.loss"]


def test_a_batch_without_a_result_is_not_named() -> None:
    """A loss that returns no number on a batch does not work on it."""
    explain_by_batch(code_of(of_size(64)), "some_loss", 3, lambda _size: None, ValueError("64"))


def test_an_exception_without_a_text_does_no_harm() -> None:
    """Its class may be defined by the student."""

    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    explain_by_batch(code_of(of_size(64)), "some_loss", 3, lambda _size: None, Odd())


def test_it_is_reported_in_the_training_run_too() -> None:
    """The training run uses another batch size."""
    problem = small_problem(conditional=False, seed=0)
    tensors = {k: torch.tensor(a, dtype=torch.float32) for k, a in problem.weights.items()}
    tensors["x_train"] = torch.tensor(problem.images, dtype=torch.float32)
    arguments = {"conditional": False, "order_seed": 0, **RECIPE}
    functions = {"d_function": "d_loss", "g_function": "g_loss"}
    with pytest.raises(Misuse, match="d_loss works on a batch of 64 images and fails on"):
        train_gan(code_of(of_size(64)), {**arguments, **functions}, tensors, Recorder())
