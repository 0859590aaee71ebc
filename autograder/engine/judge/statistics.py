"""Distances between samples and the distribution they should have, with their bounds.

Every bound is a theorem for finite n, not an approximation: a correct solution exceeds it with at
most the probability ``false_alarm``. A sample with NaN has the largest possible distance, so that
``distance > bound`` is always true for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

FALSE_ALARM = 1e-10


def ks_distance_normal(sample: Array) -> float:
    """sup |F_n(t) - Phi(t)| of a sample (any shape, pooled) against N(0, 1), in [0, 1]."""
    ordered = _ordered(sample)
    scaled: Iterable[float] = (ordered / math.sqrt(2.0)).tolist()
    erf = np.fromiter(map(math.erf, scaled), dtype=np.float64, count=len(ordered))
    return _largest_step(0.5 * (1.0 + erf))


def ks_distance_uniform(sample: Array) -> float:
    """sup |F_n(t) - t| of a sample (any shape, pooled) against Uniform[0, 1], in [0, 1]."""
    return _largest_step(np.clip(_ordered(sample), 0.0, 1.0))


def discrete_distance_uniform(labels: NDArray[np.int64], n_classes: int) -> float:
    """sup |F_n(k) - (k + 1) / n_classes| of integer labels against uniform on 0..n_classes-1.

    Labels outside the range count as too much mass below or above it.

    Raises:
        ValueError: No labels, labels that are not integers, or n_classes < 1.
    """
    if n_classes < 1:
        raise ValueError(f"n_classes={n_classes} must be >= 1")
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels must be integers, got dtype {labels.dtype}")
    ordered = _ordered(labels)
    points = np.arange(-1, n_classes)
    below = np.searchsorted(ordered, points, side="right") / len(ordered)
    return float(np.abs(below - (points + 1) / n_classes).max())


def dkw_bound(n: int, false_alarm: float = FALSE_ALARM) -> float:
    """sqrt(log(2 / p) / (2 n)): n independent draws exceed it with probability at most p.

    For every distribution, discrete ones included.

    Raises:
        ValueError: n or false_alarm is out of range.

    Source: Massart (1990), The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality.
    """
    _check(n, false_alarm)
    return math.sqrt(math.log(2.0 / false_alarm) / (2.0 * n))


def fits(counts: NDArray[np.int64], shares: Array, false_alarm: float = FALSE_ALARM) -> bool:
    """Whether counts per class are plausible for independent draws with these shares.

    Class by class: a binomial variable is k or more extreme with probability at most
    exp(-n KL(k / n || p)) on either side, by Chernoff. Counts with exactly these shares fit.

    Args:
        counts: per class, (C,).
        shares: p, (C,); a class of share 0 must not be drawn.
        false_alarm: Probability that correct draws do not fit, over all classes and both sides.

    Raises:
        ValueError: No counts, or false_alarm is out of range.

    Source: Hoeffding (1963), Probability inequalities for sums of bounded random variables, (2.1).
    """
    n = int(counts.sum())
    _check(n, false_alarm)
    allowed = math.log(2.0 * len(counts) / false_alarm)

    def distance(k: float, p: float) -> float:
        if (k > 0 and p <= 0) or (k < 1 and p >= 1):
            return math.inf
        inside = k * math.log(k / p) if k > 0 else 0.0
        return inside + ((1 - k) * math.log((1 - k) / (1 - p)) if k < 1 else 0.0)

    pairs = zip((counts / n).tolist(), shares.tolist(), strict=True)
    return all(n * distance(k, p) <= allowed for k, p in pairs)


def end_gap(n: int, false_alarm: float = FALSE_ALARM) -> float:
    """The gap at an end of [0, 1] that n independent uniform draws leave with probability p.

    All n are above g with probability (1 - g)^n.

    Raises:
        ValueError: n or false_alarm is out of range.
    """
    _check(n, false_alarm)
    return -math.expm1(math.log(false_alarm) / n)


def mean_square(sample: Array) -> float:
    """The mean of the squares of a sample (any shape, pooled); 1 is expected of N(0, 1).

    It reveals a wrong scale long before ``ks_distance_normal``: N(0, 1.3^2) is 0.063 away from
    N(0, 1) in KS distance, less than ``dkw_bound(2000)``, but 1.69 against 1 here.

    Returns:
        inf if an entry is not finite.

    Raises:
        ValueError: The sample is empty.
    """
    if sample.size == 0:
        raise ValueError("sample must not be empty")
    with np.errstate(over="ignore"):
        mean = float(np.square(sample, dtype=np.float64).mean())
    return mean if math.isfinite(mean) else math.inf


def mean_square_bounds(n: int, false_alarm: float = FALSE_ALARM) -> tuple[float, float]:
    """The range that ``mean_square`` of n independent standard normals leaves with probability p.

    E exp(t X^2) = (1 - 2 t)^(-1/2), so by Chernoff the mean of n squares is beyond r, on the
    far side of 1, with probability at most exp(-n (r - 1 - log r) / 2). Each end gets p / 2.

    Returns:
        (low, high) with 0 < low < 1 < high.

    Raises:
        ValueError: n or false_alarm is out of range.
    """
    _check(n, false_alarm)
    target = 2.0 * math.log(2.0 / false_alarm) / n

    def is_beyond(ratio: float) -> bool:
        return ratio - 1.0 - math.log(ratio) >= target

    # Over (0, 1] the rate falls from infinity to 0, over [1, ...) it grows again; the outer end
    # of each bracket is beyond: -1 - log(low) = target, and (high - 1) / 2 - log 2 >= target.
    low = _bisect(is_beyond, outer=math.exp(-1.0 - target), inner=1.0)
    high = _bisect(is_beyond, outer=3.0 + 2.0 * target, inner=1.0)
    return low, high


def largest_correlation(rows: Array) -> float:
    """max over j < k of |mean over rows of rows[:, j] rows[:, k]|, rows (n, d).

    The mean and the scale are not estimated: the columns should be standard normal already.

    Returns:
        0 for a single column, inf if an entry is not finite.

    Raises:
        ValueError: rows is not 2-d or is empty.
    """
    if rows.ndim != 2 or rows.size == 0:
        raise ValueError(f"rows must be (n, d) and not empty, got shape {rows.shape}")
    if not np.isfinite(rows).all():
        return math.inf
    upper = np.triu(rows.T @ rows / len(rows), k=1)
    return float(np.abs(upper).max())


def correlation_bound(n: int, pairs: int, false_alarm: float = FALSE_ALARM) -> float:
    """Bound of ``largest_correlation`` for n rows of independent standard normals.

    For independent standard normals X, Y: E exp(t X Y) = (1 - t^2)^(-1/2), so by Chernoff
    P(mean of n products >= t / (1 - t^2)) <= exp(-n h(t)), h(t) = t^2 / (1 - t^2) +
    log(1 - t^2) / 2. The bound is where 2 pairs exp(-n h(t)) is the false-alarm probability.

    Args:
        n: Number of rows, >= 1.
        pairs: Number of pairs of columns, d (d - 1) / 2, >= 1.
        false_alarm: Probability that any of the pairs exceeds the bound.

    Raises:
        ValueError: An argument is out of range.
    """
    _check(n, false_alarm)
    if pairs < 1:
        raise ValueError(f"pairs={pairs} must be >= 1")
    target = math.log(2.0 * pairs / false_alarm) / n

    def is_beyond(t: float) -> bool:
        rest = (1.0 - t) * (1.0 + t)
        return rest <= 0.0 or t**2 / rest + 0.5 * math.log(rest) >= target

    t = _bisect(is_beyond, outer=1.0, inner=0.0)  # h grows from 0 to infinity over (0, 1)
    return t / ((1.0 - t) * (1.0 + t)) if t < 1.0 else math.inf


def distinct_rows(rows: NDArray[Any]) -> int:
    """The number of different rows; independent continuous draws never repeat one.

    Raises:
        ValueError: rows is not 2-d.
    """
    if rows.ndim != 2:
        raise ValueError(f"rows must be (n, d), got shape {rows.shape}")
    return len({row.tobytes() for row in rows})


def distinct_fraction(values: NDArray[Any]) -> float:
    """The share of different values among all (any shape), in (0, 1].

    Raises:
        ValueError: There are no values.
    """
    if values.size == 0:
        raise ValueError("values must not be empty")
    return len(counted(values)[0]) / values.size


def counted(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The different values (any shape, pooled) in order, and how often each occurs.

    As `np.unique` gives them, which imports masked arrays first: that takes longer than a check.
    """
    ordered = np.sort(values, axis=None)
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]][: ordered.size])
    return ordered[starts], np.diff(np.append(starts, ordered.size))


def _ordered(sample: NDArray[Any]) -> Array:
    if sample.size == 0:
        raise ValueError("sample must not be empty")
    return np.sort(sample, axis=None).astype(np.float64)


def _largest_step(cdf: Array) -> float:
    """The KS distance for the distribution's cdf at the ordered sample; ties are handled."""
    n = len(cdf)
    if np.isnan(cdf).any():
        return 1.0
    above = np.arange(1, n + 1) / n - cdf
    below = cdf - np.arange(n) / n
    return float(max(above.max(), below.max()))


def _bisect(is_beyond: Callable[[float], bool], *, outer: float, inner: float) -> float:
    """The border between inner (not beyond) and outer (beyond), rounded outward."""
    for _ in range(60):
        middle = 0.5 * (outer + inner)
        if is_beyond(middle):
            outer = middle
        else:
            inner = middle
    return outer


def _check(n: int, false_alarm: float) -> None:
    if n < 1:
        raise ValueError(f"n={n} must be >= 1")
    if not 0.0 < false_alarm < 1.0:
        raise ValueError(f"false_alarm={false_alarm} must lie between 0 and 1")
