"""Evidence that was drawn is taken, evidence that was chosen to fit is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from autograder.engine.judge.exceptions import Unusable
from autograder.homework.losses import validity as selection
from autograder.homework.losses.expected import LossCall
from autograder.homework.losses.recovered import recover
from autograder.homework.losses.validity import are_alike, have_chosen_slopes, require_drawn
from autograder.homework.problems.gan_case import GanCase
from autograder.homework.problems.probe_networks import Rows, gradient_norms
from autograder.homework.reply import Call
from autograder.homework.student import GanLoss

Array = NDArray[np.float64]
PENALISED = "loss_wasserstein_gp_d"


def situation(
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
    calls = [Call(_rounded(case.x_real), labels), Call(_rounded(fake[some]), of_some)]
    if weights is not None:
        mixed = case.x_real + weights[:, None] * (fake - case.x_real)
        calls.append(Call(_rounded(mixed), None))
    nothing: dict[str, Any] = {"gradients": {}, "reached": True, "next_random": ()}
    loss = GanLoss(value=0.0, g_calls=(Call(z, labels),), d_calls=tuple(calls), **nothing)
    return LossCall(function, case, case.critic, recover(case, loss, function))


def _rounded(rows: Array) -> Array:
    return rows.astype(np.float32).astype(np.float64)


def _drawn(seed: int, batch: int = 24, *, conditional: bool = False) -> tuple[GanCase, Array]:
    case = GanCase(batch, 3 + seed % 9, (1.0, 1.5, 2.0)[seed % 3], conditional, seed)
    return case, np.random.default_rng(seed).standard_normal((batch, case.dim_z))


@pytest.mark.parametrize("batch", [2, 5, 8, 24])
def test_what_is_drawn_is_taken(batch: int) -> None:
    """Whatever the networks are; a wrong scale of z is another check's question."""
    for seed in range(30):
        case, z = _drawn(seed, batch)
        weights = np.random.default_rng(seed + 1).random(batch)
        for scale in (1.0, 0.1, 3.0):
            require_drawn(situation(case, scale * z, weights=weights))
        case, z = _drawn(seed, batch, conditional=True)
        require_drawn(situation(case, z, function="conditional_loss_nonsaturating_g"))


def test_the_same_z_for_all_is_not_refused_here() -> None:
    """That they are one has its own check."""
    case, z = _drawn(1)
    require_drawn(
        situation(case, np.tile(z[:1], (24, 1)), weights=np.random.default_rng(0).random(24))
    )


# Where mean and deviation are estimated from the same latents, the rule is the more careful.
@pytest.mark.parametrize(("rule", "least"), [(are_alike, 1), (have_chosen_slopes, 10)])
def test_how_seldom_a_right_loss_is_refused(
    rule: Callable[[LossCall], bool], least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stated probability bounds what is seen, and the rules do refuse something."""
    monkeypatch.setattr(selection, "_FALSE_ALARM", 0.1)
    monkeypatch.setattr(selection, "_RANK_ERROR", 0.0)
    refused = 0
    for seed in range(300):
        case, z = _drawn(seed, 12)
        weights = np.random.default_rng(seed + 1).random(12)
        refused += rule(situation(case, z, weights=weights))
    assert least <= refused <= 50


def test_some_of_the_images_are_not_the_batch() -> None:
    """One stands for all, or some do."""
    case, z = _drawn(2)
    for shown in ([5], [5] * 24, list(range(12))):
        with pytest.raises(Unusable, match=f"gives d only {len(set(shown))} of the images"):
            require_drawn(situation(case, z, shown, function="loss_nonsaturating_d"))


@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_images_of_which_d_says_the_same_are_refused(spread: float) -> None:
    """Latents between two whose logits have different signs, where the logit is 0, or almost."""
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
    chosen = situation(
        case, below + low[:, None] * (above - below), function="loss_nonsaturating_g"
    )
    np.testing.assert_allclose(chosen.fake, aims, atol=1e-6)
    assert are_alike(chosen)
    with pytest.raises(Unusable, match="chosen by what d says of them"):
        require_drawn(chosen)


def test_points_where_there_is_nothing_to_punish_are_refused() -> None:
    """Of each line the point whose slope is nearest 1."""
    case, z = _drawn(4)
    fake = case.generator.images(z)
    grid = np.linspace(0.01, 0.99, 99)
    chosen = []
    for real, made in zip(case.x_real, fake, strict=True):
        points = real + grid[:, None] * (made - real)
        norms = gradient_norms(case.critic, Rows(points))
        chosen.append(grid[np.argmin(np.abs(norms - 1.0))])
    told = situation(case, z, weights=np.array(chosen))
    assert have_chosen_slopes(told)
    with pytest.raises(Unusable, match="chosen by the critic's slope"):
        require_drawn(told)


def test_few_points_will_do_unless_their_penalty_is_nothing() -> None:
    """One point for a batch is another check's question; points at the ends are points, too."""
    case, z = _drawn(5)
    weights = np.random.default_rng(0).random(24)
    require_drawn(situation(case, z, weights=np.where(weights < 0.3, 0.0, weights)))
    some = situation(case, z, weights=weights)
    for count in (12, 4):
        fewer = replace(
            some.evidence,
            between=some.evidence.between[:count],
            alpha=some.evidence.alpha[:count],
            pairs=some.evidence.pairs[:count],
        )
        require_drawn(replace(some, evidence=fewer))  # how many has its own check
    one = replace(some.evidence, between=some.evidence.between[:1], pairs=some.evidence.pairs[:1])
    line = some.evidence.real.x[:1] + np.linspace(-2, 3, 5000)[:, None] * (
        some.evidence.fake.x[:1] - some.evidence.real.x[:1]
    )
    best = np.argmin(np.abs(gradient_norms(case.critic, Rows(line)) - 1.0))
    assert have_chosen_slopes(replace(some, evidence=replace(one, between=line[best][None])))
