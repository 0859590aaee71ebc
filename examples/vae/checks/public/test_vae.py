"""Fixed problems with known answers."""

import numpy as np

from autograder import (
    CheckFailed,
    Student,
    assert_close,
    blocked_by,
    number,
    requires_any_of,
    weight,
)
from autograder.engine.judge import statistics
from vae.problems import load_golden
from vae.student import BOUND, LOG_NORMAL, SAMPLE, VALUE, log_normal, negative_elbo, sample_gaussian

_ROWS = 4000


@number("1.1.5")
@weight(0.5)
@requires_any_of("1.1.1", "1.1.2", "1.1.3")
def test_sample_has_its_mean_and_variance(student: Student) -> None:
    """sample_gaussian() gives 4000 samples with the mean m and the variance v.

    Remember that v is the variance.
    """
    moments = load_golden().moments
    m, v = (np.tile(moments[name], (_ROWS, 1)) for name in "mv")
    z = sample_gaussian(student, m, v, seed=0).z
    allowed = statistics.FALSE_ALARM / (2 * len(moments["m"]))
    low, high = statistics.mean_square_bounds(_ROWS, allowed)
    for entry, (mean, spread) in enumerate(zip(moments["mean"], moments["spread"], strict=True)):
        scaled = (z[:, entry] - mean) / spread
        square = statistics.mean_square(scaled)
        # The square of the scaled mean is that of one standard normal number, times 1 / rows.
        most = float(np.sqrt(statistics.mean_square_bounds(1, allowed)[1] / _ROWS))
        if abs(scaled.mean()) > most or not low <= square <= high:
            raise CheckFailed(
                f"The samples of {SAMPLE} do not have the mean m and the variance v.",
                where=f"m = {mean:g}, v = {spread**2:g}, {_ROWS} samples.",
                numbers=f"Mean {z[:, entry].mean():.3f}, expected {mean:g} (allowed difference "
                f"{most * spread:.3f}); variance {square * spread**2:.3f}, expected "
                f"{spread**2:g} (allowed {low * spread**2:.3f} to {high * spread**2:.3f}).",
            )


@number("1.2.5")
@weight(0.5)
def test_log_normal_on_fixed_problems(student: Student) -> None:
    """log_normal() gives the expected log-density on three small problems.

    Check the constant, the signs, and over which dimension you sum.
    """
    for one, expected in load_golden().densities:
        log_prob, _ = log_normal(student, one)
        where = f"x = {one.x.tolist()}, m = {one.m.tolist()}, v = {one.v.tolist()}."
        assert_close(
            log_prob,
            expected,
            VALUE,
            f"{LOG_NORMAL}() is not the log-density of N(m, diag(v)).",
            name="log_prob",
            where=where,
        )


@number("1.3.7")
@weight(0.5)
@blocked_by("1.1")
@requires_any_of("1.3.1", "1.3.2", "1.3.4")
def test_bound_on_fixed_problems(student: Student) -> None:
    """negative_elbo_bound() is right where q is the prior and the decoder ignores z.

    kl is 0 there. Check over which dimensions you sum and average.
    """
    for one, kl, rec in load_golden().bounds:
        got = negative_elbo(student, one)
        where = f"x = {one.x.tolist()}, logits = {one.weights['decoder.bias'].tolist()}."
        for name, value, expected in (
            ("rec", got.rec, rec),
            ("kl", got.kl, kl),
            ("nelbo", got.nelbo, kl + rec),
        ):
            assert_close(
                value, expected, VALUE, f"{name} of {BOUND} is incorrect.", name=name, where=where
            )
