"""1.2 log_normal: values and gradients, compared with the density's formula."""

import numpy as np
from hypothesis import given, settings

from autograder import Diagnosis, Student, Tolerance, assert_close, number, weight
from vae import oracles
from vae.cases import GaussianCase, gaussian_cases
from vae.problems import FixedGaussian, GaussianProblem, exact
from vae.student import LOG_NORMAL, VALUE, log_normal, zeros_where_missing

# An epsilon of 1e-8 added to v = 2e-6 changes each of the three entries by 0.0075 at most.
SMALL = Tolerance(rtol=1e-3, atol=0.1)


def _check_value(
    student: Student,
    diagnosis: Diagnosis,
    problem: GaussianProblem,
    where: str,
    tolerance: Tolerance = VALUE,
) -> None:
    expected = oracles.log_normal(problem.x, problem.m, problem.v)
    log_prob, _ = log_normal(student, problem)
    diagnosis.observe("log_normal", problem, log_prob, expected)
    assert_close(
        log_prob,
        expected,
        tolerance,
        f"{LOG_NORMAL}() is not the log-density of N(m, diag(v)).",
        name="log_prob",
        where=where,
    )


@number("1.2.1")
@weight(1.5)
@settings(max_examples=10)
@given(case=gaussian_cases())
def test_value_is_the_log_density(
    student: Student, diagnosis: Diagnosis, case: GaussianCase
) -> None:
    """log_normal() is the log-density, summed over the last dimension.

    Check the constant, the signs, and that v is the variance.
    """
    _check_value(student, diagnosis, case, f"Smallest case found: {case}.")


@number("1.2.2")
@weight(1)
@settings(max_examples=8)
@given(case=gaussian_cases())
def test_gradients_flow_into_all_arguments(student: Student, case: GaussianCase) -> None:
    """The gradients by x, m and v are those of the log-density.

    Check that nothing on the way is detached.
    """
    bar = case.bar[:, 0]
    _, gradients = log_normal(student, case, bar=bar)
    expected = oracles.log_normal_gradients(case.x, case.m, case.v, bar)
    got = zeros_where_missing(gradients, expected)
    for name, right in expected.items():
        assert_close(
            got[name],
            right,
            VALUE,
            f"The gradient of {LOG_NORMAL} by {name} is incorrect.",
            name=f"gradient by {name}",
            where=f"Smallest case found: {case}.",
        )


@number("1.2.3")
@weight(1)
def test_any_leading_dimensions(student: Student, diagnosis: Diagnosis) -> None:
    """log_normal() takes any leading dimensions, and broadcasts m and v to those of x.

    Sum over the last dimension, dim=-1, whatever the number of dimensions is.
    """
    case = GaussianCase(6, 4, 3)
    one = np.ones((5, 6, 4))
    offsets = exact(np.arange(5.0)[:, None, None] / 4)  # points (5, 6, 4)
    for x, m, v, shapes in (
        (case.x[0], case.m[0], case.v[0], "x, m and v have the shape (4,)"),
        (case.x + offsets, case.m * one, case.v * one, "x, m and v have the shape (5, 6, 4)"),
        (case.x + offsets, case.m, case.v[:1], "x has the shape (5, 6, 4), m (6, 4), v (1, 4)"),
    ):
        _check_value(student, diagnosis, FixedGaussian(x, m, v), f"{shapes}.")


@number("1.2.4")
@weight(1)
def test_small_variances_and_far_points(student: Student, diagnosis: Diagnosis) -> None:
    """log_normal() is exact where v is 2e-6, and where x is 30 standard deviations away.

    Do not compute the density itself: it is 0 in float32 far from m. Add no lower limit to v.
    """
    case = GaussianCase(6, 3, 4)
    scaled = (case.x - case.m) / np.sqrt(case.v)
    small = exact(np.full_like(case.v, 2e-6))
    near = FixedGaussian(exact(np.clip(scaled, -2, 2) * np.sqrt(small)), 0 * small, small)
    _check_value(student, diagnosis, near, "v = 2e-6 in all entries, m = 0, B = 6, D = 3.", SMALL)
    far = FixedGaussian(exact(case.m + 30 * np.sqrt(case.v)), case.m, case.v)
    _check_value(student, diagnosis, far, "x is 30 standard deviations from m, B = 6, D = 3.")
