"""The networks that record: what they have of the handout's, and what a loss may do with them."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from autograder.engine.sandbox.experiment import Misuse, Recorder, StudentCode
from autograder.homework.experiments.gan import gan_losses
from autograder.homework.experiments.probes import ProbeCritic, ProbeGenerator
from autograder.homework.problems.arrays import gan_arrays
from autograder.homework.problems.gan_case import GanCase

CASE = GanCase(batch=3, dim_z=4, scale=1.0, conditional=True, seed=1)
TENSORS = {name: torch.tensor(array) for name, array in gan_arrays(CASE, CASE.critic).items()}


def recorded(loss: Callable[..., Any]) -> Recorder:
    """Call a loss between probes, its gradient included."""
    recorder = Recorder()
    code = SimpleNamespace(attribute=lambda _module, _name: loss, unseen=contextlib.nullcontext)
    student = cast(StudentCode, code)
    arguments = {"function": "some_loss", "seeds": [1], "conditional": True, "trains": "d"}
    gan_losses(student, {**arguments, "gradient": True, "images": True}, TENSORS, recorder)
    return recorder


def judged(g: Any, d: Any, x_real: Tensor, y_real: Tensor) -> Tensor:
    """The mean logit of generated images."""
    logits: Tensor = d(g(torch.randn(len(x_real), g.dim_z), y_real), y_real)
    return logits.mean()


def test_g_has_the_attributes_of_the_homeworks_generator() -> None:
    """The size of z and the number of classes."""
    g = ProbeGenerator(TENSORS, conditional=True)
    assert (g.dim_z, g.num_classes) == (4, 10)


def test_a_missing_attribute_error_lists_those_that_exist() -> None:
    """Also with `hasattr`, which must be False."""
    d = ProbeCritic(TENSORS, conditional=True)
    assert not hasattr(d, "net")
    with pytest.raises(AttributeError, match="have no net; call g"):
        _ = d.net


def test_a_loss_checkpointed_by_an_autograd_function_has_its_gradient() -> None:
    """Such a loss only works with backward(), which is what the training loop calls."""

    def loss(g: Any, d: Any, x_real: Tensor, y_real: Tensor, *, device: torch.device) -> Tensor:
        fake = g(torch.randn(len(x_real), g.dim_z), y_real)
        logits: Tensor = checkpoint(d, fake, y_real, use_reentrant=True)
        return logits.mean()

    found = recorded(loss)
    assert found.values["0.reached"] is True
    assert found.arrays["0.grad.w1"].any()


def test_gradients_left_by_a_loss_are_not_added() -> None:
    """The training loop drops them, too."""

    def loss(g: Any, d: Any, x_real: Tensor, y_real: Tensor, *, device: torch.device) -> Tensor:
        value = judged(g, d, x_real, y_real)
        value.backward(retain_graph=True)  # type: ignore[no-untyped-call]
        return value

    def plain(g: Any, d: Any, x_real: Tensor, y_real: Tensor, *, device: torch.device) -> Tensor:
        return judged(g, d, x_real, y_real)

    gradients = [recorded(each).arrays["0.grad.w1"] for each in (loss, plain)]
    assert (gradients[0] == gradients[1]).all()


def test_a_copy_shares_the_record_but_not_the_parameters() -> None:
    """Inputs of a copied network count as inputs of the original."""
    d = ProbeCritic(TENSORS, conditional=True)
    twin = copy.deepcopy(d)
    twin(torch.zeros(3, 1, 28, 28), torch.zeros(3, dtype=torch.int64))
    recorder = Recorder()
    d.report(recorder, "d")
    assert recorder.values["d_calls"] == [3]
    assert twin.w1 is not d.w1
    assert torch.equal(twin.w1, d.w1)


def test_backward_within_a_loss_is_reported() -> None:
    """The graph is gone when the training loop needs it."""

    def loss(g: Any, d: Any, x_real: Tensor, y_real: Tensor, *, device: torch.device) -> Tensor:
        value = judged(g, d, x_real, y_real)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with pytest.raises(Misuse, match=r"some_loss calls backward\(\) itself"):
        recorded(loss)


def test_a_step_within_a_loss_is_reported() -> None:
    """Parameters that have changed since have no gradient."""

    def loss(g: Any, d: Any, x_real: Tensor, y_real: Tensor, *, device: torch.device) -> Tensor:
        value = judged(g, d, x_real, y_real)
        with torch.no_grad():
            for parameter in d.parameters():
                parameter.mul_(0.9)
        return value

    with pytest.raises(Misuse, match="some_loss changes parameters of g or d itself"):
        recorded(loss)


def test_a_loss_that_only_computes_is_not_reported() -> None:
    """It has a value and a gradient."""

    def loss(g: Any, d: Any, x_real: Tensor, y_real: Tensor, *, device: torch.device) -> Tensor:
        return judged(g, d, x_real, y_real)

    assert {"0.loss", "0.grad.w1"} <= set(recorded(loss).arrays)


def test_a_torch_without_functorch_internals_records_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The internal names are needed only inside torch.func's transformations."""

    def loss(g: Any, d: Any, x_real: Tensor, y_real: Tensor, *, device: torch.device) -> Tensor:
        return judged(g, d, x_real, y_real)

    usual = recorded(loss).arrays
    monkeypatch.delattr(torch._C, "_functorch")
    found = recorded(loss).arrays
    assert found.keys() == usual.keys()
    assert all((found[name] == usual[name]).all() for name in usual)
