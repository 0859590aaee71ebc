"""From the record of the probe networks to the terms of the handout: z, fake, real, interpolates.

The expected loss is computed from what was recovered, so it is exact whatever random numbers the
student's code drew, in whatever order, and however it split or joined its batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from autograder.engine.judge.verdicts import Unusable
from autograder.homework.problems.arrays import GanProblem
from autograder.homework.problems.gan_case import PIXELS
from autograder.homework.problems.probe_networks import Array, Labels, Rows
from autograder.homework.reply import Call
from autograder.homework.student import GanLoss

# Rows of 784 pixels whose entries differ by O(0.1): float32 rounding is below this, other rows far
# above it, but for a mixture whose weight happens to lie within 1e-5 of 0 or 1.
_SAME_ROW = 2e-5
# An interpolation weight is found by division by fake - real, whose norm is about 10.
_ON_LINE = 2e-3
# A standard normal number is further out once in 10^32 draws. Far out there the probes saturate,
# and what a loss should be is the same whatever it does.
_FARTHEST_Z = 12.0
# A normal number in place of a weight is still one of a line; a thousand is no mixture of anything.
_FARTHEST_ALPHA = 5.0
# Pairs of images are told apart in so many directions.
_DIRECTIONS = 24


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
    sorted_rows = _sort(rows, loss.d_calls, case.x_real, images)
    is_real, is_fake = sorted_rows.real >= 0, sorted_rows.fake >= 0
    is_between = np.isfinite(sorted_rows.alpha)
    other = ~is_real & ~is_fake
    other[other] = _first_times(rows[other])
    used = sorted_rows.fake[is_fake] if is_fake.any() else np.arange(len(images))
    labels = case.labels if case.conditional else None
    pairs = sorted_rows.pairs[other & is_between]
    return Evidence(
        z=z,
        z_shown=np.isin(np.arange(len(z)), [*sorted_rows.fake[is_fake], *pairs[:, 1]]),
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


@dataclass(frozen=True, eq=False)
class _Sorted:
    """What every row that d was given is.

    Args:
        real: index of the real image that it is, or -1.
        fake: index of the generated image that it is, or -1.
        alpha: weight of the fake image where it is a mixture, else NaN.
        pairs: indices of the real and the generated image that it is a mixture of, (n, 2).
    """

    real: NDArray[np.int64]
    fake: NDArray[np.int64]
    alpha: Array
    pairs: NDArray[np.int64]


def _sort(rows: Array, calls: tuple[Call, ...], real: Array, fake: Array) -> _Sorted:
    places = _places(calls)
    real_match, fake_match = _match(rows, real, places), _match(rows, fake, places)
    fake_match[real_match >= 0] = -1
    known = (real_match >= 0) | (fake_match >= 0)
    alpha, pairs = _alphas(rows, ~known, places, real, fake)
    # A mixture of weight 0 or 1 looks like one of its images; but it comes in a batch of mixtures,
    # or it is an image that was shown once more than the others.
    batches = _batches(calls, len(real))
    mixed = known & np.isin(batches, batches[np.isfinite(alpha)])
    mixed |= _surplus(np.where(mixed, -1, real_match)) | _surplus(np.where(mixed, -1, fake_match))
    alpha_too, pairs_too = _alphas(rows, mixed, places, real, fake)
    alpha[mixed], pairs[mixed] = alpha_too[mixed], pairs_too[mixed]
    real_match[mixed] = fake_match[mixed] = -1
    return _Sorted(real_match, fake_match, alpha, pairs)


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


def _surplus(match: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a row shows its image (-1: none) more often than the least shown image is."""
    surplus = np.zeros(len(match), np.bool_)
    images, counts = np.unique(match[match >= 0], return_counts=True)
    for image in images[counts > counts.min(initial=len(match))]:
        surplus[np.flatnonzero(match == image)[counts.min() :]] = True
    return surplus


def _batches(calls: tuple[Call, ...], batch: int) -> NDArray[np.int64]:
    """For every row, the number of its batch: of its call, or of a part of joined batches."""
    numbers, start = [np.zeros(0, np.int64)], 0
    for call in calls:
        numbers.append(start + np.arange(len(call.rows)) // batch)
        start += len(call.rows)
    return np.concatenate(numbers)


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


def _alphas(
    rows: Array, wanted: NDArray[np.bool_], places: NDArray[np.int64], real: Array, fake: Array
) -> tuple[Array, NDArray[np.int64]]:
    """The weight of the fake image in every wanted row that mixes a real and a fake, else NaN.

    And which two they are.
    """
    alphas, found = np.full(len(rows), np.nan), np.full((len(rows), 2), -1, np.int64)
    pairs = _Pairs(real, fake)
    for i in np.flatnonzero(wanted):
        alphas[i], *found[i] = pairs.weight_in(rows[i], int(places[i]))
    return alphas, found


@dataclass(frozen=True, eq=False)
class _Pairs:
    """All pairs of a real image (B, 784) and a generated one (n, 784)."""

    real: Array
    fake: Array

    def weight_in(self, row: Array, place: int) -> tuple[float, int, int]:
        """The weight of the fake image in a mixture, or NaN, and the indices of its two images.

        Pairs of its own place come first.
        """
        batch = len(self.real)
        for k in range(place % batch, len(self.fake), batch):
            alpha = _on_line(row, self.real[place % batch], self.fake[k])
            if np.isfinite(alpha):
                return alpha, place % batch, k
        # Not its own pair: the student's code may have shuffled one of the batches. All pairs are
        # tried in few directions, the best one then in all pixels.
        lines, squares = self._lines
        offsets = row @ _directions() - self._few_real  # (B, k)
        alphas = np.einsum("bk,bnk->bn", offsets, lines) / squares
        off = np.linalg.norm(offsets[:, None, :] - alphas[:, :, None] * lines, axis=2)
        b, n = (int(i) for i in np.unravel_index(int(np.argmin(off)), off.shape))
        return _on_line(row, self.real[b], self.fake[n]), b, n

    @cached_property
    def _few_real(self) -> Array:
        return np.asarray(self.real @ _directions())

    @cached_property
    def _lines(self) -> tuple[Array, Array]:
        """The lines of all pairs in few directions, (B, n, k), and their squared lengths (B, n)."""
        lines = (self.fake @ _directions())[None, :, :] - self._few_real[:, None, :]
        return lines, (lines**2).sum(axis=2)


@lru_cache(maxsize=1)
def _directions() -> Array:
    """Fixed directions (784, k), enough to tell pairs of images apart."""
    rng = np.random.default_rng(_DIRECTIONS)
    return np.asarray(rng.standard_normal((PIXELS, _DIRECTIONS)) / np.sqrt(PIXELS))


def _on_line(row: Array, real: Array, fake: Array) -> float:
    direction = fake - real
    alpha = float((row - real) @ direction / (direction @ direction))
    if not abs(alpha) <= _FARTHEST_ALPHA:
        return np.nan
    off = np.abs(row - real - alpha * direction).max()
    return alpha if off < _ON_LINE else np.nan
