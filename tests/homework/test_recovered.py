"""The inputs of a loss, recovered from what the probe networks recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from autograder.homework.losses import row_matching
from autograder.homework.losses.recovered import LossCall, RecoveredInputs, recover
from autograder.homework.problems.gan_case import GanCase
from autograder.homework.reply import NetworkCall
from autograder.homework.student import LossRecord

Array = NDArray[np.float64]
FUNCTION = "loss_wasserstein_gp_d"
BATCH = 6


def recorded(
    mix: Callable[[Array, Array, np.random.Generator], Array] | None = None,
) -> tuple[GanCase, LossRecord]:
    """A loss that gave d the real images, the fake ones, and what `mix` makes of both."""
    case, rng = GanCase(BATCH, 5, 1.5, False, 7), np.random.default_rng(3)
    z = rng.standard_normal((BATCH, case.dim_z))
    fake = case.generator.images(z, None)
    shown = [case.x_real, fake, *([] if mix is None else [mix(case.x_real, fake, rng)])]
    rounded = [rows.astype(np.float32).astype(np.float64) for rows in shown]
    nothing: dict[str, Any] = {"gradients": {}, "reached": True, "next_random": ()}
    return case, LossRecord(
        value=0.0,
        g_calls=(NetworkCall(z, None),),
        d_calls=tuple(NetworkCall(rows, None) for rows in rounded),
        **nothing,
    )


def recovered(case: GanCase, record: LossRecord) -> RecoveredInputs:
    """The inputs of the networks."""
    return recover(FUNCTION, case, record).inputs


WEIGHTS = np.linspace(0.05, 0.95, BATCH)


def test_weights_are_found_where_images_are_mixed_in_order() -> None:
    """Each with the fake image at its own place."""
    inputs = recovered(*recorded(lambda real, fake, _: WEIGHTS[:, None] * (fake - real) + real))
    np.testing.assert_allclose(inputs.alpha, WEIGHTS, atol=1e-5)
    assert (inputs.d_saw_real, inputs.d_saw_fake, len(inputs.unmatched)) == (BATCH, BATCH, 0)


def test_weights_are_found_where_the_batches_were_shuffled() -> None:
    """Every pair of a real and a fake image is tried."""

    def mix(real: Array, fake: Array, rng: np.random.Generator) -> Array:
        first, second = fake[rng.permutation(BATCH)], real[rng.permutation(BATCH)]
        return WEIGHTS[:, None] * first + (1 - WEIGHTS[:, None]) * second

    inputs = recovered(*recorded(mix))
    np.testing.assert_allclose(inputs.alpha, WEIGHTS, atol=1e-5)
    assert len(inputs.unmatched) == 0


def test_images_off_every_line_are_unmatched() -> None:
    """Noise, and mixtures with a weight for every pixel."""
    for mix in (
        lambda real, _, rng: real + 0.1 * rng.standard_normal(real.shape),
        lambda real, fake, rng: real + rng.random(real.shape) * (fake - real),
    ):
        inputs = recovered(*recorded(mix))
        assert (len(inputs.interpolates), len(inputs.unmatched)) == (0, BATCH)
        call = recover(FUNCTION, *recorded(mix))
        assert "no mixture" in call.missing_interpolates().what


def test_points_far_out_on_the_line_are_no_mixture() -> None:
    """There the critic is flat, and the penalty is the same whatever it is."""
    inputs = recovered(*recorded(lambda real, fake, _: real + 3000 * (fake - real)))
    assert (len(inputs.interpolates), len(inputs.unmatched)) == (0, BATCH)
    near = recovered(*recorded(lambda real, fake, _: real - 2 * (fake - real)))
    np.testing.assert_allclose(near.alpha, np.full(BATCH, -2.0), atol=1e-4)


def test_small_batches_within_a_batch_are_told_apart() -> None:
    """Chunks of real, fake and mixed images, joined to calls that are as long as a batch."""
    case, record = recorded(lambda real, fake, _: WEIGHTS[:, None] * (fake - real) + real)
    real, fake, mixed = (call.rows for call in record.d_calls)
    chunks = [np.concatenate([a[i : i + 2] for a in (real, fake, mixed)]) for i in (0, 2, 4)]
    assert len(chunks[0]) == BATCH
    inputs = recovered(
        case, replace(record, d_calls=tuple(NetworkCall(rows, None) for rows in chunks))
    )
    np.testing.assert_allclose(inputs.alpha, WEIGHTS, atol=1e-5)
    assert (inputs.d_saw_real, inputs.d_saw_fake, len(inputs.unmatched)) == (BATCH, BATCH, 0)


def test_a_latent_is_shown_wherever_its_image_is() -> None:
    """Alone, in a mixture, or as the image of the same latent in another call."""
    case, record = recorded()
    z = record.g_calls[0].rows
    more = np.random.default_rng(9).standard_normal((2, case.dim_z))
    mixed = (case.x_real[:1] + case.generator.images(more[:1])) / 2
    calls = (NetworkCall(z, None), NetworkCall(z, None), NetworkCall(more, None))
    inputs = recovered(
        case, replace(record, g_calls=calls, d_calls=(*record.d_calls, NetworkCall(mixed, None)))
    )
    assert inputs.z_shown.tolist() == [True] * (2 * BATCH + 1) + [False]
    assert (inputs.fakes_shown, inputs.fakes_made) == (BATCH, BATCH + 2)


def test_searches_for_unmatched_rows_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record may contain thousands of rows; mixtures at their own places are found anyway."""
    case, record = recorded(lambda real, fake, _: WEIGHTS[:, None] * (fake - real) + real)
    noise = np.random.default_rng(1).standard_normal((60 * BATCH, case.x_real.shape[1]))
    searched: list[Array] = []
    anywhere = row_matching._Pairs.anywhere

    def counted(pairs: row_matching._Pairs, row: Array) -> tuple[float, int, int]:
        searched.append(row)
        return anywhere(pairs, row)

    monkeypatch.setattr(row_matching._Pairs, "anywhere", counted)
    inputs = recovered(case, replace(record, d_calls=(NetworkCall(noise, None), *record.d_calls)))
    np.testing.assert_allclose(inputs.alpha, WEIGHTS, atol=1e-5)
    assert len(inputs.unmatched) == 60 * BATCH
    assert 0 < len(searched) < 30 * BATCH


def test_labels_of_real_images_matter_to_d_only() -> None:
    """Those of generated images matter to both losses; a label that was not needed is wrong."""
    case, record = recorded()
    inputs = recovered(case, record)
    zeros, ones = np.zeros(3, np.int64), np.ones(3, np.int64)
    real = replace(inputs, real_labels_seen=ones, real_labels_true=zeros)
    fake = replace(inputs, fake_labels_seen=ones)

    def said(function: str, seen: RecoveredInputs) -> str:
        return LossCall(function, case, seen).wrong_labels

    for function in ("conditional_loss_nonsaturating_d", "conditional_loss_nonsaturating_g"):
        assert said(function, inputs) == ""
        assert "another label than it was made for" in said(function, fake)
    assert "labels that are not theirs" in said("conditional_loss_nonsaturating_d", real)
    assert said("conditional_loss_nonsaturating_g", real) == ""
