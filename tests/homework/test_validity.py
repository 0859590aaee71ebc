"""Drawn inputs are accepted, inputs that were chosen to fit are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from autograder.engine.judge.exceptions import Unusable
from autograder.homework.losses import validity
from autograder.homework.losses.recovered import PENALISED, LossCall, recover
from autograder.homework.losses.validity import (
    has_chosen_images,
    has_chosen_slopes,
    objection,
)
from autograder.homework.problems.gan_case import GanCase
from autograder.homework.problems.probe_networks import Rows, gradient_norms
from autograder.homework.reply import NetworkCall
from autograder.homework.student import LossRecord

Array = NDArray[np.float64]


def loss_call(
    case: GanCase,
    z: Array,
    shown: list[int] | None = None,
    weights: Array | None = None,
    function: str = PENALISED,
) -> LossCall:
    """A loss that gave d the real images, some of the fake ones and, with weights, mixtures."""
    labels = case.labels if case.conditional else None
    fake = case.generator.images(z, labels)
    some = np.arange(len(z)) if shown is None else np.array(shown)
    of_some = None if labels is None else labels[some]
    calls = [NetworkCall(_rounded(case.x_real), labels), NetworkCall(_rounded(fake[some]), of_some)]
    if weights is not None:
        mixed = case.x_real + weights[:, None] * (fake - case.x_real)
        calls.append(NetworkCall(_rounded(mixed), None))
    nothing: dict[str, Any] = {"gradients": {}, "reached": True, "next_random": ()}
    record = LossRecord(
        value=0.0, g_calls=(NetworkCall(z, labels),), d_calls=tuple(calls), **nothing
    )
    return recover(function, case, record)


def _rounded(rows: Array) -> Array:
    return rows.astype(np.float32).astype(np.float64)


def _drawn(seed: int, batch: int = 24, *, conditional: bool = False) -> tuple[GanCase, Array]:
    case = GanCase(batch, 3 + seed % 9, (1.0, 1.5, 2.0)[seed % 3], conditional, seed)
    return case, np.random.default_rng(seed).standard_normal((batch, case.dim_z))


@pytest.mark.parametrize("batch", [2, 5, 8, 24])
def test_drawn_inputs_are_accepted(batch: int) -> None:
    """For many networks; also z of a wrong scale, which has its own check."""
    for seed in range(30):
        case, z = _drawn(seed, batch)
        weights = np.random.default_rng(seed + 1).random(batch)
        for scale in (1.0, 0.1, 3.0):
            assert objection(loss_call(case, scale * z, weights=weights)) is None
        case, z = _drawn(seed, batch, conditional=True)
        labelled = loss_call(case, z, function="conditional_loss_nonsaturating_g")
        assert objection(labelled) is None


def test_the_same_z_for_all_is_accepted_here() -> None:
    """It has its own check."""
    case, z = _drawn(1)
    weights = np.random.default_rng(0).random(24)
    assert objection(loss_call(case, np.tile(z[:1], (24, 1)), weights=weights)) is None


# The first rule estimates mean and deviation from the same latents, so it refuses even less.
@pytest.mark.parametrize(("rule", "least"), [(has_chosen_images, 1), (has_chosen_slopes, 10)])
def test_a_correct_loss_is_refused_as_seldom_as_stated(
    rule: Callable[[LossCall], bool], least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stated probability is an upper bound, and the rules do refuse something."""
    monkeypatch.setattr(validity, "_FALSE_ALARM", 0.1)
    monkeypatch.setattr(validity, "_RANK_ERROR", 0.0)
    refused = 0
    for seed in range(300):
        case, z = _drawn(seed, 12)
        weights = np.random.default_rng(seed + 1).random(12)
        refused += rule(loss_call(case, z, weights=weights))
    assert least <= refused <= 50


def test_part_of_the_generated_images_is_refused() -> None:
    """One image in place of the batch, or some."""
    case, z = _drawn(2)
    for shown in ([5], [5] * 24, list(range(12))):
        call = loss_call(case, z, shown, function="loss_nonsaturating_d")
        assert f"gives d only {len(set(shown))} of the images" in str(objection(call))


@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_images_with_the_same_logit_are_refused(spread: float) -> None:
    """Latents found by bisection, where the logit is 0, or almost."""
    case, _ = _drawn(3)
    rng = np.random.default_rng(3)

    def logits(z: Array) -> Array:
        return case.critic.logits(case.generator.images(z))

    z = rng.standard_normal((400, case.dim_z))
    below, above = z[logits(z) < -spread][:24], z[logits(z) > spread][:24]
    assert len(below) == len(above) == 24
    aims = spread * rng.uniform(-1.0, 1.0, 24)
    low, high = np.zeros(24), np.ones(24)
    for _ in range(50):
        middle = (low + high) / 2
        under = logits(below + middle[:, None] * (above - below)) < aims
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    chosen = loss_call(
        case, below + low[:, None] * (above - below), function="loss_nonsaturating_g"
    )
    np.testing.assert_allclose(chosen.fake, aims, atol=1e-6)
    assert has_chosen_images(chosen)
    assert "by d's output on them" in str(objection(chosen))


def test_points_without_a_penalty_are_refused() -> None:
    """On each line the point whose slope is nearest 1."""
    case, z = _drawn(4)
    fake = case.generator.images(z)
    grid = np.linspace(0.01, 0.99, 99)
    chosen = []
    for real, made in zip(case.x_real, fake, strict=True):
        points = real + grid[:, None] * (made - real)
        norms = gradient_norms(case.critic, Rows(points))
        chosen.append(grid[np.argmin(np.abs(norms - 1.0))])
    call = loss_call(case, z, weights=np.array(chosen))
    assert has_chosen_slopes(call)
    assert "by the critic's slope" in str(objection(call))


def test_few_points_are_accepted_unless_their_penalty_is_nothing() -> None:
    """Their number has its own check; points at the ends are points, too."""
    case, z = _drawn(5)
    weights = np.random.default_rng(0).random(24)
    at_ends = np.where(weights < 0.3, 0.0, weights)
    assert objection(loss_call(case, z, weights=at_ends)) is None
    call = loss_call(case, z, weights=weights)
    inputs = call.inputs
    for count in (12, 4):
        fewer = replace(
            inputs,
            interpolates=inputs.interpolates[:count],
            alpha=inputs.alpha[:count],
            pairs=inputs.pairs[:count],
        )
        assert objection(replace(call, inputs=fewer)) is None
    start, end = inputs.real.x[:1], inputs.fake.x[:1]
    line = start + np.linspace(-2, 3, 5000)[:, None] * (end - start)
    best = np.argmin(np.abs(gradient_norms(case.critic, Rows(line)) - 1.0))
    one = replace(inputs, interpolates=line[best][None], pairs=inputs.pairs[:1])
    assert has_chosen_slopes(replace(call, inputs=one))


def test_a_call_without_interpolates_is_refused() -> None:
    """A penalised loss has no expected value then."""
    case, z = _drawn(6)
    call = loss_call(case, z)
    assert not call.is_complete
    assert "never gives d a point between" in str(objection(call))
    assert loss_call(case, z, function="loss_nonsaturating_d").is_complete


def test_a_gradient_that_is_zero_for_every_loss_is_refused() -> None:
    """Agreement would be no evidence."""
    case, z = _drawn(7)
    call = loss_call(case, z, function="loss_nonsaturating_g")
    assert objection(call, {"weight": np.full(3, 1e-3)}) is None
    assert "no gradient reaches the generator" in str(objection(call, {"weight": np.zeros(3)}))


def test_latents_that_no_draw_gives_are_refused() -> None:
    """So far out, all images look alike to the critic. And without any there is no image."""
    case, z = _drawn(8)
    with pytest.raises(Unusable, match="far from standard normal"):
        loss_call(case, 1e6 * z)
    with pytest.raises(Unusable, match="never calls g"):
        loss_call(case, z[:0])
