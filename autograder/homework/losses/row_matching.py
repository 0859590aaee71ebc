"""What every image that d was given is: a real one, one that g made, a mixture of two, or none.

Whoever made the record may have put in it what he likes, so the work is bounded: searches go by a
few directions, and not every row is looked for everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from autograder.homework.problems.gan_case import PIXELS
from autograder.homework.problems.probe_networks import Array
from autograder.homework.reply import Call

# Rows of 784 pixels whose entries differ by O(0.1): float32 rounding is below this, other rows far
# above it, but for a mixture whose weight happens to lie within 1e-5 of 0 or 1.
_SAME_ROW = 2e-5
# An interpolation weight is found by division by fake - real, whose norm is about 10.
_ON_LINE = 2e-3
# A normal number in place of a weight is still one of a line; a thousand is no mixture of anything.
_FARTHEST_ALPHA = 5.0
# Pairs of images are told apart in so many directions.
_DIRECTIONS = 24
# Mixtures that are not of their own places are looked for among all pairs, so often as the batch.
_MOST_SEARCHED = 6


@dataclass(frozen=True, eq=False)
class Sorted:
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


def sort_rows(rows: Array, calls: tuple[Call, ...], real: Array, fake: Array) -> Sorted:
    """Find out what every row is.

    Args:
        rows: all that d was given, (n, 784).
        calls: the same, call by call.
        real: the batch of real images, (B, 784).
        fake: all images that g made, (m, 784).
    """
    places = _places(calls)
    real_match, fake_match = _match(rows, real, places), _match(rows, fake, places)
    fake_match[real_match >= 0] = -1
    known = (real_match >= 0) | (fake_match >= 0)
    alpha, pairs = _alphas(rows, ~known, places, real, fake)
    # A mixture of weight 0 or 1 looks like one of its images; but it comes in a batch of mixtures,
    # where nobody misses an image, or it is one that was shown once more than the others.
    batches = _batches(calls, len(real))
    mixtures = np.isin(batches, batches[np.isfinite(alpha)])
    mixed = _dispensable(real_match, mixtures, len(real))
    mixed |= _dispensable(fake_match, mixtures, len(real))
    mixed |= _surplus(np.where(mixed, -1, real_match)) | _surplus(np.where(mixed, -1, fake_match))
    alpha_too, pairs_too = _alphas(rows, mixed, places, real, fake)
    alpha[mixed], pairs[mixed] = alpha_too[mixed], pairs_too[mixed]
    real_match[mixed] = fake_match[mixed] = -1
    return Sorted(real_match, fake_match, alpha, pairs)


def _places(calls: tuple[Call, ...]) -> NDArray[np.int64]:
    """The place of every row within its call: the row of the batch it most likely belongs to."""
    return np.concatenate([np.zeros(0, np.int64), *(np.arange(len(call.rows)) for call in calls)])


def _dispensable(
    match: NDArray[np.int64], within: NDArray[np.bool_], batch: int
) -> NDArray[np.bool_]:
    """Whether a row within shows an image (-1: none) that is shown elsewhere too, or need not be.

    It need not be where a whole batch of images is shown elsewhere.
    """
    elsewhere = np.unique(match[~within & (match >= 0)])
    dispensable = np.zeros(len(match), np.bool_)
    for image in np.unique(match[within & (match >= 0)]):
        first = 0 if len(elsewhere) >= batch or image in elsewhere else 1
        dispensable[np.flatnonzero((match == image) & within)[first:]] = True
    return dispensable


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


def _match(rows: Array, known: Array, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """For every row, the index of the known row it equals, or -1. Tries its own place first."""
    found = np.full(len(rows), -1, np.int64)
    if len(rows) == 0 or len(known) == 0:
        return found
    own = places % len(known)
    fits = np.abs(rows - known[own]).max(axis=1) < _SAME_ROW
    found[fits] = own[fits]
    others = np.flatnonzero(~fits)
    # |a - b|^2 = |a|^2 - 2 a b + |b|^2 in few directions; the nearest one then in all pixels.
    few, few_known = rows[others] @ _directions(), known @ _directions()
    nearest = np.argmin((few_known**2).sum(axis=1) - 2.0 * few @ few_known.T, axis=1)
    equal = np.abs(rows[others] - known[nearest]).max(axis=1) < _SAME_ROW
    found[others[equal]] = nearest[equal]
    return found


def _alphas(
    rows: Array, wanted: NDArray[np.bool_], places: NDArray[np.int64], real: Array, fake: Array
) -> tuple[Array, NDArray[np.int64]]:
    """The weight of the fake image in every wanted row that mixes a real and a fake, else NaN.

    And which two they are.
    """
    alphas, found = np.full(len(rows), np.nan), np.full((len(rows), 2), -1, np.int64)
    pairs, searches = _Pairs(real, fake), _MOST_SEARCHED * len(real)
    for i in np.flatnonzero(wanted):
        alphas[i], *found[i] = pairs.of_place(rows[i], int(places[i]))
        if np.isnan(alphas[i]) and searches > 0:
            alphas[i], *found[i] = pairs.anywhere(rows[i])
            searches -= 1
    return alphas, found


@dataclass(frozen=True, eq=False)
class _Pairs:
    """All pairs of a real image (B, 784) and a generated one (n, 784)."""

    real: Array
    fake: Array

    def of_place(self, row: Array, place: int) -> tuple[float, int, int]:
        """The weight of the fake image in a mixture, or NaN, and the indices of its two images.

        Pairs of its own place in the batch are tried.
        """
        batch = len(self.real)
        for k in range(place % batch, len(self.fake), batch):
            alpha = _on_line(row, self.real[place % batch], self.fake[k])
            if np.isfinite(alpha):
                return alpha, place % batch, k
        return np.nan, -1, -1

    def anywhere(self, row: Array) -> tuple[float, int, int]:
        """See `of_place`; of all pairs, for one of the batches may have been shuffled.

        They are tried in few directions, the best one then in all pixels.
        """
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
