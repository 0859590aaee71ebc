"""What goes on beside the checks: it steps back, and does not hang for ever."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from autograder.engine.worker.serve import Misuse, Recorder, StudentCode
from autograder.homework.experiments import devices, training
from autograder.homework.experiments.beside import TookTooLong, at_most
from autograder.homework.problems.arrays import gan_arrays
from autograder.homework.problems.gan_case import GanCase
from autograder.homework.runs.gan_training import RECIPE, small_problem


def endless() -> None:
    """A loop that never ends, and swallows what it can."""
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            continue


def test_a_call_that_goes_on_too_long_is_interrupted() -> None:
    """Also one that catches every Exception."""
    started = time.monotonic()
    with pytest.raises(TookTooLong), at_most(0.1):
        endless()
    assert time.monotonic() - started < 5


def test_a_bare_except_is_rung_again() -> None:
    """Code that swallows the first interruption meets the next one."""

    def swallows_once() -> None:
        try:
            endless()
        except BaseException:
            endless()

    with pytest.raises(TookTooLong), at_most(0.1):
        swallows_once()


def test_what_ends_in_time_leaves_no_alarm_behind() -> None:
    """Nothing rings later, and the handler that was there is there again."""
    before = signal.getsignal(signal.SIGALRM)
    with at_most(0.05):
        pass
    time.sleep(0.1)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


# ---- with it, the runs ----------------------------------------------------------------------


def student(**functions: Callable[..., Any]) -> StudentCode:
    """A submission of these functions alone."""

    def attribute(_module: str, name: str) -> Any:
        if name not in functions:
            raise NotImplementedError
        return functions[name]

    return cast(StudentCode, SimpleNamespace(attribute=attribute))


def tensors_of(arrays: Mapping[str, Any]) -> dict[str, Tensor]:
    """Arrays as an experiment gets them."""
    return {name: torch.tensor(array) for name, array in arrays.items()}


def hangs(*_arguments: Any, **_named: Any) -> Tensor:
    """A loss with an endless loop."""
    endless()
    raise AssertionError("it ended")


def right(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
    """A loss that is right enough to be called."""
    loss: Tensor = -d(g(torch.randn(len(x_real), g.dim_z, device=device))).mean()
    return loss


@pytest.fixture(autouse=True)
def validated() -> Iterator[None]:
    """The experiments switch off what other tests rely on."""
    yield
    torch.distributions.Distribution.set_default_validate_args(True)


@pytest.fixture(autouse=True)
def stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process keeps its priority, and patience is short."""
    for module in (devices, training):
        monkeypatch.setattr(module, "step_back", lambda: None)
        monkeypatch.setattr(module, "_LONGEST_CALL_S", 0.3)


def test_a_function_that_hangs_costs_the_others_no_advice_on_devices() -> None:
    """It is left out, the rest is told."""
    case, recorder = GanCase(3, 3, 1.0, True, 0), Recorder()
    code = student(loss_wasserstein_gp_d=hangs, loss_wasserstein_gp_g=right)
    devices.on_meta_device(code, {}, tensors_of(gan_arrays(case, case.critic)), recorder)
    assert recorder.values["loss_wasserstein_gp_d"] == "other"
    assert recorder.values["loss_wasserstein_gp_g"] == "fine"
    assert recorder.values["MADE.forward"] == "missing"


def test_code_that_moves_to_a_gpu_where_there_is_one_gets_no_false_advice() -> None:
    """It would be right there. What is put in place of CUDA is taken away again."""
    before = torch.cuda.is_available, torch.Tensor.cuda

    def moves(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
        z = torch.randn(len(x_real), g.dim_z)
        if torch.cuda.is_available():
            z = z.cuda()
        return -d(g(z)).mean()  # type: ignore[no-any-return]

    def stays(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
        return -d(g(torch.randn(len(x_real), g.dim_z))).mean()  # type: ignore[no-any-return]

    case, recorder = GanCase(3, 3, 1.0, True, 0), Recorder()
    code = student(loss_wasserstein_gp_d=moves, loss_wasserstein_gp_g=stays)
    devices.on_meta_device(code, {}, tensors_of(gan_arrays(case, case.critic)), recorder)
    assert recorder.values["loss_wasserstein_gp_d"] == "fine"
    assert recorder.values["loss_wasserstein_gp_g"] == "mixed"
    assert (torch.cuda.is_available, torch.Tensor.cuda) == before


def test_a_training_run_whose_loss_hangs_ends_with_a_sentence() -> None:
    """It does not keep a processor busy until the checks are over."""
    problem = small_problem(False, 1)
    tensors = {name: torch.tensor(array).float() for name, array in problem.weights.items()}
    tensors["x_train"] = torch.tensor(problem.images).float()
    arguments = {**RECIPE, "d_function": "d", "g_function": "g", "conditional": False}
    with pytest.raises(Misuse, match="d did not return within"):
        training.train_gan(
            student(d=hangs, g=right), {**arguments, "order_seed": 1}, tensors, Recorder()
        )


def test_gradients_that_a_loss_takes_away_do_not_stop_the_training() -> None:
    """`net.zero_grad()` within a loss, as in many tutorials, changes nothing."""

    def d_loss(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
        d.zero_grad()
        g.zero_grad()
        fake = g(torch.randn(len(x_real), g.dim_z)).detach()
        loss: Tensor = torch.nn.functional.softplus(torch.cat([-d(x_real), d(fake)])).mean()
        return loss

    def plain(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
        fake = g(torch.randn(len(x_real), g.dim_z)).detach()
        loss: Tensor = torch.nn.functional.softplus(torch.cat([-d(x_real), d(fake)])).mean()
        return loss

    def trained(d: Callable[..., Tensor]) -> Tensor:
        problem, recorder = small_problem(False, 1), Recorder()
        tensors = {name: torch.tensor(array).float() for name, array in problem.weights.items()}
        tensors["x_train"] = torch.tensor(problem.images).float()
        arguments = {**RECIPE, "steps": 5, "d_function": "d", "g_function": "g"}
        arguments |= {"conditional": False, "order_seed": 1}
        torch.manual_seed(3)
        training.train_gan(student(d=d, g=right), arguments, tensors, recorder)
        return torch.from_numpy(recorder.arrays["g.bias"])

    assert torch.equal(trained(d_loss), trained(plain))


def test_a_loss_that_leaves_parameters_frozen_is_told_so() -> None:
    """What it froze learns nothing in the next step."""

    def freezes(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
        d.requires_grad_(False)
        return right(g, d, x_real, device=device)

    problem = small_problem(False, 1)
    tensors = {name: torch.tensor(array).float() for name, array in problem.weights.items()}
    tensors["x_train"] = torch.tensor(problem.images).float()
    arguments = {**RECIPE, "d_function": "d", "g_function": "g", "conditional": False}
    with pytest.raises(Misuse, match="after g was called, parameters of g or d are frozen"):
        training.train_gan(
            student(d=right, g=freezes), {**arguments, "order_seed": 1}, tensors, Recorder()
        )
