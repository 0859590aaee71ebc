"""1.3 VAE.negative_elbo_bound: every term is exact, given the z that the decoder was shown."""

from collections.abc import Callable

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
from autograder.engine.judge.exceptions import CheckStopped
from autograder.engine.judge.gradients import flat, gradient_error
from vae import noise
from vae.cases import ElboCase, elbo_cases
from vae.oracles import GIVEN, Bound
from vae.problems import Array
from vae.recovered import ElboCall
from vae.student import BOUND, VALUE, negative_elbo

# Logits of 40: an unstable loss is infinite there, or off by 10 and more for each pixel.
SURE = Tolerance(rtol=1e-3, atol=0.05)


def _called(student: Student, case: ElboCase, functions: str, seed: int | None = None) -> ElboCall:
    got = negative_elbo(student, case, functions, seed=seed)
    return ElboCall(Bound(case, got.z), got)


def _with_either(check: Callable[[str], None]) -> None:
    """Run a check with correct functions for 1.1 and 1.2; where it fails, with the student's own.

    So a mistake in those costs nothing here, and neither does a change of them, such as one more
    argument, that only the student's own code fits.

    Raises:
        CheckFailed: both fail; about the correct functions.
    """
    try:
        check(GIVEN)
    except CheckFailed as failure:
        try:
            check("")
        except (CheckFailed, CheckStopped):
            raise failure from None


def _check(
    student: Student,
    case: ElboCase,
    compare: Callable[[ElboCall], None],
    observe: Callable[[ElboCall], None] = lambda call: None,
) -> None:
    """Compare one call with the equations; `observe` shows it to the diagnosis."""

    def check(functions: str) -> None:
        call = _called(student, case, functions)
        if functions:
            observe(call)
        compare(call)

    _with_either(check)


def _compare_rec(call: ElboCall, tolerance: Tolerance = VALUE) -> None:
    assert_close(
        call.got.rec,
        call.bound.rec,
        tolerance,
        f"rec of {BOUND} is not -log p(x | z), summed over the pixels, averaged over the batch.",
        name="rec",
        where=f"Smallest case found: {call.bound.problem}.",
    )


def _compare_kl(call: ElboCall) -> None:
    assert_close(
        call.got.kl,
        call.bound.kl(call.got.kl),
        VALUE,
        f"kl of {BOUND} is neither KL(q || p) in closed form nor its estimate at the sample.",
        name="kl",
        where=f"Smallest case found: {call.bound.problem}.",
    )


def _compare_sum(call: ElboCall) -> None:
    assert_close(
        call.got.nelbo,
        call.got.kl + call.got.rec,
        VALUE,
        f"nelbo of {BOUND} is not the sum of the kl and the rec that it returns.",
        name="nelbo",
        where=f"Smallest case found: {call.bound.problem}.",
    )


def _compare_gradient(call: ElboCall) -> None:
    error = gradient_error(call.got.gradients, call.gradient())
    if error:
        raise CheckFailed(
            f"The gradient of nelbo of {BOUND} is incorrect.",
            where=f"Smallest case found: {call.bound.problem}.",
            numbers=error,
        )


@number("1.3.1")
@weight(2)
@settings(max_examples=8)
@given(case=elbo_cases())
def test_rec_is_the_reconstruction_loss(
    student: Student, diagnosis: Diagnosis, case: ElboCase
) -> None:
    """rec is -log p(x | z) of the z that the decoder was given.

    Check over which dimensions you sum and average, and that the decoder returns logits.
    """
    _check(
        student,
        case,
        _compare_rec,
        lambda call: diagnosis.observe("elbo.rec", call, call.got.rec, call.bound.rec),
    )


@number("1.3.2")
@weight(2)
@settings(max_examples=8)
@given(case=elbo_cases())
def test_kl_is_the_divergence_from_the_prior(
    student: Student, diagnosis: Diagnosis, case: ElboCase
) -> None:
    """kl is KL(q(z | x) || p(z)), in closed form or as an estimate at the sample.

    Check its direction, and over which dimensions you sum and average.
    """
    _check(
        student,
        case,
        _compare_kl,
        lambda call: diagnosis.observe("elbo.kl", call, call.got.kl, call.bound.kl(call.got.kl)),
    )


@number("1.3.3")
@weight(0.5)
@requires_any_of("1.3.1", "1.3.2")
@settings(max_examples=5)
@given(case=elbo_cases())
def test_nelbo_is_the_sum(student: Student, diagnosis: Diagnosis, case: ElboCase) -> None:
    """nelbo is the sum of the kl and the rec that are returned with it.

    Check the sign of kl, and the order of what you return.
    """
    _check(
        student,
        case,
        _compare_sum,
        lambda call: diagnosis.observe(
            "elbo.nelbo", call, call.got.nelbo, call.got.kl + call.got.rec
        ),
    )


@number("1.3.4")
@weight(2)
@settings(max_examples=8)
@given(case=elbo_cases())
def test_gradient_reaches_both_networks(
    student: Student, diagnosis: Diagnosis, case: ElboCase
) -> None:
    """The gradient of nelbo arrives in the encoder, also through the sample, and in the decoder.

    Check that nothing between the encoder and nelbo is detached.
    """

    def observe(call: ElboCall) -> None:
        right = call.gradient()
        diagnosis.observe(
            "elbo.gradient", call, flat(call.got.gradients, right), flat(right, right)
        )

    _check(student, case, _compare_gradient, observe)


@number("1.3.5")
@weight(2)
def test_each_example_has_a_sample_of_its_own(student: Student) -> None:
    """z is a sample from q(z | x): standard normal noise, drawn again for each example and call.

    Give the decoder a sample, made with the m and v of the same example.
    """
    case = ElboCase(noise.BATCH, noise.SIZE, 4, 5)

    def check(functions: str) -> None:
        calls = [_called(student, case, functions, seed).bound for seed in range(noise.CALLS)]
        drawn = np.stack([call.noise for call in calls])
        if not np.abs(drawn).max() > 1e-3:
            raise CheckFailed(f"{BOUND} gives the decoder the mean m of q, not a sample from it.")
        try:
            noise.check_independent(BOUND, drawn)
            noise.check_normal(BOUND, drawn)
        except CheckFailed:
            _refuse_prior(np.stack([call.z for call in calls]))
            raise

    _with_either(check)


def _refuse_prior(z: Array) -> None:
    """Name the mistake behind a z (calls, B, D) that has nothing to do with the encoder."""
    try:
        noise.check_normal(BOUND, z)
    except CheckFailed:
        return
    raise CheckFailed(f"{BOUND} gives the decoder samples from the prior, not from q(z | x).")


@number("1.3.6")
@weight(1)
def test_rec_is_exact_for_large_logits(student: Student) -> None:
    """rec is exact where the decoder is sure and wrong, with logits of 40.

    The probability is 1 in float32 there, and its logarithm 0: compute rec from the logits.
    """
    _check(
        student,
        ElboCase(4, 2, 6, 1, sure=True),
        lambda call: _compare_rec(call, SURE),
    )
