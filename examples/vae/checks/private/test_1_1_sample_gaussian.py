"""1.1 sample_gaussian: the noise is recovered from the sample, (z - m) / sqrt(v)."""

import numpy as np
from hypothesis import given, settings

from autograder import (
    CheckFailed,
    Diagnosis,
    Student,
    Tolerance,
    assert_close,
    number,
    requires_any_of,
    weight,
)
from vae import noise, oracles
from vae.cases import GaussianCase, gaussian_cases
from vae.problems import Array, exact
from vae.recovered import SampleCall
from vae.student import SAMPLE, sample_gaussian, zeros_where_missing

# Where v is 0.1 or more, float32 changes the noise by 1e-5 at most, and so the gradient by 2e-5.
GRADIENT = Tolerance(rtol=1e-3, atol=2e-3)
_SEED = 7


@number("1.1.1")
@weight(1.5)
@requires_any_of("1.1.2", "1.1.4")
@settings(max_examples=8)
@given(case=gaussian_cases())
def test_gradients_flow_into_mean_and_variance(
    student: Student, diagnosis: Diagnosis, case: GaussianCase
) -> None:
    """The gradients of z by m and v are those of its mean and of its scaled noise.

    Check that no step from m and v to z cuts the gradient off, and that v is the variance.
    """
    sample = sample_gaussian(student, case.m, case.v, seed=case.seed, bar=case.bar)
    call = SampleCall(case.m, case.v, sample.z, case.bar)
    expected = oracles.sample_gradients(call.noise, case.v, case.bar)
    got = zeros_where_missing(sample.gradients, expected)
    joined = np.stack([got["m"], got["v"]])
    diagnosis.observe("sample.gradient", call, joined, call.gradient)
    for name in ("m", "v"):
        assert_close(
            got[name],
            expected[name],
            GRADIENT,
            f"The gradient of {SAMPLE}'s sample by {name} is incorrect."
            if name in sample.gradients
            else f"No gradient of {SAMPLE}'s sample arrives in {name}.",
            name=f"gradient by {name}",
            where=f"Smallest case found: {case}.",
        )


@number("1.1.2")
@weight(1)
def test_noise_is_standard_normal(student: Student) -> None:
    """The noise (z - m) / sqrt(v) is standard normal.

    Check that you draw from a normal distribution, and that v is the variance.
    """
    noise.check_normal(SAMPLE, _noise(student, GaussianCase(noise.BATCH, noise.SIZE, _SEED), 1.0))


@number("1.1.3")
@weight(1)
def test_noise_is_drawn_again_for_each_entry(student: Student) -> None:
    """Every entry of every example has noise of its own, new in each call.

    Check the shape of what you draw, and that nothing is kept or seeded.
    """
    drawn = _noise(student, GaussianCase(noise.BATCH, noise.SIZE, _SEED), 1.0)
    noise.check_independent(SAMPLE, drawn)


@number("1.1.4")
@weight(1)
def test_noise_is_standard_normal_for_small_variances(student: Student) -> None:
    """The noise is standard normal also where v is as small as 1e-6.

    Add no lower limit to v.
    """
    noise.check_normal(SAMPLE, _noise(student, GaussianCase(noise.BATCH, noise.SIZE, _SEED), 1e-5))


def _noise(student: Student, case: GaussianCase, scale: float) -> Array:
    """The noise (calls, B, D) of several calls with the case's variance, scaled.

    Where v is small, m is 0: next to another m, float32 would round the noise off.
    """
    v = exact(case.v * scale)
    m = case.m if scale == 1.0 else np.zeros_like(v)
    drawn = [
        (sample_gaussian(student, m, v, seed=call).z - m) / np.sqrt(v)
        for call in range(noise.CALLS)
    ]
    if not np.any(drawn):
        raise CheckFailed(f"{SAMPLE} returns the mean m: it adds no noise.")
    return np.stack(drawn)
