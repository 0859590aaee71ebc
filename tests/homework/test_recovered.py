"""From the record of the probes to what a loss was computed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from autograder.engine.judge.exceptions import Unusable
from autograder.homework.losses import row_matching as sorting
from autograder.homework.losses.recovered import Evidence, recover
from autograder.homework.problems.gan_case import GanCase
from autograder.homework.reply import Call
from autograder.homework.student import GanLoss

Array = NDArray[np.float64]
FUNCTION = "loss_wasserstein_gp_d"
BATCH = 6


def recorded(
    mix: Callable[[Array, Array, np.random.Generator], Array] | None = None, *, scale: float = 1.0
) -> tuple[GanCase, GanLoss]:
    """A loss that gave d the real images, the fake ones, and what `mix` makes of both."""
    case, rng = GanCase(BATCH, 5, 1.5, False, 7), np.random.default_rng(3)
    z = scale * rng.standard_normal((BATCH, case.dim_z))
    fake = case.generator.images(z, None)
    shown = [case.x_real, fake, *([] if mix is None else [mix(case.x_real, fake, rng)])]
    rounded = [rows.astype(np.float32).astype(np.float64) for rows in shown]
    nothing: dict[str, Any] = {"gradients": {}, "reached": True, "next_random": ()}
    return case, GanLoss(
        value=0.0,
        g_calls=(Call(z, None),),
        d_calls=tuple(Call(rows, None) for rows in rounded),
        **nothing,
    )


def found(case: GanCase, loss: GanLoss) -> Evidence:
    """What is recovered of it."""
    return recover(case, loss, FUNCTION)


WEIGHTS = np.linspace(0.05, 0.95, BATCH)


def test_weights_are_found_where_images_are_mixed_in_order() -> None:
    """Each with the fake image of its own place."""
    seen = found(*recorded(lambda real, fake, _: WEIGHTS[:, None] * (fake - real) + real))
    np.testing.assert_allclose(seen.alpha, WEIGHTS, atol=1e-5)
    assert (seen.d_saw_real, seen.d_saw_fake, len(seen.strange)) == (BATCH, BATCH, 0)


def test_weights_are_found_where_the_batches_were_shuffled() -> None:
    """Every pair of a real and a fake image is thought of."""

    def mix(real: Array, fake: Array, rng: np.random.Generator) -> Array:
        first, second = fake[rng.permutation(BATCH)], real[rng.permutation(BATCH)]
        return WEIGHTS[:, None] * first + (1 - WEIGHTS[:, None]) * second

    seen = found(*recorded(mix))
    np.testing.assert_allclose(seen.alpha, WEIGHTS, atol=1e-5)
    assert len(seen.strange) == 0


def test_images_off_every_line_are_strange() -> None:
    """Noise, and mixtures of a pixel's own weight."""
    for mix in (
        lambda real, _, rng: real + 0.1 * rng.standard_normal(real.shape),
        lambda real, fake, rng: real + rng.random(real.shape) * (fake - real),
    ):
        seen = found(*recorded(mix))
        assert (len(seen.between), len(seen.strange)) == (0, BATCH)
        with pytest.raises(Unusable, match="no mixture"):
            seen.require_between(FUNCTION)


def test_points_far_out_on_the_line_are_no_mixture() -> None:
    """There the critic is flat, and the penalty is the same whatever it is."""
    seen = found(*recorded(lambda real, fake, _: real + 3000 * (fake - real)))
    assert (len(seen.between), len(seen.strange)) == (0, BATCH)
    beside = found(*recorded(lambda real, fake, _: real - 2 * (fake - real)))
    np.testing.assert_allclose(beside.alpha, np.full(BATCH, -2.0), atol=1e-4)


def test_without_points_between_it_is_said() -> None:
    """The images were shown, but nothing else."""
    with pytest.raises(Unusable, match="never gives d a point between"):
        found(*recorded()).require_between(FUNCTION)


def test_latents_that_no_draw_gives_are_refused() -> None:
    """So far out all images look alike to the critic."""
    with pytest.raises(Unusable, match="not standard normal by far"):
        found(*recorded(scale=1e6))


def test_small_batches_within_a_batch_are_told_apart() -> None:
    """Chunks of real, fake and mixed images, joined to calls that are as long as a batch."""
    case, loss = recorded(lambda real, fake, _: WEIGHTS[:, None] * (fake - real) + real)
    real, fake, mixed = (call.rows for call in loss.d_calls)
    chunks = [np.concatenate([a[i : i + 2] for a in (real, fake, mixed)]) for i in (0, 2, 4)]
    assert len(chunks[0]) == BATCH
    seen = found(case, replace(loss, d_calls=tuple(Call(rows, None) for rows in chunks)))
    np.testing.assert_allclose(seen.alpha, WEIGHTS, atol=1e-5)
    assert (seen.d_saw_real, seen.d_saw_fake, len(seen.strange)) == (BATCH, BATCH, 0)


def test_a_latent_is_shown_wherever_its_image_is() -> None:
    """By itself, in a mixture, or as the image of the same latent in another call."""
    case, loss = recorded()
    z = loss.g_calls[0].rows
    more = np.random.default_rng(9).standard_normal((2, case.dim_z))
    mixed = (case.x_real[:1] + case.generator.images(more[:1])) / 2
    calls = (Call(z, None), Call(z, None), Call(more, None))
    seen = found(case, replace(loss, g_calls=calls, d_calls=(*loss.d_calls, Call(mixed, None))))
    assert seen.z_shown.tolist() == [True] * (2 * BATCH + 1) + [False]
    assert seen.shown_of_batch(BATCH) == (BATCH, BATCH)


def test_what_is_nobodys_is_looked_for_so_often_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record may hold thousands of rows; mixtures that are in their places are found anyway."""
    case, loss = recorded(lambda real, fake, _: WEIGHTS[:, None] * (fake - real) + real)
    noise = np.random.default_rng(1).standard_normal((60 * BATCH, case.x_real.shape[1]))
    searched: list[Array] = []
    anywhere = sorting._Pairs.anywhere

    def counted(pairs: sorting._Pairs, row: Array) -> tuple[float, int, int]:
        searched.append(row)
        return anywhere(pairs, row)

    monkeypatch.setattr(sorting._Pairs, "anywhere", counted)
    seen = found(case, replace(loss, d_calls=(Call(noise, None), *loss.d_calls)))
    np.testing.assert_allclose(seen.alpha, WEIGHTS, atol=1e-5)
    assert len(seen.strange) == 60 * BATCH
    assert 0 < len(searched) < 30 * BATCH
