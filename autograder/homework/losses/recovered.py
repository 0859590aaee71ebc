"""Recover z, fake, real and interpolated images from what the probe networks recorded.

The expected loss is computed from them, so it is exact whatever random numbers the student's code
drew, in whatever order, and however it split or joined its batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from autograder.engine.judge.exceptions import Unusable
from autograder.homework.losses.row_matching import match_rows
from autograder.homework.problems.arrays import GanProblem
from autograder.homework.problems.probe_networks import (
    Array,
    Critic,
    Labels,
    LinearCritic,
    Rows,
    gradient_norms,
)
from autograder.homework.reply import NetworkCall
from autograder.homework.student import LossRecord

PENALISED = "loss_wasserstein_gp_d"  # the one loss with a gradient penalty
# A standard normal number is further out once in 10^32 draws. Far out there the probes saturate,
# and the expected loss is the same whatever the code does.
_MAX_Z = 12.0


@dataclass(frozen=True, eq=False)
class RecoveredInputs:
    """The inputs of g and d during one call of a loss.

    Args:
        z: every latent that g was given, (n, dim_z).
        z_shown: whether d was given the image of each, alone or in a mixture, (n,).
        g_labels: the labels that g was given, (n,); None without labels.
        fake_z: the latents behind `fake`.
        fake: the generated images that the loss was computed from, with the labels g was given.
        fake_labels_seen: the labels d was given with them; None if d was given no fake image.
        real: the batch of real images with their true labels.
        real_labels_seen: the label d was given with each real image that it was given.
        real_labels_true: the true labels of the same images.
        interpolates: the images on a line from a real to a fake image, without repetitions.
        alpha: their weight of the fake image, (m,).
        pairs: the index of their real image in `real` and of their fake one in `z`, (m, 2).
        unmatched: the images that d was given and that are none of these.
        d_saw_real: the number of rows that are real images.
        d_saw_fake: the number of rows that are fake images.
    """

    z: Array
    z_shown: NDArray[np.bool_]
    g_labels: Labels | None
    fake_z: Array
    fake: Rows
    fake_labels_seen: Labels | None
    real: Rows
    real_labels_seen: Labels | None
    real_labels_true: Labels | None
    interpolates: Array
    alpha: Array
    pairs: NDArray[np.int64]
    unmatched: Array
    d_saw_real: int
    d_saw_fake: int

    @property
    def batch(self) -> int:
        """B, the number of real images."""
        return len(self.real.x)

    @property
    def fakes_made(self) -> int:
        """The number of different images that g made."""
        return len(set(_first_equal(self.z, self.g_labels).tolist()))

    @property
    def fakes_shown(self) -> int:
        """The number of different images of g among `fake`."""
        return len(set(_first_equal(self.fake_z, self.fake.labels).tolist()))

    @property
    def shows_whole_batch(self) -> bool:
        """Whether `fake` has as many different images as the batch, or all that g made."""
        return self.fakes_shown >= min(self.batch, self.fakes_made)


@dataclass(frozen=True, eq=False)
class LossCall:
    """One call of a loss. Expected values and the mistakes' predictions are computed from it."""

    function: str
    case: GanProblem
    inputs: RecoveredInputs

    @property
    def critic(self) -> Critic | LinearCritic:
        """The discriminator."""
        return self.case.critic

    @cached_property
    def real(self) -> Array:
        """Logits of the real batch."""
        return self._logits(self.inputs.real)

    @cached_property
    def fake(self) -> Array:
        """Logits of the generated images, with the labels they were generated for."""
        return self._logits(self.inputs.fake)

    @property
    def interpolates(self) -> Rows:
        """The interpolates as rows; the loss that has them has no labels."""
        return Rows(self.inputs.interpolates)

    @cached_property
    def norms(self) -> Array:
        """Gradient norms of the critic at the interpolates."""
        return gradient_norms(self.critic, self.interpolates)

    @property
    def is_complete(self) -> bool:
        """Whether every term of the loss can be computed: a penalty needs interpolates."""
        return self.function != PENALISED or len(self.inputs.interpolates) > 0

    @property
    def no_mixture(self) -> str:
        """What is wrong with images off every line between a real and a fake one."""
        return (
            f"{self.function} gives d images that are no mixture a·fake + (1 - a)·real with one "
            "number a for the whole image; the gradient penalty needs such mixtures."
        )

    @property
    def wrong_labels(self) -> str:
        """What is wrong with the labels d was given, or ""; only a d loss needs real images."""
        inputs = self.inputs
        is_d_loss = self.function.endswith("_d")
        if is_d_loss and not _fit(inputs.real_labels_seen, inputs.real_labels_true):
            return f"{self.function} gives d real images with labels that are not theirs."
        if not _fit(inputs.fake_labels_seen, inputs.fake.labels):
            return f"{self.function} shows d a fake image with another label than it was made for."
        return ""

    def missing_interpolates(self) -> Unusable:
        """The failure of a call without interpolates."""
        if len(self.inputs.unmatched):
            return Unusable(self.no_mixture)
        return Unusable(
            f"{self.function} never gives d a point between a real and a fake image; the gradient "
            "penalty needs such points."
        )

    def _logits(self, rows: Rows) -> Array:
        return self.critic.logits(rows.x, rows.labels)


@lru_cache(maxsize=32)  # the checks of value and gradient have the same records
def recover(function: str, case: GanProblem, record: LossRecord) -> LossCall:
    """Recover the inputs of a loss from the calls of its networks.

    Raises:
        Unusable: there are no generated images, or their latents are far from any draw.
    """
    z, g_labels = _joined(record.g_calls, case.dim_z)
    if len(z) == 0:
        raise Unusable(f"{function} never calls g, so its value cannot depend on generated images.")
    largest = float(np.abs(z).max())
    if largest > _MAX_Z:
        raise Unusable(
            f"{function} gives the generator z that are far from standard normal.",
            numbers=f"Largest absolute value: {largest:.3g}.",
        )
    images = case.generator.images(z, g_labels)
    rows, d_labels = _joined(record.d_calls, case.x_real.shape[1])
    matches = match_rows(rows, record.d_calls, case.x_real, images)
    is_real, is_fake = matches.real >= 0, matches.fake >= 0
    is_mixture = np.isfinite(matches.alpha)
    other = ~is_real & ~is_fake
    other[other] = _is_first(rows[other])
    used = matches.fake[is_fake] if is_fake.any() else np.arange(len(images))
    labels = case.labels if case.conditional else None
    pairs = matches.pairs[other & is_mixture]
    # By value, not by index: g may have been called twice with the same latent.
    first = _first_equal(z, g_labels)
    is_shown = np.zeros(len(z), np.bool_)
    is_shown[first[np.concatenate([matches.fake[is_fake], pairs[:, 1]])]] = True
    inputs = RecoveredInputs(
        z=z,
        z_shown=is_shown[first],
        g_labels=g_labels,
        fake_z=z[used],
        fake=Rows(images[used], None if g_labels is None else g_labels[used]),
        fake_labels_seen=None if d_labels is None or not is_fake.any() else d_labels[is_fake],
        real=Rows(case.x_real, labels),
        real_labels_seen=None if d_labels is None else d_labels[is_real],
        real_labels_true=None if labels is None else labels[matches.real[is_real]],
        interpolates=rows[other & is_mixture],
        alpha=matches.alpha[other & is_mixture],
        pairs=pairs,
        unmatched=rows[other & ~is_mixture],
        d_saw_real=int(is_real.sum()),
        d_saw_fake=int(is_fake.sum()),
    )
    return LossCall(function, case, inputs)


def _fit(given: Labels | None, correct: Labels | None) -> bool:
    """Whether labels are the correct ones; those that d was not given are."""
    return given is None or np.array_equal(given, () if correct is None else correct)


def _first_equal(z: Array, labels: Labels | None) -> NDArray[np.int64]:
    """For every pair of a latent and its label, the index of the first equal pair."""
    label_list = [0] * len(z) if labels is None else labels.tolist()
    first: dict[tuple[bytes, int], int] = {}
    keys = ((row.tobytes(), label) for row, label in zip(z, label_list, strict=True))
    return np.array([first.setdefault(key, i) for i, key in enumerate(keys)], np.int64)


def _is_first(rows: Array) -> NDArray[np.bool_]:
    """Whether a row is the first of all that are equal to it."""
    return np.asarray(_first_equal(rows, None) == np.arange(len(rows)))


def _joined(calls: tuple[NetworkCall, ...], width: int) -> tuple[Array, Labels | None]:
    """Join the inputs of all calls: rows (n, width) and labels (n,)."""
    if not calls:
        return np.zeros((0, width)), None
    labels = [call.labels for call in calls if call.labels is not None]
    return (
        np.concatenate([call.rows for call in calls]),
        np.concatenate(labels) if len(labels) == len(calls) else None,
    )
