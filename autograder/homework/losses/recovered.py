"""From the record of the probe networks to the terms of the handout: z, fake, real, interpolates.

The expected loss is computed from what was recovered, so it is exact whatever random numbers the
student's code drew, in whatever order, and however it split or joined its batches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autograder.engine.judge.exceptions import Unusable
from autograder.homework.losses.row_matching import sort_rows
from autograder.homework.problems.arrays import GanProblem
from autograder.homework.problems.probe_networks import Array, Labels, Rows
from autograder.homework.reply import Call
from autograder.homework.student import GanLoss

# A standard normal number is further out once in 10^32 draws. Far out there the probes saturate,
# and what a loss should be is the same whatever it does.
_FARTHEST_Z = 12.0


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the networks were given during one call of a loss.

    Args:
        z: every latent that g was given, (n, dim_z).
        z_shown: whether d was given the image of each, by itself or in a mixture, (n,).
        fake_z: the latents behind `fake`.
        fake: the generated images that the loss was computed from, with the labels g was given.
        fake_labels_seen: the labels d was given with them; None when d saw no fake image.
        real: the batch of real images with the handout's labels.
        real_labels_seen: label given to d with each real image it saw; row numbers beside it.
        between: images that d was given and that lie on a line from a real to a fake one; one that
            was given twice is there once.
        alpha: their weight of the fake image, (m,).
        pairs: the place of their real image in `real` and of their fake one in `z`, (m, 2).
        strange: images that d was given and that are none of these.
        d_saw_real, d_saw_fake: how many rows of each d was given.
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
    between: Array
    alpha: Array
    pairs: NDArray[np.int64]
    strange: Array
    d_saw_real: int
    d_saw_fake: int

    def shown_of_batch(self, batch: int) -> tuple[int, int]:
        """Return how many different images of g d was given by themselves, and how many it must be.

        A whole batch, or all that there are: one z for all examples makes one image.
        """
        made = len(set(_first_equal(self.z, self.g_labels).tolist()))
        shown = len(set(_first_equal(self.fake_z, self.fake.labels).tolist()))
        return shown, min(batch, made)

    def require_between(self, function: str) -> Array:
        """Return `between`.

        Raises:
            Unusable: d was given no such point.
        """
        if len(self.between) == 0 and len(self.strange):
            raise Unusable(
                f"{function} gives d images that are no mixture a·fake + (1 - a)·real with one "
                "number a for the whole image; the gradient penalty is taken at such mixtures."
            )
        if len(self.between) == 0:
            raise Unusable(
                f"{function} never gives d a point between a real and a fake image; the gradient "
                "penalty is taken at such points."
            )
        return self.between


def recover(case: GanProblem, loss: GanLoss, function: str) -> Evidence:
    """Recover what the loss was computed from.

    Raises:
        Unusable: the generator was not called at all, so that there is no fake image, or with
            numbers that no draw gives.
    """
    z, g_labels = _joined(loss.g_calls, case.dim_z)
    if len(z) == 0:
        raise Unusable(
            f"{function} never calls g, so that its value cannot depend on generated images."
        )
    farthest = float(np.abs(z).max())
    if farthest > _FARTHEST_Z:
        raise Unusable(
            f"{function} gives the generator z that are not standard normal by far.",
            numbers=f"Some entry has the size {farthest:.3g}.",
        )
    images = case.generator.images(z, g_labels)
    rows, d_labels = _joined(loss.d_calls, case.x_real.shape[1])
    sorted_rows = sort_rows(rows, loss.d_calls, case.x_real, images)
    is_real, is_fake = sorted_rows.real >= 0, sorted_rows.fake >= 0
    is_between = np.isfinite(sorted_rows.alpha)
    other = ~is_real & ~is_fake
    other[other] = _first_times(rows[other])
    used = sorted_rows.fake[is_fake] if is_fake.any() else np.arange(len(images))
    labels = case.labels if case.conditional else None
    pairs = sorted_rows.pairs[other & is_between]
    # By what they are, not by their places: g may have been called twice with the same.
    first = _first_equal(z, g_labels)
    shown = np.concatenate([sorted_rows.fake[is_fake], pairs[:, 1]])
    return Evidence(
        z=z,
        z_shown=np.isin(first, first[shown]),
        g_labels=g_labels,
        fake_z=z[used],
        fake=Rows(images[used], None if g_labels is None else g_labels[used]),
        fake_labels_seen=None if d_labels is None or not is_fake.any() else d_labels[is_fake],
        real=Rows(case.x_real, labels),
        real_labels_seen=None if d_labels is None else d_labels[is_real],
        real_labels_true=None if labels is None else labels[sorted_rows.real[is_real]],
        between=rows[other & is_between],
        alpha=sorted_rows.alpha[other & is_between],
        pairs=pairs,
        strange=rows[other & ~is_between],
        d_saw_real=int(is_real.sum()),
        d_saw_fake=int(is_fake.sum()),
    )


def _first_equal(z: Array, labels: Labels | None) -> NDArray[np.int64]:
    """For every pair of a latent and its label, the place of the first that is equal to it."""
    told = np.zeros(len(z), np.int64) if labels is None else labels
    places: dict[tuple[bytes, int], int] = {}
    keys = ((row.tobytes(), label) for row, label in zip(z, told.tolist(), strict=True))
    return np.array([places.setdefault(key, i) for i, key in enumerate(keys)], np.int64)


def _joined(calls: tuple[Call, ...], width: int) -> tuple[Array, Labels | None]:
    if not calls:
        return np.zeros((0, width)), None
    labels = [call.labels for call in calls if call.labels is not None]
    return (
        np.concatenate([call.rows for call in calls]),
        np.concatenate(labels) if len(labels) == len(calls) else None,
    )


def _first_times(rows: Array) -> NDArray[np.bool_]:
    """Whether a row is the first of all that are equal to it."""
    seen: set[bytes] = set()
    first = np.zeros(len(rows), np.bool_)
    for i, row in enumerate(rows):
        key = row.tobytes()
        first[i] = key not in seen
        seen.add(key)
    return first
