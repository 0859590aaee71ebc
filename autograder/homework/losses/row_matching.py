"""Match every image that d was given: a real one, a generated one, a mixture of both, or neither.

The record comes from an untrusted process and may contain anything, so the work is bounded:
searches use a few random projections, and only some rows are compared with all pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from autograder.homework.problems.gan_case import PIXELS
from autograder.homework.problems.probe_networks import Array
from autograder.homework.reply import NetworkCall

# Rows of 784 pixels whose entries differ by O(0.1): float32 rounding is below this, other rows far
# above it, except a mixture whose weight happens to lie within 1e-5 of 0 or 1.
_SAME_ROW = 2e-5
_FEW = 28
# An interpolation weight is found by division by fake - real, whose norm is about 10.
_ON_LINE = 2e-3
# A normal number used as a weight is still matched; a weight of a thousand is no mixture.
_MAX_ALPHA = 5.0
# Number of random projections; enough to tell pairs of images apart.
_PROJECTIONS = 24
# Mixtures of images from different places are searched among all pairs, for this many batches.
_MAX_SEARCHED = 6


@dataclass(frozen=True, eq=False)
class RowMatches:
    """The match of every row that d was given.

    Args:
        real: index of the real image that it equals, or -1.
        fake: index of the generated image that it equals, or -1.
        alpha: weight of the fake image where it is a mixture, else NaN.
        pairs: indices of the real and the generated image that it is a mixture of, (n, 2).
    """

    real: NDArray[np.int64]
    fake: NDArray[np.int64]
    alpha: Array
    pairs: NDArray[np.int64]


def match_rows(rows: Array, calls: tuple[NetworkCall, ...], real: Array, fake: Array) -> RowMatches:
    """Match every row with real and generated images.

    Args:
        rows: all images that d was given, (n, 784).
        calls: the same, call by call.
        real: the batch of real images, (B, 784).
        fake: all images that g made, (m, 784).
    """
    places, batches = _places_and_batches(calls, len(real))
    real_match, fake_match = (np.full(len(rows), -1, np.int64) for _ in range(2))
    for search in (_equal_at_place, _equal_anywhere):  # nearly all are at their place
        for match, images in ((real_match, real), (fake_match, fake)):
            rest = np.flatnonzero((real_match < 0) & (fake_match < 0))
            match[rest] = search(rows[rest], images, places[rest])
    unmatched = (real_match < 0) & (fake_match < 0)
    alpha, pairs = _mixtures(rows, unmatched, places, real, fake)
    # A mixture of weight 0 or 1 equals one of its images. It is a mixture all the same if it comes
    # in a batch of mixtures and its image is not missed, or if it repeats an image once too often.
    has_mixtures = np.zeros(batches.max(initial=-1) + 1, np.bool_)
    has_mixtures[batches[np.isfinite(alpha)]] = True
    in_mixtures = has_mixtures[batches]
    mixed = _dispensable(real_match, in_mixtures, len(real))
    mixed |= _dispensable(fake_match, in_mixtures, len(real))
    mixed |= _surplus(np.where(mixed, -1, real_match)) | _surplus(np.where(mixed, -1, fake_match))
    alpha_too, pairs_too = _mixtures(rows, mixed, places, real, fake)
    alpha[mixed], pairs[mixed] = alpha_too[mixed], pairs_too[mixed]
    real_match[mixed] = fake_match[mixed] = -1
    return RowMatches(real_match, fake_match, alpha, pairs)


def _places_and_batches(
    calls: tuple[NetworkCall, ...], batch: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For every row: its index within its call, and the number of its batch.

    The index is that of the example it most likely belongs to. A call of several joined batches
    has a number for each.
    """
    places, batches, start = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 0
    for call in calls:
        places.append(np.arange(len(call.rows)))
        batches.append(start + places[-1] // batch)
        start += len(call.rows)
    return np.concatenate(places), np.concatenate(batches)


def _dispensable(
    match: NDArray[np.int64], within: NDArray[np.bool_], batch: int
) -> NDArray[np.bool_]:
    """Whether a row within shows an image (-1: none) that is also shown elsewhere.

    Or that need not be, because a whole batch of images is shown elsewhere.
    """
    elsewhere = set(match[~within & (match >= 0)].tolist())
    dispensable = np.zeros(len(match), np.bool_)
    for image in set(match[within & (match >= 0)].tolist()):
        first = 0 if len(elsewhere) >= batch or image in elsewhere else 1
        dispensable[np.flatnonzero((match == image) & within)[first:]] = True
    return dispensable


def _surplus(match: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a row shows its image (-1: none) more often than the least shown image is."""
    surplus = np.zeros(len(match), np.bool_)
    counts = np.bincount(match[match >= 0])  # by image
    least = counts[counts > 0].min(initial=len(match))
    for image in np.flatnonzero(counts > least):
        surplus[np.flatnonzero(match == image)[least:]] = True
    return surplus


def _equal_at_place(rows: Array, images: Array, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """For every row, the index of its place if it equals the image there, or -1."""
    if len(rows) == 0 or len(images) == 0:
        return np.full(len(rows), -1, np.int64)
    own = places % len(images)
    return np.where(_are_equal(rows, images[own]), own, -1)


def _equal_anywhere(rows: Array, images: Array, _: NDArray[np.int64]) -> NDArray[np.int64]:
    """For every row, the index of the image it equals, or -1."""
    if len(rows) == 0 or len(images) == 0:
        return np.full(len(rows), -1, np.int64)
    # |a - b|^2 = |a|^2 - 2 a b + |b|^2 of projections; the nearest image is compared in all pixels.
    projected, of_images = rows @ _projections(), images @ _projections()
    nearest = np.argmin((of_images**2).sum(axis=1) - 2.0 * projected @ of_images.T, axis=1)
    return np.where(_are_equal(rows, images[nearest]), nearest, -1)


def _are_equal(rows: Array, images: Array) -> NDArray[np.bool_]:
    """Whether a row equals its image, (n, 784) each; few pixels tell most others apart."""
    equal = np.abs(rows[:, ::_FEW] - images[:, ::_FEW]).max(axis=1) < _SAME_ROW
    some = np.flatnonzero(equal)
    equal[some] = np.abs(rows[some] - images[some]).max(axis=1, initial=0.0) < _SAME_ROW
    return np.asarray(equal)


def _mixtures(
    rows: Array, selected: NDArray[np.bool_], places: NDArray[np.int64], real: Array, fake: Array
) -> tuple[Array, NDArray[np.int64]]:
    """The weight of the fake image in every selected mixture, else NaN, and its two images."""
    alphas, pairs = np.full(len(rows), np.nan), np.full((len(rows), 2), -1, np.int64)
    candidates, searches = _Pairs(real, fake), _MAX_SEARCHED * len(real)
    # Most are mixtures of the two images of their place: these are tried at once for all rows.
    first = np.flatnonzero(selected & (places % len(real) < len(fake)))
    own = places[first] % len(real)
    alphas[first] = _weights_on_lines(rows[first], real[own], fake[own])
    found = first[np.isfinite(alphas[first])]
    pairs[found] = own[np.isfinite(alphas[first])][:, None]
    for i in np.flatnonzero(selected & np.isnan(alphas)):
        alphas[i], *pairs[i] = candidates.of_place(rows[i], int(places[i]))
        if np.isnan(alphas[i]) and searches > 0:
            alphas[i], *pairs[i] = candidates.anywhere(rows[i])
            searches -= 1
    return alphas, pairs


@dataclass(frozen=True, eq=False)
class _Pairs:
    """All pairs of a real image (B, 784) and a generated one (n, 784)."""

    real: Array
    fake: Array

    def of_place(self, row: Array, place: int) -> tuple[float, int, int]:
        """The weight of the fake image in a mixture, or NaN, and the indices of its two images.

        Tries the pairs of one place in the batch.
        """
        batch = len(self.real)
        for k in range(place % batch, len(self.fake), batch):
            alpha = _weight_on_line(row, self.real[place % batch], self.fake[k])
            if np.isfinite(alpha):
                return alpha, place % batch, k
        return np.nan, -1, -1

    def anywhere(self, row: Array) -> tuple[float, int, int]:
        """The same for the best of all pairs, since one of the batches may have been shuffled."""
        lines, squares = self._lines
        offsets = row @ _projections() - self._projected_real  # (B, k)
        alphas = np.einsum("bk,bnk->bn", offsets, lines) / squares
        off = np.linalg.norm(offsets[:, None, :] - alphas[:, :, None] * lines, axis=2)
        b, n = (int(i) for i in np.unravel_index(int(np.argmin(off)), off.shape))
        return _weight_on_line(row, self.real[b], self.fake[n]), b, n

    @cached_property
    def _projected_real(self) -> Array:
        return np.asarray(self.real @ _projections())

    @cached_property
    def _lines(self) -> tuple[Array, Array]:
        """The projected lines of all pairs, (B, n, k), and their squared lengths (B, n)."""
        lines = (self.fake @ _projections())[None, :, :] - self._projected_real[:, None, :]
        return lines, (lines**2).sum(axis=2)


@lru_cache(maxsize=1)
def _projections() -> Array:
    """A fixed random matrix (784, k)."""
    rng = np.random.default_rng(_PROJECTIONS)
    return np.asarray(rng.standard_normal((PIXELS, _PROJECTIONS)) / np.sqrt(PIXELS))


def _weight_on_line(row: Array, real: Array, fake: Array) -> float:
    """The weight of the fake image if the row lies on the line through both, else NaN."""
    return float(_weights_on_lines(row[None], real[None], fake[None])[0])


def _weights_on_lines(rows: Array, real: Array, fake: Array) -> Array:
    """The same for every row of (n, 784), each with images of its own: (n,)."""
    direction, start = fake - real, rows - real
    alphas = (start * direction).sum(axis=1) / (direction**2).sum(axis=1)
    off = np.abs(start - alphas[:, None] * direction).max(axis=1, initial=0.0)
    with np.errstate(invalid="ignore"):
        fits = (np.abs(alphas) <= _MAX_ALPHA) & (off < _ON_LINE)
    return np.where(fits, alphas, np.nan)
