"""From the record of the probe networks to the terms of the handout: z, fake, real, interpolates.

The expected loss is computed from what was recovered, so it is exact whatever random numbers the
student's code drew, in whatever order, and however it split or joined its batches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autograder.engine.judge.verdicts import CheckFailed
from autograder.homework.oracles import gan
from autograder.homework.oracles.flow import Array
from autograder.homework.strategies import GanCase
from autograder.homework.student import Call, GanLoss

Labels = NDArray[np.int64]

# Rows of 784 pixels whose entries differ by O(0.1): float32 rounding is far below, other rows far
# above this.
_SAME_ROW = 2e-3
# An interpolation weight is found by division by fake - real, whose norm is about 10.
_ON_LINE = 2e-3


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the networks were given during one call of a loss.

    Args:
        z: every latent that g was given, (n, dim_z).
        fake_z: the latents behind `fake`.
        fake: the generated images that the loss was computed from, with the labels g was given.
        fake_labels_seen: the labels d was given with them; None when d saw no fake image.
        real: the batch of real images with the handout's labels.
        real_labels_seen: label given to d with each real image it saw; row numbers beside it.
        between: images that d was given and that lie on a line from a real to a fake one; one that
            was given twice is there once.
        alpha: their weight of the fake image, (m,).
        strange: images that d was given and that are none of these.
        d_saw_real, d_saw_fake: how many rows of each d was given.
    """

    z: Array
    g_labels: Labels | None
    fake_z: Array
    fake: gan.Rows
    fake_labels_seen: Labels | None
    real: gan.Rows
    real_labels_seen: Labels | None
    real_labels_true: Labels | None
    between: Array
    alpha: Array
    strange: Array
    d_saw_real: int
    d_saw_fake: int


def recover(case: GanCase, loss: GanLoss, function: str) -> Evidence:
    """Recover what the loss was computed from.

    Raises:
        CheckFailed: the generator was not called at all, so that there is no fake image.
    """
    z, g_labels = _joined(loss.g_calls, case.dim_z)
    if len(z) == 0:
        raise CheckFailed(
            f"{function} never calls g, so that its value cannot depend on generated images."
        )
    images = case.generator.images(z, g_labels)
    rows, d_labels = _joined(loss.d_calls, case.x_real.shape[1])
    places = _places(loss.d_calls)
    real_match = _match(rows, case.x_real, places)
    fake_match = _match(rows, images, places)
    fake_match[real_match >= 0] = -1
    rest = (real_match < 0) & (fake_match < 0) & _first_times(rows)
    between, alpha, strange = _interpolates(rows[rest], places[rest], case.x_real, images)
    seen = fake_match >= 0
    used = fake_match[seen] if seen.any() else np.arange(len(images))
    is_real = real_match >= 0
    labels = case.labels if case.conditional else None
    return Evidence(
        z=z,
        g_labels=g_labels,
        fake_z=z[used],
        fake=gan.Rows(images[used], None if g_labels is None else g_labels[used]),
        fake_labels_seen=None if d_labels is None or not seen.any() else d_labels[seen],
        real=gan.Rows(case.x_real, labels),
        real_labels_seen=None if d_labels is None else d_labels[is_real],
        real_labels_true=None if labels is None else labels[real_match[is_real]],
        between=between,
        alpha=alpha,
        strange=strange,
        d_saw_real=int(is_real.sum()),
        d_saw_fake=int(seen.sum()),
    )


def _joined(calls: tuple[Call, ...], width: int) -> tuple[Array, Labels | None]:
    if not calls:
        return np.zeros((0, width)), None
    labels = [call.labels for call in calls if call.labels is not None]
    return (
        np.concatenate([call.rows for call in calls]),
        np.concatenate(labels) if len(labels) == len(calls) else None,
    )


def _places(calls: tuple[Call, ...]) -> NDArray[np.int64]:
    """The place of every row within its call: the row of the batch it most likely belongs to."""
    return np.concatenate([np.zeros(0, np.int64), *(np.arange(len(call.rows)) for call in calls)])


def _first_times(rows: Array) -> NDArray[np.bool_]:
    """Whether a row is the first of all that are equal to it."""
    seen: set[bytes] = set()
    first = np.zeros(len(rows), np.bool_)
    for i, row in enumerate(rows):
        key = row.tobytes()
        first[i] = key not in seen
        seen.add(key)
    return first


def _match(rows: Array, known: Array, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """For every row, the index of the known row it equals, or -1. Tries its own place first."""
    found = np.full(len(rows), -1, np.int64)
    if len(rows) == 0 or len(known) == 0:
        return found
    own = places % len(known)
    fits = np.abs(rows - known[own]).max(axis=1) < _SAME_ROW
    found[fits] = own[fits]
    for i in np.flatnonzero(~fits):
        distances = np.abs(known - rows[i]).max(axis=1)
        nearest = int(np.argmin(distances))
        if distances[nearest] < _SAME_ROW:
            found[i] = nearest
    return found


def _interpolates(
    rows: Array, places: NDArray[np.int64], real: Array, fake: Array
) -> tuple[Array, Array, Array]:
    """Split rows into those on a line from a real to a fake image (with alpha) and the others."""
    between, alphas, strange = [], [], []
    for row, place in zip(rows, places, strict=True):
        alpha = _alpha_of(row, int(place), real, fake)
        if alpha is None:
            strange.append(row)
        else:
            between.append(row)
            alphas.append(alpha)
    empty = np.zeros((0, real.shape[1]))
    return (
        np.array(between) if between else empty,
        np.array(alphas, dtype=np.float64),
        np.array(strange) if strange else empty,
    )


def _alpha_of(row: Array, place: int, real: Array, fake: Array) -> float | None:
    """The weight of the fake image in a mixture; pairs of the row's own place are tried first."""
    batch = len(real)
    for k in range(place % batch, len(fake), batch):
        alpha = _on_line(row, real[place % batch], fake[k])
        if alpha is not None:
            return alpha
    # Not its own pair: the student's code may have shuffled one of the batches.
    directions = fake[None, :, :] - real[:, None, :]  # (B, n, 784)
    offsets = row - real  # (B, 784)
    alphas = np.einsum("bp,bnp->bn", offsets, directions) / (directions**2).sum(axis=2)
    off = np.abs(offsets[:, None, :] - alphas[:, :, None] * directions).max(axis=2)
    i, k = np.unravel_index(int(np.argmin(off)), off.shape)
    return float(alphas[i, k]) if off[i, k] < _ON_LINE else None


def _on_line(row: Array, real: Array, fake: Array) -> float | None:
    direction = fake - real
    alpha = float((row - real) @ direction / (direction @ direction))
    off = np.abs(row - real - alpha * direction).max()
    return alpha if off < _ON_LINE else None
