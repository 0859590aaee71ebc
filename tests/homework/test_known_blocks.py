"""The known maps that replace wrong MADE blocks in training, and which solutions pass with them."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from autograder.engine.catalogue.cases import edited
from autograder.engine.catalogue.solutions import Wrong
from autograder.engine.sandbox.experiment import Recorder, StudentCode
from autograder.homework.experiments.flow import build_maf, trainable_map
from autograder.homework.experiments.training import train_flow
from autograder.homework.mistakes.flow_code import INVERSE, LOG_PROBS
from autograder.homework.oracles import flow
from autograder.homework.oracles.moons import standardised_split
from autograder.homework.problems.arrays import maf_arrays
from autograder.homework.training_runs import start
from autograder.homework.training_runs.flow_training import (
    KNOWN,
    ORDERS,
    OWN,
    SEED,
    Setup,
    held_out_mean,
    weights_of,
)
from tests.this_homework import THIS, reference_files


def random_block(size: int, units: int, seed: int) -> flow.TrainableMap:
    """A trainable map of moderate slopes."""
    rng = np.random.default_rng(seed)
    return flow.TrainableMap(
        slope=rng.uniform(-0.5, 0.5, size),
        inner=0.7 * rng.standard_normal((size, units, size)),
        offset=rng.standard_normal((size, units)),
        outer=0.4 * rng.standard_normal((size, units)),
    )


def submission(inverse: str | None = None, log_probs: str | None = None) -> StudentCode:
    """The reference with other code for MADE.inverse and MAF.log_probs."""
    files = reference_files()
    for region, code in ((INVERSE, inverse), (LOG_PROBS, log_probs)):
        if code is not None:
            files = edited(files, Wrong("x", region, "", code))
    namespace: dict[str, Any] = {"__name__": "flow_network"}
    exec(compile(files["codebase/flow_network.py"], "flow_network.py", "exec"), namespace)
    student = SimpleNamespace(
        attribute=lambda _module, name: namespace[name], speed=1.0, own_process=False
    )
    return cast(StudentCode, student)


def tensors_of(blocks: list[flow.TrainableMap]) -> dict[str, torch.Tensor]:
    """The blocks' parameters as a worker gets them."""
    return {name: torch.from_numpy(array.copy()) for name, array in maf_arrays(blocks).items()}


@pytest.mark.parametrize("size", [2, 3, 4])
def test_log_probs_of_the_trainable_maps_is_that_of_the_oracle(size: int) -> None:
    """Worker and judge use the same map, whatever the student's MADE.inverse does."""
    blocks = [random_block(size, 6, seed) for seed in range(3)]
    arguments = {"input_size": size, "hidden_size": 4, "n_hidden": 1, "n_flows": 3}
    maf, _ = build_maf(submission("raise RuntimeError"), arguments, tensors_of(blocks))
    x = np.random.default_rng(9).standard_normal((7, size)).astype(np.float32)
    got = maf.log_probs(torch.from_numpy(x)).item()
    expected = flow.maf_log_prob(blocks, x.astype(np.float64)).mean()
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.parametrize("size", [2, 4])
def test_log_determinant_is_that_of_the_jacobian(size: int) -> None:
    """Each z_i depends on x_1 ... x_i only and increases with x_i; log_det is log |det dz/dx|."""
    block = random_block(size, 6, seed=4)
    x = np.random.default_rng(5).standard_normal((6, size))
    step = 1e-5
    columns = [
        (block.inverse(x + step * e)[0] - block.inverse(x - step * e)[0]) / (2 * step)
        for e in np.eye(size)
    ]
    jacobian = np.stack(columns, axis=2)  # (B, D, D)
    np.testing.assert_allclose(np.triu(jacobian, 1), 0, atol=1e-9)
    assert (np.einsum("bii->bi", jacobian) > 0).all()
    _, log_det = np.linalg.slogdet(jacobian)
    np.testing.assert_allclose(block.inverse(x)[1], log_det, atol=1e-7)


def test_density_of_the_trainable_maps_integrates_to_one() -> None:
    """A smooth density on a fine grid that reaches far beyond it."""
    blocks = [random_block(2, 6, seed) for seed in (6, 7)]
    axis = np.arange(-15.0, 15.0, 0.05)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    mass = np.exp(flow.maf_log_prob(blocks, grid)).sum() * 0.05**2
    np.testing.assert_allclose(mass, 1.0, rtol=1e-4, atol=0)


def test_the_trainable_map_is_a_made_of_the_students_and_learns_with_all_parameters() -> None:
    """It is an instance of the student's MADE; every weight that is used gets a gradient."""
    made = submission().attribute("flow_network", "MADE")
    block = random_block(3, 6, seed=8)
    known = trainable_map(made, tensors_of([block]), 0)
    assert isinstance(known, made)
    z, log_det = cast(Any, known).inverse(torch.randn(5, 3))
    assert (z.shape, log_det.shape) == ((5, 3), (5,))
    (z.square().sum() + log_det.sum()).backward()
    gradients = {name: cast(nn.Parameter, getattr(known, name)).grad for name in vars(block)}
    assert all(gradient is not None for gradient in gradients.values())
    inner = gradients.pop("inner")
    assert inner is not None
    np.testing.assert_array_equal((inner != 0).numpy(), block.sees != 0)
    assert all(
        bool(torch.all(gradient != 0)) for gradient in gradients.values() if gradient is not None
    )


def test_shapes_that_do_not_fit_are_rejected() -> None:
    """Such shapes would broadcast to some other map."""
    with pytest.raises(ValueError, match=r"slope, inner and outer must have shapes"):
        flow.TrainableMap(np.ones(2), np.ones((2, 4, 1)), np.ones((2, 4)), np.ones((2, 4)))


# ---- which solutions pass with them -------------------------------------------------------------


def reached(student: StudentCode, setup: Setup = KNOWN) -> float:
    """The held-out log-likelihood after the run of a grading, in this process."""
    train, _, held_out = standardised_split(SEED)
    tensors = {**tensors_of(list(cast(Any, setup.blocks))), "x_train": torch.from_numpy(train)}
    recorder = Recorder()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a worker; several would wait for each other
    try:
        train_flow(student, {**setup.recipe, "order_seed": ORDERS[0]}, tensors, recorder)
    finally:
        torch.set_num_threads(threads)
    if "gave_up_at_step" in recorder.values:
        return -np.inf
    return held_out_mean(weights_of(recorder.arrays, setup.blocks), held_out)


@pytest.mark.slow
def test_a_correct_log_probs_learns_the_moons_despite_a_wrong_inverse() -> None:
    """It reaches more than full points require."""
    full = THIS.sections["training"]["full_log_likelihood"]
    assert reached(submission("raise RuntimeError")) > full


_WALK = """
z, total = x, 0.0
for block in self.nf:
    z, log_det = block.inverse(z)
    total = total + log_det.reshape(-1)
"""


_WRONG = pytest.mark.parametrize(
    "log_probs",
    [
        # Ignores the blocks' density, but uses all parameters.
        "log_prob = self.base_dist.log_prob(x).sum(dim=1).mean()"
        " - 1e-3 * sum(p.square().sum() for p in self.parameters())",
        # Their other direction, which can be trained as well.
        _WALK.replace("inverse", "forward")
        + "log_prob = (self.base_dist.log_prob(z).sum(dim=1) + total).mean()",
        # No log-determinants: the batch's moments are made those of the base density.
        _WALK + "log_prob = -(z.mean(dim=0).square().sum()"
        " + (z.T @ z / len(z) - torch.eye(z.shape[1])).square().sum())",
        # Half of the log-determinants.
        _WALK + "log_prob = (self.base_dist.log_prob(z).sum(dim=1) + total / 2).mean()",
    ],
    ids=["ignores the blocks", "forward", "moments", "half of it"],
)


@pytest.mark.slow
@_WRONG
def test_a_wrong_log_probs_gains_nothing_by_a_wrong_inverse(log_probs: str) -> None:
    """A deliberate mistake in 1.2 does not make 1.3.4 easier."""
    half = THIS.sections["training"]["half_log_likelihood"]
    assert reached(submission("raise RuntimeError", log_probs)) < half


@pytest.mark.slow
@_WRONG
def test_a_wrong_log_probs_gains_nothing_by_the_start(log_probs: str) -> None:
    """The first weights are a disturbed flow's; only the correct gradient finds the way back."""
    half = THIS.sections["training"]["half_log_likelihood"]
    assert not reached(submission(log_probs=log_probs), OWN) >= half


@pytest.mark.parametrize(
    ("trained", "setup"), [(start.trained, OWN), (start.trained_maps, KNOWN)], ids=["own", "known"]
)
def test_a_run_starts_from_a_good_flow_that_was_disturbed_enough(
    trained: Callable[[], Any], setup: Setup
) -> None:
    """Correct code can reach full points from there, and a run that learns nothing gets none."""
    limits = THIS.sections["training"]
    held_out = standardised_split(SEED)[2]
    assert held_out_mean(trained(), held_out) > limits["full_log_likelihood"] + 0.05
    assert held_out_mean(setup.blocks, held_out) < limits["half_log_likelihood"] - 0.5
