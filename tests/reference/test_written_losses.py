"""The written key's claims on GAN losses (problems 2 and 3), each checked."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import sympy
import torch
from torch import Tensor

# torch leaves backward without annotations.
# mypy: disable-error-code="no-untyped-call"

Array = npt.NDArray[np.float64]

# Float64 throughout: far above rounding, far below any mistake in a formula.
TOLERANCE = 1e-9


def sigmoid(h: Array) -> Array:
    """Return 1 / (1 + exp(-h))."""
    value: Array = 1 / (1 + np.exp(-h))
    return value


def random_pair(seed: int, size: int = 12) -> tuple[Array, Array]:
    """Return two strictly positive distributions on the same points: data, model."""
    rng = np.random.default_rng(seed)
    data, model = rng.gamma(0.7, size=(2, size)) + 1e-3
    return data / data.sum(), model / model.sum()


def d_loss(discriminator: Array, data: Array, model: Array) -> float:
    """Return L_D of a discriminator given by its values on the points."""
    return float(-(data * np.log(discriminator)).sum() - (model * np.log1p(-discriminator)).sum())


def kl(first: Array, second: Array) -> float:
    """Return KL(first || second) of two positive distributions."""
    return float((first * np.log(first / second)).sum())


# ---- 2.1 ------------------------------------------------------------------------------------


def test_minimax_gradient_in_the_logit_is_minus_d() -> None:
    """d/dh log(1 - sigma(h)) = -sigma(h), and d/dh -log sigma(h) = -(1 - sigma(h))."""
    h = sympy.Symbol("h", real=True)
    sigma = 1 / (1 + sympy.exp(-h))
    assert sympy.simplify(sympy.diff(sigma, h) - sigma * (1 - sigma)) == 0
    assert sympy.simplify(sympy.diff(sympy.log(1 - sigma), h) + sigma) == 0
    assert sympy.simplify(sympy.diff(-sympy.log(sigma), h) + (1 - sigma)) == 0
    assert sympy.limit(sympy.diff(sympy.log(1 - sigma), h), h, -sympy.oo) == 0
    assert sympy.limit(sympy.diff(-sympy.log(sigma), h), h, -sympy.oo) == -1
    d = sympy.Symbol("D")
    assert sympy.limit(sympy.diff(sympy.log(1 - d), d), d, 0) == -1


def generator_gradients(shift: float) -> tuple[Tensor, Tensor, float, float]:
    """Return what 2.1 speaks of, for a small random generator and discriminator.

    Args:
        shift: taken off the discriminator's logits; a large one recognises every fake.

    Returns:
        The gradients of the minimax and of the non-saturating loss with respect to theta (each
        flattened), the largest D(G(z)), and the mean over z of the norm of dh/dtheta.
    """
    generator = torch.Generator().manual_seed(1)
    theta = torch.randn(6, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    w = torch.randn(8, 6, generator=generator, dtype=torch.float64)
    v = torch.randn(8, generator=generator, dtype=torch.float64)
    z = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    h = torch.tanh(torch.tanh(z @ theta.T) @ w.T) @ v - shift  # (20,)
    norms = [
        torch.autograd.grad(h_i, theta, retain_graph=True)[0].norm().item() for h_i in h.unbind()
    ]
    minimax = torch.log(1 - torch.sigmoid(h)).mean()
    nonsaturating = -torch.log(torch.sigmoid(h)).mean()
    (first,) = torch.autograd.grad(minimax, theta, retain_graph=True)
    (second,) = torch.autograd.grad(nonsaturating, theta)
    largest = torch.sigmoid(h).max().item()
    return first.flatten(), second.flatten(), largest, sum(norms) / len(norms)


@pytest.mark.parametrize("shift", [0.0, 5.0, 10.0, 20.0])
def test_minimax_gradient_is_bounded_by_d_and_vanishes(shift: float) -> None:
    """Its norm is at most delta * C, so it goes the way of D; C does not depend on the shift."""
    gradient, _, delta, c = generator_gradients(shift)
    assert gradient.norm().item() <= delta * c * (1 + TOLERANCE)
    assert c == pytest.approx(generator_gradients(0.0)[3], rel=1e-6)
    if shift >= 10:
        assert gradient.norm().item() < 0.01 * generator_gradients(0.0)[0].norm().item()
    assert sigmoid(np.array(-10.0)) < 1 / 20_000


def test_nonsaturating_gradient_has_the_other_weight() -> None:
    """Where D is near 0 the non-saturating gradient is that of minus the logit, at full size."""
    _, gradient, delta, c = generator_gradients(20.0)
    assert delta < 1e-5
    assert gradient.norm().item() > 0.05 * c


# ---- 3.1 ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_d_star_minimises_the_loss_on_random_discrete_distributions(seed: int) -> None:
    """No other discriminator has a smaller loss: not random ones, not small changes of D*."""
    data, model = random_pair(seed)
    best = data / (data + model)
    least = d_loss(best, data, model)
    rng = np.random.default_rng(seed + 1000)
    for _ in range(200):
        assert d_loss(rng.uniform(1e-6, 1 - 1e-6, data.size), data, model) > least
        nearby = sigmoid(np.log(best / (1 - best)) + 1e-2 * rng.standard_normal(data.size))
        assert d_loss(nearby, data, model) > least


def test_stationary_point_and_second_derivative() -> None:
    """f'(t) = 0 at a / (a + b) alone, and f'' is what the key says, a positive function."""
    a, b, t = sympy.symbols("a b t", positive=True)
    f = -a * sympy.log(t) - b * sympy.log(1 - t)
    first, second = sympy.diff(f, t), sympy.diff(f, t, 2)
    assert sympy.simplify(first - ((a + b) * t - a) / (t * (1 - t))) == 0
    (root,) = sympy.solve(first, t)
    assert sympy.simplify(root - a / (a + b)) == 0
    assert sympy.simplify(second - (a / t**2 + b / (1 - t) ** 2)) == 0


@pytest.mark.parametrize("seed", range(10))
def test_minimum_is_log_four_minus_twice_jensen_shannon(seed: int) -> None:
    """L_D[D*] = log 4 - 2 JSD, which lies between 0 and log 4."""
    data, model = random_pair(seed)
    mixture = (data + model) / 2
    divergence = (kl(data, mixture) + kl(model, mixture)) / 2
    assert 0 <= divergence <= math.log(2)
    least = d_loss(data / (data + model), data, model)
    assert least == pytest.approx(math.log(4) - 2 * divergence, abs=TOLERANCE)
    assert d_loss(np.full(data.size, 0.5), data, model) == pytest.approx(math.log(4))


def test_d_star_where_one_distribution_has_no_mass() -> None:
    """With only one density positive, f decreases to t = 1 or increases from t = 0."""
    t = np.linspace(0.001, 0.999, 999)
    assert (np.diff(-0.3 * np.log(t)) < 0).all()  # a > 0 = b
    assert (np.diff(-0.3 * np.log1p(-t)) > 0).all()  # a = 0 < b


# ---- 3.2 and 3.3 ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_logits_of_d_star_are_the_log_ratio(seed: int) -> None:
    """The logit whose sigmoid is D* is log p_data / p_theta, and sigma is one-to-one."""
    data, model = random_pair(seed)
    best = data / (data + model)
    np.testing.assert_allclose(
        np.log(best / (1 - best)), np.log(data / model), rtol=TOLERANCE, atol=TOLERANCE
    )
    np.testing.assert_allclose(sigmoid(np.log(data / model)), best, rtol=TOLERANCE, atol=0)
    d, h = sympy.Symbol("D", positive=True), sympy.Symbol("h", real=True)
    assert sympy.solve(sympy.Eq(1 / (1 + sympy.exp(-h)), d), h) == [sympy.log(-d / (d - 1))]


@pytest.mark.parametrize("seed", range(10))
def test_sum_of_losses_is_the_reverse_kl(seed: int) -> None:
    """With D = D*, minimax plus non-saturating loss is KL(p_theta || p_data), not the other."""
    data, model = random_pair(seed)
    best = data / (data + model)
    loss = float((model * np.log1p(-best)).sum() - (model * np.log(best)).sum())
    assert loss == pytest.approx(kl(model, data), abs=TOLERANCE)
    assert abs(loss - kl(data, model)) > 1e-3
    h = np.random.default_rng(seed).normal(size=50)
    np.testing.assert_allclose(
        np.log1p(-sigmoid(h)) - np.log(sigmoid(h)), -h, rtol=TOLERANCE, atol=TOLERANCE
    )


@pytest.mark.parametrize("seed", range(10))
def test_first_expectation_lies_between_minus_log_two_and_zero(seed: int) -> None:
    """E log(1 - D*) = KL(p_theta || m) - log 2, so no infinity can meet another."""
    data, model = random_pair(seed)
    data[:3] = 0  # the model has mass where the data have none
    data /= data.sum()
    value = float((model * np.log(model / (data + model))).sum())
    assert value == pytest.approx(kl(model, (data + model) / 2) - math.log(2), abs=TOLERANCE)
    assert -math.log(2) <= value <= 0


@pytest.mark.parametrize("seed", range(5))
def test_gradient_with_fixed_discriminator_is_that_of_the_kl(seed: int) -> None:
    """Holding D fixed at D* changes nothing in the generator's gradient."""
    data = torch.tensor(random_pair(seed)[0])
    theta = torch.randn(12, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    theta.requires_grad_()
    model = theta.softmax(0)
    (whole,) = torch.autograd.grad((model * (model / data).log()).sum(), theta)
    model = theta.softmax(0)
    logits = (data / model).log().detach()  # D* at this theta, held fixed
    (fixed,) = torch.autograd.grad((model * -logits).sum(), theta)
    torch.testing.assert_close(fixed, whole, rtol=TOLERANCE, atol=TOLERANCE)
    assert fixed.norm().item() > 1e-2


# ---- 3.4 ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_negative_log_likelihood_is_kl_plus_entropy(seed: int) -> None:
    """-E log p_theta = KL(p_data || p_theta) + H(p_data)."""
    data, model = random_pair(seed)
    likelihood = float((data * np.log(model)).sum())
    entropy = -float((data * np.log(data)).sum())
    assert -likelihood == pytest.approx(kl(data, model) + entropy, abs=TOLERANCE)


AXIS = np.linspace(-12, 12, 2401)
STEP = AXIS[1] - AXIS[0]


def normal(mean: float, deviation: float) -> Array:
    """Return log N(x | mean, deviation^2) on the axis."""
    value: Array = -(((AXIS - mean) / deviation) ** 2) / 2 - math.log(
        deviation * math.sqrt(2 * math.pi)
    )
    return value


TWO_MODES = np.logaddexp(normal(-2, 0.5), normal(2, 0.5)) - math.log(2)


def best_gaussian(forward: bool) -> tuple[float, float]:
    """Return |mean| and deviation of the Gaussian nearest to the two modes, on a grid."""
    found = (math.inf, 0.0, 0.0)
    for mean in np.arange(-3, 3.01, 0.1):
        for deviation in np.arange(0.3, 3.0, 0.05):
            model = normal(float(mean), float(deviation))
            first, second = (TWO_MODES, model) if forward else (model, TWO_MODES)
            value = float((np.exp(first) * (first - second)).sum() * STEP)
            found = min(found, (value, abs(float(mean)), float(deviation)))
    return found[1], found[2]


def test_forward_kl_covers_both_modes() -> None:
    """KL(p_data || p_theta) is smallest for mean 0 and variance 4.25, the data's own moments."""
    assert 2**2 + 0.5**2 == 4.25
    mean, deviation = best_gaussian(forward=True)
    assert mean == pytest.approx(0, abs=0.051)
    assert deviation == pytest.approx(math.sqrt(4.25), abs=0.026)


def test_reverse_kl_takes_one_mode() -> None:
    """KL(p_theta || p_data) is smallest near one of the two modes."""
    mean, deviation = best_gaussian(forward=False)
    assert mean == pytest.approx(2, abs=0.051)
    assert deviation == pytest.approx(0.5, abs=0.026)
