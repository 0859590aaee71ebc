"""The statistics: exact distances, honest bounds, and power against wrong draws.

The tests with seeds are deterministic. Were the seeds fresh, a bound of false-alarm probability
1e-10 would be exceeded somewhere in 200 samples with probability below 1e-7 for all four
statistics together.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from autograder.engine.judge import statistics

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Array]

N = 2000
SEEDS = range(200)


def test_ks_distance_of_one_value_is_known() -> None:
    """One draw at the median is at distance 1/2; at the 97.5 % quantile at 0.975."""
    assert statistics.ks_distance_normal(np.zeros(1)) == 0.5
    at_quantile = statistics.ks_distance_normal(np.array([1.959963984540054]))
    assert at_quantile == pytest.approx(0.975, rel=0, abs=1e-12)
    assert statistics.ks_distance_uniform(np.array([0.25])) == 0.75


def test_ks_distance_of_evenly_spaced_values_is_half_a_step() -> None:
    """Midpoints of n cells of equal probability have the smallest distance, 1/(2n)."""
    midpoints = (np.arange(10) + 0.5) / 10
    assert statistics.ks_distance_uniform(midpoints[::-1]) == pytest.approx(0.05, rel=1e-12)


def test_ks_distance_handles_ties_and_pools_every_shape() -> None:
    """A value that occurs n times is a step of height 1; a matrix is one sample."""
    assert statistics.ks_distance_uniform(np.full((3, 4), 0.5)) == 0.5
    assert statistics.ks_distance_normal(np.zeros((2, 2))) == 0.5
    # F_n is 0, then 2/3 from 0.2 on, then 1 from 0.9 on.
    got = statistics.ks_distance_uniform(np.array([0.9, 0.2, 0.2]))
    assert got == pytest.approx(2 / 3 - 0.2, rel=1e-12)


def counts(*numbers: int) -> NDArray[np.int64]:
    """Counts per class."""
    return np.array(numbers, np.int64)


TENTHS = np.full(10, 0.1)


def test_counts_that_equal_the_shares_fit() -> None:
    """Also if a class has no share and never occurs."""
    assert statistics.fits(counts(*[200] * 10), TENTHS)
    assert statistics.fits(counts(5, 0), np.array([1.0, 0.0]))


def test_a_class_that_never_occurs_does_not_fit() -> None:
    """In 2048 draws; nor does one that occurs without a share."""
    assert not statistics.fits(counts(0, *[2048 // 9] * 9), TENTHS)
    assert not statistics.fits(counts(5, 1), np.array([1.0, 0.0]))


def test_counts_fit_up_to_chernoffs_bound() -> None:
    """n KL(k / n || p) may reach log(2 C / false alarm), on either side, and no more."""
    n, p, most = 1000, 0.5, math.log(2 * 2 / statistics.FALSE_ALARM)

    def exponent(k: int) -> float:
        share = k / n
        return n * (share * math.log(share / p) + (1 - share) * math.log((1 - share) / (1 - p)))

    allowed = next(k for k in range(500, n) if exponent(k + 1) > most)
    for k in (allowed, n - allowed):
        assert statistics.fits(counts(k, n - k), np.array([p, p]))
    assert not statistics.fits(counts(allowed + 1, n - allowed - 1), np.array([p, p]))


def test_correct_labels_fit_under_every_seed() -> None:
    """Uniform ones, and those drawn from a batch of other shares."""
    shares = np.array([0.05, 0.15, *[0.1] * 8])
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        for wanted in (TENTHS, shares):
            drawn = np.bincount(rng.choice(10, 2048, p=wanted), minlength=10)
            assert statistics.fits(drawn, wanted)


def test_uniform_draws_leave_no_gap_at_an_end() -> None:
    """All of n lie above the gap with the stated probability."""
    gap = statistics.end_gap(1024)
    assert (1 - gap) ** 1024 == pytest.approx(statistics.FALSE_ALARM, rel=1e-9)
    assert statistics.end_gap(1, 0.25) == pytest.approx(0.75)
    assert all(np.random.default_rng(seed).random(1024).min() < gap for seed in SEEDS)


def test_values_outside_the_support_are_at_their_distance() -> None:
    """Everything below 0 or above 1 is at distance 1 from uniform."""
    assert statistics.ks_distance_uniform(np.full(3, -0.1)) == 1.0
    assert statistics.ks_distance_uniform(np.full(3, 1.1)) == 1.0
    assert statistics.ks_distance_normal(np.array([np.inf])) == 1.0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_never_close(bad: float) -> None:
    """NaN has the largest distance, so that no comparison accepts it."""
    sample = np.random.default_rng(0).standard_normal((N, 2))
    sample[7, 1] = bad
    assert statistics.largest_correlation(sample) == math.inf
    if math.isnan(bad):
        assert statistics.ks_distance_normal(sample) == 1.0
        assert statistics.ks_distance_uniform(sample) == 1.0


def test_discrete_distance_is_known_for_small_cases() -> None:
    """Equal counts are at 0, one class only at 1 - 1/C, labels out of range beyond."""
    assert statistics.discrete_distance_uniform(np.array([0, 1, 2, 3] * 3), 4) == 0.0
    assert statistics.discrete_distance_uniform(np.array([0, 0]), 4) == 0.75
    assert statistics.discrete_distance_uniform(np.array([3, 3]), 4) == 0.75
    assert statistics.discrete_distance_uniform(np.array([4, 4]), 4) == 1.0
    assert statistics.discrete_distance_uniform(np.array([-1, -1]), 4) == 1.0


def test_dkw_bound_is_massarts() -> None:
    """At n=2000 and p=1e-10 the bound is sqrt(log(2e10)/4000); it falls with the root of n."""
    assert statistics.dkw_bound(N) == pytest.approx(math.sqrt(math.log(2e10) / 4000), rel=1e-12)
    assert statistics.dkw_bound(4 * N) == pytest.approx(statistics.dkw_bound(N) / 2, rel=1e-12)


def test_dkw_bound_is_neither_loose_nor_broken_at_five_per_cent() -> None:
    """Of 2,000 samples of 200, about 5 % exceed the 5 % bound.

    The number that exceeds is binomial with p just under 0.05: mean about 95, standard deviation
    below 10, so 50 and 150 are five standard deviations away.
    """
    rng = np.random.default_rng(1)
    bound = statistics.dkw_bound(200, false_alarm=0.05)
    exceed = sum(statistics.ks_distance_uniform(rng.random(200)) > bound for _ in range(2000))
    assert 50 < exceed < 150


def test_correlation_bound_holds_and_is_not_loose_at_one_per_cent() -> None:
    """Of 3,000 samples, at most 1 % exceed the 1 % bound, and some exceed half of it.

    Chernoff is loose by a factor of about 3 here; 60 would be six standard deviations above 1 %.
    """
    rng = np.random.default_rng(2)
    bound = statistics.correlation_bound(50, pairs=3, false_alarm=0.01)
    drawn = [statistics.largest_correlation(rng.standard_normal((50, 3))) for _ in range(3000)]
    assert sum(value > bound for value in drawn) < 60
    assert sum(value > bound / 2 for value in drawn) > 60


def test_correlation_bound_solves_its_equation() -> None:
    """2 pairs exp(-n h(t)) at the bound is the false-alarm probability, for few and many rows."""
    for n, pairs, probability in ((5, 3, 1e-10), (2000, 2016, 1e-10), (100_000, 1, 0.05)):
        bound = statistics.correlation_bound(n, pairs, probability)
        t = (math.sqrt(1 + 4 * bound**2) - 1) / (2 * bound)  # from bound = t / (1 - t^2)
        exponent = n * (t * bound + 0.5 * math.log1p(-(t**2)))
        assert 2 * pairs * math.exp(-exponent) == pytest.approx(probability, rel=1e-5)


def test_correct_draws_raise_no_alarm_in_200_seeds() -> None:
    """Normal, uniform and label draws of several sizes stay within every bound."""
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        for n in (2, 40, N):
            bound = statistics.dkw_bound(n)
            assert statistics.ks_distance_normal(rng.standard_normal(n)) <= bound
            assert statistics.ks_distance_uniform(rng.random(n)) <= bound
            assert statistics.discrete_distance_uniform(rng.integers(0, 10, n), 10) <= bound
            rows = rng.standard_normal((n, 5))
            assert statistics.largest_correlation(rows) <= statistics.correlation_bound(n, 10)


WRONG_NORMALS: dict[str, Draw] = {
    "uniform on [-1, 1]": lambda rng, n: rng.uniform(-1.0, 1.0, n),
    "uniform on [0, 1]": lambda rng, n: rng.random(n),
    "deviation 1.3": lambda rng, n: 1.3 * rng.standard_normal(n),
    "deviation 0.7": lambda rng, n: 0.7 * rng.standard_normal(n),
    "mean 0.3": lambda rng, n: rng.standard_normal(n) + 0.3,
    "absolute value": lambda rng, n: np.abs(rng.standard_normal(n)),
    "constant": lambda rng, n: np.zeros(n),
}


@pytest.mark.parametrize("wrong", WRONG_NORMALS.values(), ids=WRONG_NORMALS.keys())
def test_incorrect_normals_are_refused(wrong: Draw) -> None:
    """2,000 draws of another distribution exceed the KS bound or leave the range of squares."""
    low, high = statistics.mean_square_bounds(N)
    for seed in range(20):
        sample = wrong(np.random.default_rng(seed), N)
        far = statistics.ks_distance_normal(sample) > statistics.dkw_bound(N)
        assert far or not low <= statistics.mean_square(sample) <= high


WRONG_UNIFORMS: dict[str, Draw] = {
    "uniform on [0, 0.5]": lambda rng, n: 0.5 * rng.random(n),
    "uniform on [-1, 1]": lambda rng, n: rng.uniform(-1.0, 1.0, n),
    "normal": lambda rng, n: rng.standard_normal(n),
    "beta(2, 2)": lambda rng, n: rng.beta(2.0, 2.0, n),
    "constant": lambda rng, n: np.full(n, 0.5),
}


@pytest.mark.parametrize("wrong", WRONG_UNIFORMS.values(), ids=WRONG_UNIFORMS.keys())
def test_incorrect_uniforms_are_refused(wrong: Draw) -> None:
    """2,000 draws of another distribution exceed the bound for uniform on [0, 1]."""
    for seed in range(20):
        sample = wrong(np.random.default_rng(seed), N)
        assert statistics.ks_distance_uniform(sample) > statistics.dkw_bound(N)


def test_incorrect_labels_are_refused() -> None:
    """Labels of nine of the ten classes, or of one only, exceed the bound."""
    rng = np.random.default_rng(3)
    for labels in (rng.integers(0, 9, N), rng.integers(1, 10, N), np.full(N, 4)):
        assert statistics.discrete_distance_uniform(labels, 10) > statistics.dkw_bound(N)


def test_columns_that_depend_on_each_other_are_refused() -> None:
    """A repeated column, and one correlated by 0.3, exceed the bound at 2,000 rows."""
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((N, 5))
    bound = statistics.correlation_bound(N, 10)
    for correlation in (0.3, -0.3, 1.0):
        mixed = rows.copy()
        mixed[:, 4] = correlation * rows[:, 1] + math.sqrt(1 - correlation**2) * rows[:, 4]
        assert statistics.largest_correlation(mixed) > bound
    assert statistics.largest_correlation(rows[:, :1]) == 0.0


def test_mean_square_bounds_are_known_quantiles_or_wider() -> None:
    """At n=100 and p=0.05 the range holds chi-square's 2.5 % and 97.5 % quantiles, 74.2, 129.6."""
    low, high = statistics.mean_square_bounds(100, false_alarm=0.05)
    assert 0.6 < low < 0.742
    assert 1.296 < high < 1.5
    for n, probability in ((1, 1e-10), (2000, 1e-10), (7, 0.5)):
        for end in statistics.mean_square_bounds(n, probability):
            tail = math.exp(-n * (end - 1 - math.log(end)) / 2)
            assert 2 * tail == pytest.approx(probability, rel=1e-5)


def test_mean_square_of_correct_draws_stays_within_its_bounds() -> None:
    """In 200 seeds the mean square of 2, 40 and 2,000 normals never leaves the range."""
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        for n in (2, 40, N):
            low, high = statistics.mean_square_bounds(n)
            assert low <= statistics.mean_square(rng.standard_normal(n)) <= high
    assert statistics.mean_square(np.array([1.0, np.nan])) == math.inf
    assert statistics.mean_square(np.array([[1.0, 2.0], [2.0, 1.0]])) == 2.5


def test_distinct_rows_and_values_are_counted() -> None:
    """A repeated row or value is counted once."""
    rows = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]])
    assert statistics.distinct_rows(rows) == 2
    assert statistics.distinct_rows(rows[:, ::-1]) == 2
    assert statistics.distinct_fraction(np.array([0.5, 0.5, 0.25, 0.5])) == 0.5
    assert statistics.distinct_fraction(np.random.default_rng(5).random(1000)) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: statistics.ks_distance_normal(np.zeros(0)), "sample must not be empty"),
        (lambda: statistics.ks_distance_uniform(np.zeros(0)), "sample must not be empty"),
        (lambda: statistics.mean_square(np.zeros(0)), "sample must not be empty"),
        (lambda: statistics.discrete_distance_uniform(np.array([0]), 0), "n_classes=0 must be"),
        (lambda: statistics.discrete_distance_uniform(np.zeros(2), 2), "must be integers"),  # type: ignore[arg-type]
        (lambda: statistics.dkw_bound(0), "n=0 must be >= 1"),
        (lambda: statistics.dkw_bound(1, 0.0), "false_alarm=0.0 must lie between"),
        (lambda: statistics.mean_square_bounds(0), "n=0 must be >= 1"),
        (lambda: statistics.correlation_bound(1, 0), "pairs=0 must be >= 1"),
        (lambda: statistics.largest_correlation(np.zeros(3)), r"rows must be \(n, d\)"),
        (lambda: statistics.distinct_rows(np.zeros(3)), r"rows must be \(n, d\)"),
        (lambda: statistics.distinct_fraction(np.zeros(0)), "values must not be empty"),
    ],
)
def test_impossible_arguments_are_rejected(call: Callable[[], object], message: str) -> None:
    """The argument out of range is named."""
    with pytest.raises(ValueError, match=message):
        call()


def test_twenty_thousand_values_are_fast() -> None:
    """The exact normal distance of 20,000 values takes far less than half a second (a few ms)."""
    sample = np.random.default_rng(6).standard_normal(20_000)
    start = time.process_time()
    statistics.ks_distance_normal(sample)
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    "values", [[3.0], [2.0, 2.0], [1.0, 0.5, 1.0, -2.0, 0.5, 1.0], [0.0, -0.0]]
)
def test_values_are_counted_as_numpy_counts_them(values: list[float]) -> None:
    """The different ones in order, and how often each occurs."""
    array = np.array(values)
    for got, expected in zip(
        statistics.counted(array), np.unique(array, return_counts=True), strict=True
    ):
        np.testing.assert_array_equal(got, expected)
