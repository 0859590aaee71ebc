"""The written key's claims on discriminators and critics (problems 4 and 5), each checked."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import sympy
import torch

from codebase.network import ConditionalDiscriminator

Array = npt.NDArray[np.float64]

TOLERANCE = 1e-9  # in float64
CLASSES, FEATURES = 5, 3

# ---- 4.1 ------------------------------------------------------------------------------------


def log_normal(u: Array, mean: Array) -> Array:
    """Return log N(u | mean, I) of each row, constants included."""
    value: Array = -((u - mean) ** 2).sum(axis=1) / 2 - u.shape[1] / 2 * math.log(2 * math.pi)
    return value


def means(seed: int) -> tuple[Array, Array]:
    """Return mu and mu-hat of each class, (CLASSES, FEATURES) each."""
    first, second = np.random.default_rng(seed).normal(size=(2, CLASSES, FEATURES))
    return first, second


@pytest.mark.parametrize("seed", range(5))
def test_a_and_b_are_recovered_from_the_gaussians(seed: int) -> None:
    """A least-squares fit to the log-ratios of each class finds the key's A and b, exactly."""
    mu, mu_hat = means(seed)
    u = np.random.default_rng(seed + 100).normal(size=(40, FEATURES))
    design = np.hstack([u, np.ones((40, 1))])
    a, b = np.empty((CLASSES, FEATURES)), np.empty(CLASSES)
    for y in range(CLASSES):
        ratio = log_normal(u, mu[y]) - log_normal(u, mu_hat[y])
        solution, residual, *_ = np.linalg.lstsq(design, ratio, rcond=None)
        assert residual.sum() < 1e-18  # it is affine: the fit is exact
        a[y], b[y] = solution[:-1], solution[-1]
    np.testing.assert_allclose(a, mu - mu_hat, rtol=TOLERANCE, atol=TOLERANCE)
    expected = ((mu_hat**2).sum(axis=1) - (mu**2).sum(axis=1)) / 2
    np.testing.assert_allclose(b, expected, rtol=TOLERANCE, atol=TOLERANCE)
    for y, one_hot in enumerate(np.eye(CLASSES)):
        logits = (u @ a.T + b) @ one_hot  # y^T (A phi(x) + b) of every row
        joint = (log_normal(u, mu[y]) - math.log(CLASSES)) - (
            log_normal(u, mu_hat[y]) - math.log(CLASSES)
        )
        np.testing.assert_allclose(logits, joint, rtol=TOLERANCE, atol=TOLERANCE)


def test_log_ratio_of_unit_gaussians_is_affine() -> None:
    """In symbols: the quadratic terms cancel and leave (mu - mu-hat) u + (mu-hat^2 - mu^2) / 2."""
    u, mu, mu_hat = (sympy.symbols(f"{name}1:4", real=True) for name in ("u", "m", "n"))
    triples = list(zip(u, mu, mu_hat, strict=True))
    ratio = sum(-((x - m) ** 2) / 2 + (x - n) ** 2 / 2 for x, m, n in triples)
    key = sum((m - n) * x + (n**2 - m**2) / 2 for x, m, n in triples)
    assert sympy.expand(ratio - key) == 0


def test_unequal_priors_only_move_the_bias() -> None:
    """With other class frequencies b gains log p_data(y) / p_theta(y), and A stays."""
    mu, mu_hat = means(0)
    rng = np.random.default_rng(1)
    u, y = rng.normal(size=(40, FEATURES)), 2
    data, model = rng.dirichlet(np.ones(CLASSES), size=2)
    joint = log_normal(u, mu[y]) + np.log(data[y]) - log_normal(u, mu_hat[y]) - np.log(model[y])
    b = ((mu_hat[y] ** 2).sum() - (mu[y] ** 2).sum()) / 2 + np.log(data[y] / model[y])
    np.testing.assert_allclose(u @ (mu[y] - mu_hat[y]) + b, joint, rtol=TOLERANCE, atol=TOLERANCE)


def test_unequal_covariances_leave_a_quadratic_term() -> None:
    """With another variance the log-ratio is no affine function of the features."""
    u = np.linspace(-2, 2, 9)
    ratio = -(u**2) / 2 + u**2 / (2 * 1.5**2)
    assert abs(np.diff(ratio, 2)).max() > 0.01
    equal = -((u - 1) ** 2) / 2 + (u + 1) ** 2 / 2
    assert abs(np.diff(equal, 2)).max() < TOLERANCE


def test_given_conditional_discriminator_has_the_form() -> None:
    """The last layer is A and b, phi the layers before, and y is applied as a one-hot vector."""
    torch.manual_seed(0)
    d, x, y = ConditionalDiscriminator(), torch.randn(4, 1, 28, 28), torch.tensor([3, 0, 9, 3])
    last = d.net[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        all_classes = d.net[:-1](x) @ last.weight.T + last.bias  # (4, 10)
        one_hot = torch.nn.functional.one_hot(y, 10).float()
        torch.testing.assert_close(
            d(x, y), (one_hot * all_classes).sum(dim=1), rtol=1e-4, atol=1e-5
        )


# ---- 5.1 and 5.2 ----------------------------------------------------------------------------

THETA, THETA_0, X = sympy.symbols("theta theta_0 x", real=True)
EPSILON = sympy.Symbol("epsilon", positive=True)
KEY_KL = (THETA - THETA_0) ** 2 / (2 * EPSILON**2)
LOG_RATIO = ((X - THETA_0) ** 2 - (X - THETA) ** 2) / (2 * EPSILON**2)


def test_kl_of_two_gaussians_symbolically() -> None:
    """The log-ratio factors as in the key, and the integral over p_theta gives the result."""
    factored = (THETA - THETA_0) * (2 * X - THETA - THETA_0) / (2 * EPSILON**2)
    assert sympy.simplify(LOG_RATIO - factored) == 0
    density = sympy.exp(-((X - THETA) ** 2) / (2 * EPSILON**2)) / (
        EPSILON * sympy.sqrt(2 * sympy.pi)
    )
    integral = sympy.integrate(sympy.expand(LOG_RATIO) * density, (X, -sympy.oo, sympy.oo))
    assert sympy.simplify(integral - KEY_KL) == 0


@pytest.mark.parametrize(("theta", "epsilon"), [(0.5, 1.0), (-1.0, 0.3), (2.0, 0.05)])
def test_kl_of_two_gaussians_by_quadrature(theta: float, epsilon: float) -> None:
    """The definition, integrated numerically, agrees, and is the same in either direction."""
    theta_0 = 0.7
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)  # for the weight exp(-t^2 / 2)
    for first, second in ((theta, theta_0), (theta_0, theta)):
        x = first + epsilon * nodes
        ratio = ((x - second) ** 2 - (x - first) ** 2) / (2 * epsilon**2)
        value = float((weights * ratio).sum() / math.sqrt(2 * math.pi))
        assert value == pytest.approx((theta - theta_0) ** 2 / (2 * epsilon**2), rel=1e-9)


def test_kl_and_its_derivative_blow_up() -> None:
    """As epsilon goes to 0 both are infinite, the derivative with the sign of theta - theta_0."""
    derivative = sympy.diff(KEY_KL, THETA)
    assert sympy.simplify(derivative - (THETA - THETA_0) / EPSILON**2) == 0
    for theta, sign in ((2, 1), (-3, -1)):
        here = {THETA: theta, THETA_0: sympy.Rational(1, 2)}
        assert sympy.limit(KEY_KL.subs(here), EPSILON, 0, "+") == sympy.oo
        assert sympy.limit(derivative.subs(here), EPSILON, 0, "+") == sign * sympy.oo


@pytest.mark.parametrize("epsilon", [1.0, 0.1, 0.01])
@pytest.mark.parametrize(("factor", "converges"), [(0.5, True), (1.9, True), (2.1, False)])
def test_descent_converges_below_twice_the_variance_only(
    factor: float, converges: bool, epsilon: float
) -> None:
    """Gradient descent on the KL with step eta converges if and only if eta < 2 epsilon^2."""
    theta, theta_0, eta = 1.5, 0.5, factor * epsilon**2
    for _ in range(200):
        theta -= eta * (theta - theta_0) / epsilon**2
    assert (abs(theta - theta_0) < 1e-6) == converges
    assert converges or abs(theta - theta_0) > 1e6


def test_optimal_logits_of_the_gaussians_become_steep() -> None:
    """h* is minus the log-ratio of 5.1, and its slope (theta_0 - theta) / epsilon^2 diverges."""
    key = (THETA_0 - THETA) * (2 * X - THETA - THETA_0) / (2 * EPSILON**2)
    assert sympy.simplify(key + LOG_RATIO) == 0
    slope = sympy.diff(key, X)
    assert sympy.simplify(slope - (THETA_0 - THETA) / EPSILON**2) == 0
    assert sympy.limit(slope.subs({THETA: 0, THETA_0: 1}), EPSILON, 0, "+") == sympy.oo


# ---- 5.3 and 5.4 ----------------------------------------------------------------------------

POINTS = [(0.0, 1.0), (1.0, 0.0), (-2.0, 3.5), (0.3, 0.2)]  # theta, theta_0
Critic = Callable[[float], float]


def critic_loss(critic: Critic, theta: float, theta_0: float) -> float:
    """Return L_D of point masses in theta and theta_0."""
    return critic(theta) - critic(theta_0)


def scaled_critic(c: float, theta: float, theta_0: float) -> Critic:
    """Return the key's critic D_c."""
    return lambda x: c * (theta_0 - theta) * (x - theta_0)


@pytest.mark.parametrize(("theta", "theta_0"), POINTS)
def test_critic_loss_is_unbounded_below(theta: float, theta_0: float) -> None:
    """The key's critic D_c has the loss -c (theta - theta_0)^2, below any bound for large c."""
    for c in (1.0, 1e3, 1e9):
        loss = critic_loss(scaled_critic(c, theta, theta_0), theta, theta_0)
        assert loss == pytest.approx(-c * (theta - theta_0) ** 2, rel=1e-9)
    assert loss < -1e6


@pytest.mark.parametrize(("theta", "theta_0"), POINTS)
@pytest.mark.parametrize("critic", [math.sin, abs, lambda x: -1e6 * x**3, lambda x: 7.0])
def test_any_critic_is_beaten(critic: Critic, theta: float, theta_0: float) -> None:
    """Whatever the critic, some D_c has a smaller loss."""
    loss = critic_loss(critic, theta, theta_0)
    c = (abs(loss) + 1) / (theta - theta_0) ** 2
    assert critic_loss(scaled_critic(c, theta, theta_0), theta, theta_0) < loss


def random_critic(seed: int) -> tuple[Critic, Critic]:
    """Return a differentiable function with slope between -1 and 1, and its derivative."""
    rng = np.random.default_rng(seed)
    amplitude, frequency = rng.dirichlet(np.ones(4)), rng.uniform(0.05, 4, size=4)
    phase, tilt = rng.uniform(0, 2 * math.pi, size=4), rng.uniform(0, 1)
    sign = rng.choice([-1, 1])

    def value(x: float) -> float:
        waves = (amplitude / frequency * np.sin(frequency * x + phase)).sum()
        return float(tilt * sign * x + (1 - tilt) * waves)

    def slope(x: float) -> float:
        return float(tilt * sign + (1 - tilt) * (amplitude * np.cos(frequency * x + phase)).sum())

    return value, slope


@pytest.mark.parametrize(("theta", "theta_0"), POINTS)
def test_no_critic_of_bounded_slope_is_below_the_distance(theta: float, theta_0: float) -> None:
    """Random critics of the class never fall below -|theta - theta_0|, the Wasserstein distance."""
    for seed in range(200):
        critic, slope = random_critic(seed)
        assert max(abs(slope(x)) for x in np.linspace(-5, 5, 41)) <= 1
        assert critic_loss(critic, theta, theta_0) >= -abs(theta - theta_0) - TOLERANCE


@pytest.mark.parametrize(("theta", "theta_0"), POINTS)
def test_straight_critic_attains_the_distance(theta: float, theta_0: float) -> None:
    """Slope +1 where the data lie to the right, -1 to the left, gives -|theta - theta_0|."""
    s = 1 if theta < theta_0 else -1
    assert critic_loss(lambda x: s * x + 3, theta, theta_0) == pytest.approx(-abs(theta - theta_0))
    wrong = critic_loss(lambda x: -s * x, theta, theta_0)
    assert wrong == pytest.approx(abs(theta - theta_0))


def test_critic_that_bends_between_the_points_is_worse() -> None:
    """Flat anywhere in between loses exactly that length; bends outside cost nothing."""
    theta, theta_0 = 0.0, 2.0
    flat = critic_loss(lambda x: min(x, 0.5) + max(x - 1.0, 0.0), theta, theta_0)
    assert flat == pytest.approx(-2 + 0.5)
    outside = critic_loss(lambda x: min(max(x, -0.1), 2.1), theta, theta_0)
    assert outside == pytest.approx(-2)


@pytest.mark.parametrize(("theta", "theta_0"), POINTS)
def test_generator_moves_towards_the_data_with_unit_slope(theta: float, theta_0: float) -> None:
    """-D*(theta) has the derivative -s, so a step of descent shortens the distance by its size."""
    s = 1 if theta < theta_0 else -1
    here = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    (-(s * here)).backward()  # type: ignore[no-untyped-call]
    assert here.grad is not None
    assert here.grad.item() == -s
    moved = theta - 0.01 * here.grad.item()
    assert abs(moved - theta_0) == pytest.approx(abs(theta - theta_0) - 0.01)


def test_strictly_smaller_slope_does_not_attain_the_distance() -> None:
    """Slopes k < 1 come as close as one likes, and none arrives."""
    theta, theta_0 = 0.0, 1.0
    slopes = (0.9, 0.99, 0.999999)
    # With the points a distance of 1 apart, D_k has the slope k.
    losses = [critic_loss(scaled_critic(k, theta, theta_0), theta, theta_0) for k in slopes]
    assert losses == sorted(losses, reverse=True)
    assert all(loss > -1 for loss in losses)
    assert losses[-1] == pytest.approx(-1, abs=1e-5)
