"""Background runs have a lower priority and a limit for every call."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from autograder.engine.sandbox.experiment import Misuse, Recorder, StudentCode
from autograder.homework.experiments import devices, training
from autograder.homework.experiments.background import TookTooLong, at_most
from autograder.homework.problems.arrays import gan_arrays
from autograder.homework.problems.gan_case import GanCase
from autograder.homework.training_runs.gan_training import RECIPE, STEPS, small_problem


def endless() -> None:
    """A loop that never ends, and swallows what it can."""
    while True:
        try:
            sum(range(1000))
        except Exception:
            continue


def test_a_call_that_goes_on_too_long_is_interrupted() -> None:
    """Also one that catches every Exception."""
    started = time.process_time()
    with pytest.raises(TookTooLong), at_most(0.1):
        endless()
    assert time.process_time() - started < 5


def test_no_limit_is_none() -> None:
    """On a student's machine, the student can stop a call that hangs."""
    before = signal.getsignal(signal.SIGPROF)
    with at_most(math.inf):
        assert signal.getsignal(signal.SIGPROF) is before


def test_a_bare_except_is_rung_again() -> None:
    """Code that swallows the first interruption gets the next one."""

    def swallows_once() -> None:
        try:
            endless()
        except BaseException:
            endless()

    with pytest.raises(TookTooLong), at_most(0.1):
        swallows_once()


def test_a_call_that_ends_in_time_leaves_no_alarm_behind() -> None:
    """No later interruption, and the former handler is restored."""
    before = signal.getsignal(signal.SIGPROF)
    with at_most(0.05):
        pass
    time.sleep(0.1)
    assert signal.getsignal(signal.SIGPROF) is before
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


# ---- with it, the runs ----------------------------------------------------------------------


def student(*, speed: float = math.inf, **functions: Callable[..., Any]) -> StudentCode:
    """A submission of these functions alone, without a limit for its calls."""

    def attribute(_module: str, name: str) -> Any:
        if name not in functions:
            raise NotImplementedError
        return functions[name]

    return cast(StudentCode, SimpleNamespace(attribute=attribute, speed=speed, own_process=True))


def tensors_of(arrays: Mapping[str, Any]) -> dict[str, Tensor]:
    """Arrays as an experiment gets them."""
    return {name: torch.tensor(array) for name, array in arrays.items()}


def hangs(*_arguments: Any, **_named: Any) -> Tensor:
    """A loss with an endless loop."""
    endless()
    raise AssertionError("it ended")


def right(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
    """A loss that is correct enough to be called."""
    loss: Tensor = -d(g(torch.randn(len(x_real), g.dim_z, device=device))).mean()
    return loss


@pytest.fixture(autouse=True)
def validated() -> Iterator[None]:
    """The experiments switch off what other tests rely on."""
    yield
    torch.distributions.Distribution.set_default_validate_args(True)


@pytest.fixture(autouse=True)
def stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process keeps its priority."""
    for module in (devices, training):
        monkeypatch.setattr(module, "lower_priority", lambda _: None)


ADVISED = ("MADE.forward", "loss_wasserstein_gp_d", "loss_wasserstein_gp_g")


def run_on_simulated_gpu(
    code: StudentCode, recorder: Recorder, functions: Sequence[str] = ADVISED
) -> None:
    """Run the experiment with the arrays that a grading sends."""
    case = GanCase(3, 3, 1.0, True, 0)
    tensors = tensors_of(gan_arrays(case, case.critic))
    devices.on_simulated_gpu(code, {"functions": functions}, tensors, recorder)


def test_only_functions_that_are_asked_for_run_on_the_simulated_gpu() -> None:
    """A grading of one part does not run the others."""
    recorder = Recorder()
    code = student(loss_wasserstein_gp_d=hangs, loss_wasserstein_gp_g=right)
    run_on_simulated_gpu(code, recorder, ["loss_wasserstein_gp_g"])
    assert recorder.values == {"loss_wasserstein_gp_g": "fine"}


def test_a_function_that_hangs_costs_the_others_no_advice_on_devices() -> None:
    """It is left out, the others are reported."""
    recorder = Recorder()
    code = student(speed=1.0, loss_wasserstein_gp_d=hangs, loss_wasserstein_gp_g=right)
    run_on_simulated_gpu(code, recorder)
    assert recorder.values["loss_wasserstein_gp_d"] == "other"
    assert recorder.values["loss_wasserstein_gp_g"] == "fine"
    assert recorder.values["MADE.forward"] == "missing"


def test_code_that_moves_to_a_gpu_where_there_is_one_gets_no_false_advice() -> None:
    """It would be correct there. The simulated GPU is removed afterwards."""
    before = torch.cuda.is_available, torch.Tensor.cuda

    def moves(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
        z = torch.randn(len(x_real), g.dim_z)
        if torch.cuda.is_available():
            z = z.cuda()
        return -d(g(z)).mean()  # type: ignore[no-any-return]

    def stays(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
        return -d(g(torch.randn(len(x_real), g.dim_z))).mean()  # type: ignore[no-any-return]

    recorder = Recorder()
    code = student(loss_wasserstein_gp_d=moves, loss_wasserstein_gp_g=stays)
    run_on_simulated_gpu(code, recorder)
    assert recorder.values["loss_wasserstein_gp_d"] == "fine"
    assert recorder.values["loss_wasserstein_gp_g"] == "mixed"
    assert (torch.cuda.is_available, torch.Tensor.cuda) == before


_Z = "torch.randn(len(x_real), g.dim_z, device=device)"
_PER_IMAGE = "torch.func.vmap(torch.func.grad(lambda x: d(x[None]).sum()))"
# The outcome of a loss, by its code. On a GPU each would end as it is said here.
LOSSES = {
    f"-d(g({_Z})).mean() * torch.tensor(2.0)": "fine",
    f"-d(g({_Z})[torch.randperm(3)]).mean()": "fine",
    f"sum(d(one.unsqueeze(0)).mean() for one in g({_Z}))": "fine",
    f"(torch.nn.Parameter(torch.ones(3, 1, device=device)) * d(g({_Z}))).mean()": "fine",
    "-d(g(torch.randn(3, g.dim_z).type_as(x_real))).mean()": "fine",
    "-d(g(torch.as_tensor(torch.randn(3, g.dim_z), device=device))).mean()": "fine",
    f"float(g({_Z}).detach().cpu().numpy().sum()) * d(x_real).mean()": "fine",
    f"{_PER_IMAGE}(x_real).mean()": "fine",
    f"{_PER_IMAGE}(torch.ones(3, 1, 28, 28)).mean()": "mixed",
    f"-(d(g({_Z})) * torch.ones(3)).mean()": "mixed",
    "d(torch.rand(3, 1, 1, 1) * x_real).mean()": "mixed",
    "d(torch.cat([x_real, torch.zeros(3, 1, 28, 28)])).mean()": "mixed",
    "torch.zeros(3, 1, 28, 28)[x_real > 0].sum()": "mixed",
    f"g({_Z}).detach().numpy()": "other",
}


@pytest.mark.parametrize("code", LOSSES)
def test_a_simulated_gpu_tells_where_a_tensor_is(code: str) -> None:
    """Views, parameters, numbers and indices are where torch would have them."""

    def loss(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
        names = {"torch": torch, "g": g, "d": d, "x_real": x_real, "device": device}
        return eval(code, names)  # type: ignore[no-any-return]

    recorder = Recorder()
    code_of = student(loss_wasserstein_gp_g=loss)
    run_on_simulated_gpu(code_of, recorder)
    assert recorder.values["loss_wasserstein_gp_g"] == LOSSES[code]


def test_a_gradient_that_a_hook_is_given_is_on_the_gpu() -> None:
    """A hook runs within autograd, where no function of torch is seen."""

    def loss(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
        seen: list[Tensor] = []
        x = x_real.clone().requires_grad_()
        x.register_hook(lambda gradient: seen.append(gradient * x_real))  # type: ignore[no-untyped-call]
        d(x).sum().backward()
        return (seen[0] * x_real).sum()

    recorder = Recorder()
    code = student(loss_wasserstein_gp_g=loss)
    run_on_simulated_gpu(code, recorder)
    assert recorder.values["loss_wasserstein_gp_g"] == "fine"


def trained(
    d: Callable[..., Tensor],
    g: Callable[..., Tensor],
    steps: int = STEPS,
    speed: float = math.inf,
) -> Tensor:
    """Train a small GAN with two losses; return its generator's bias."""
    problem, recorder = small_problem(False, 1), Recorder()
    tensors = {name: torch.tensor(array).float() for name, array in problem.weights.items()}
    tensors["x_train"] = torch.tensor(problem.images).float()
    arguments = {**RECIPE, "steps": steps, "d_function": "d", "g_function": "g"}
    arguments |= {"conditional": False, "order_seed": 1}
    torch.manual_seed(3)
    training.train_gan(student(speed=speed, d=d, g=g), arguments, tensors, recorder)
    return torch.from_numpy(recorder.arrays["g.bias"])


def test_a_training_run_whose_loss_hangs_ends_with_a_message() -> None:
    """It does not keep a processor busy until the checks are over."""
    with pytest.raises(Misuse, match="d did not return within"):
        trained(hangs, right, speed=1.0)


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

    assert torch.equal(trained(d_loss, right, steps=5), trained(plain, right, steps=5))


def freezes(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
    """A loss after which d learns nothing any more."""
    d.requires_grad_(False)
    return right(g, d, x_real, device=device)


def evaluates(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
    """A loss that leaves g in evaluation mode."""
    g.eval()
    return right(g, d, x_real, device=device)


def evaluates_for_a_while(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
    """A loss that goes back to training mode, too late."""
    g.eval()
    loss = right(g, d, x_real, device=device)
    g.train()
    return loss


def steps(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
    """A loss that makes a small step of its own."""
    loss = right(g, d, x_real, device=device)
    for parameter in d.parameters():
        parameter.data.mul_(0.999)
    return loss


def gives_other_storage(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
    """A loss that clips weights as the first Wasserstein GAN did."""
    for parameter in d.parameters():
        parameter.data = parameter.data.clamp(-0.01, 0.01)
    return right(g, d, x_real, device=device)


def leaves_gradients_off(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
    """A correct loss that disables gradients for later code."""
    loss = right(g, d, x_real, device=device)
    torch.set_grad_enabled(False)
    return loss


def judges_in_evaluation(g: Any, d: Any, x_real: Tensor, *, device: torch.device) -> Tensor:
    """A loss that leaves d, which has no batch normalisation, in evaluation mode: no harm done."""
    d.eval()
    return right(g, d, x_real, device=device)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (freezes, "after g was called, parameters of g or d are frozen"),
        (evaluates, "g puts g into evaluation mode"),
        (evaluates_for_a_while, "g puts g into evaluation mode"),
        (steps, "g changes parameters of g or d itself"),
        (gives_other_storage, "g changes parameters of g or d itself"),
        (leaves_gradients_off, "after g was called, gradients are switched off"),
    ],
)
def test_side_effects_of_a_loss_are_reported(loss: Callable[..., Tensor], message: str) -> None:
    """Parameters that it froze, for example, learn nothing in the next step."""
    with torch.enable_grad(), pytest.raises(Misuse, match=message):
        trained(right, loss, steps=5)


def test_harmless_side_effects_are_not_reported() -> None:
    """The homework's discriminator is the same in both modes."""
    assert trained(right, judges_in_evaluation, steps=2).shape == (784,)
