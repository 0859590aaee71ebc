"""The GAN oracles against torch autograd (second order too) and finite differences.

The torch side is written anew here, in float64. Both sides compute the same sums in another
order, so they agree to rtol 1e-9 / atol 1e-11; central differences of a step of 1e-6 are good to
rtol 1e-5 / atol 1e-7.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from autograder.homework.oracles import gan
from autograder.homework.problems.probe_networks import (
    Critic,
    Generator,
    Grads,
    LinearCritic,
    Rows,
    gradient_norms,
)

Array = NDArray[np.float64]

BATCH, DIM_Z = 5, 4


def assert_same(got: Array | float, wanted: Array | float, name: str = "") -> None:
    """Equal up to rounding in float64."""
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-11, err_msg=name)


def assert_slopes(got: Array, wanted: Array, name: str = "") -> None:
    """Equal up to the error of central differences."""
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-7, err_msg=name)


class Setting:
    """Probe networks, rows and labels in numpy, and the same networks in torch."""

    def __init__(self, conditional: bool) -> None:
        rng = np.random.default_rng(0)
        classes = 10 if conditional else 1
        self.generator = Generator(
            0.3 * rng.standard_normal((784, DIM_Z)),
            0.3 * rng.standard_normal(784),
            0.3 * rng.standard_normal((10, 784)) if conditional else None,
        )
        self.critic = Critic(
            0.1 * rng.standard_normal((12, 784)),
            0.3 * rng.standard_normal(12),
            rng.standard_normal((classes, 12)),
            rng.standard_normal(classes),
        )
        self.z = rng.standard_normal((BATCH, DIM_Z))
        # A label that occurs twice, so that gradients have to add up.
        self.labels = np.array([3, 0, 3, 9, 1]) if conditional else None
        self.x_real = rng.uniform(-1.0, 1.0, (BATCH, 784))
        self.x_fake = self.generator.images(self.z, self.labels)
        self.alpha = rng.random(BATCH)
        self.generator_leaves = {
            name: torch.tensor(array, requires_grad=True)
            for name, array in vars(self.generator).items()
            if array is not None
        }
        self.critic_leaves = {
            name: torch.tensor(array, requires_grad=True)
            for name, array in vars(self.critic).items()
        }

    def torch_images(self) -> Tensor:
        """The generator in torch."""
        leaves = self.generator_leaves
        images = functional.linear(torch.tensor(self.z), leaves["weight"], leaves["bias"])
        if self.labels is not None:
            images = images + functional.embedding(
                torch.tensor(self.labels), leaves["label_embedding"]
            )
        return images

    def torch_logits(self, x: Tensor) -> Tensor:
        """The critic in torch."""
        leaves = self.critic_leaves
        hidden = torch.tanh(functional.linear(x, leaves["w1"], leaves["b1"]))
        logits: Tensor = functional.linear(hidden, leaves["w2"], leaves["b2"])
        labels = torch.zeros(BATCH).long() if self.labels is None else torch.tensor(self.labels)
        return torch.gather(logits, 1, labels[:, None])[:, 0]

    def torch_norms(self, x: Tensor) -> Tensor:
        """Gradient norms that can be differentiated again."""
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self.torch_logits(x).sum(), x, create_graph=True)
        norms: Tensor = torch.linalg.vector_norm(gradient, dim=1)
        return norms

    def rows(self, x: Array) -> Rows:
        """x with this setting's labels."""
        return Rows(x, self.labels)


@pytest.fixture(params=[False, True], ids=["unconditional", "conditional"])
def setting(request: pytest.FixtureRequest) -> Setting:
    """The networks without and with labels."""
    return Setting(request.param)


def assert_gradients_match(got: Grads, scalar: Tensor, leaves: dict[str, Tensor]) -> None:
    """Every parameter's gradient is torch's."""
    expected = torch.autograd.grad(scalar, list(leaves.values()), allow_unused=True)
    assert got.keys() == leaves.keys()
    for (name, leaf), gradient in zip(leaves.items(), expected, strict=True):
        wanted = torch.zeros_like(leaf) if gradient is None else gradient
        assert_same(got[name], wanted.numpy(), name)


def differences(scalar: Callable[[Array], float], at: Array, step: float = 1e-6) -> Array:
    """The gradient of ``scalar`` at ``at`` by central differences."""
    result = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        there, back = at.copy(), at.copy()
        there[index] += step
        back[index] -= step
        result[index] = (scalar(there) - scalar(back)) / (2 * step)
    return result


def test_generator_matches_torch(setting: Setting) -> None:
    """Images and the gradients of a weighted sum of them are torch's."""
    images_bar = np.random.default_rng(1).standard_normal((BATCH, 784))
    images = setting.torch_images()
    assert_same(setting.x_fake, images.detach().numpy())
    got = setting.generator.vjp(setting.z, setting.labels, images_bar)
    scalar = (images * torch.tensor(images_bar)).sum()
    assert_gradients_match(got, scalar, setting.generator_leaves)


def test_critic_matches_torch(setting: Setting) -> None:
    """Logits, input gradients and the gradients of a weighted sum of logits are torch's."""
    logits_bar = np.random.default_rng(2).standard_normal(BATCH)
    x = torch.tensor(setting.x_real, requires_grad=True)
    logits = setting.torch_logits(x)
    got_logits = setting.critic.logits(setting.x_real, setting.labels)
    assert_same(got_logits, logits.detach().numpy())
    (by_input,) = torch.autograd.grad(logits.sum(), x, retain_graph=True)
    got_by_input = setting.critic.input_gradient(setting.x_real, setting.labels)
    assert_same(got_by_input, by_input.numpy())

    x_bar, grads = setting.critic.vjp(setting.x_real, setting.labels, logits_bar)
    assert_same(x_bar, logits_bar[:, None] * by_input.numpy())
    assert_gradients_match(grads, (logits * torch.tensor(logits_bar)).sum(), setting.critic_leaves)


def test_gradient_norm_vjp_matches_double_backward(setting: Setting) -> None:
    """The second-order gradients written by hand are those of torch's double backward."""
    norm_bar = np.random.default_rng(3).standard_normal(BATCH)
    norms = setting.torch_norms(torch.tensor(setting.x_real))
    got_norms = gradient_norms(setting.critic, setting.rows(setting.x_real))
    assert_same(got_norms, norms.detach().numpy())
    got = setting.critic.gradient_norm_vjp(setting.x_real, setting.labels, norm_bar)
    scalar = (norms * torch.tensor(norm_bar)).sum()
    assert_gradients_match(got, scalar, setting.critic_leaves)


def test_gradient_norm_vjp_matches_finite_differences() -> None:
    """The second-order gradients are the slopes of the norms, in a critic of 3 units."""
    rng = np.random.default_rng(4)
    x, labels = rng.uniform(-1.0, 1.0, (3, 784)), np.array([1, 0, 1])
    norm_bar = rng.standard_normal(3)
    # Three units see six pixels each: a difference for each of those weights suffices.
    w1 = np.zeros((3, 784))
    w1[:, :6] = rng.standard_normal((3, 6))
    arrays = {
        "w1": w1,
        "b1": rng.standard_normal(3),
        "w2": rng.standard_normal((2, 3)),
        "b2": rng.standard_normal(2),
    }
    got = Critic(**arrays).gradient_norm_vjp(x, labels, norm_bar)

    def scalar(name: str, array: Array) -> float:
        moved = dict(arrays)
        moved[name] = array
        if name == "w1":
            moved[name] = np.concatenate([array, w1[:, 6:]], axis=1)
        norms = np.linalg.norm(Critic(**moved).input_gradient(x, labels), axis=1)
        return float(norm_bar @ norms)

    for name, array in arrays.items():
        seen = array[:, :6] if name == "w1" else array
        wanted = differences(lambda moved, name=name: scalar(name, moved), seen)  # type: ignore[misc]
        ours = got[name][:, :6] if name == "w1" else got[name]
        assert_slopes(ours, wanted, name)


def test_gradient_norm_of_a_flat_critic_has_a_zero_gradient() -> None:
    """Where the gradient is 0 its norm's derivative is taken as 0, not NaN."""
    flat = Critic(np.zeros((3, 784)), np.zeros(3), np.ones((1, 3)), np.zeros(1))
    grads = flat.gradient_norm_vjp(np.ones((2, 784)), None, np.ones(2))
    assert all(np.array_equal(grad, np.zeros_like(grad)) for grad in grads.values())


def test_linear_critic_agrees_with_its_closed_form() -> None:
    """Logits, input gradient, vjp and gradient-norm vjp of w x + b are the obvious ones."""
    rng = np.random.default_rng(5)
    w, x, bar = rng.standard_normal(784), rng.standard_normal((3, 784)), rng.standard_normal(3)
    critic = LinearCritic(w, 0.7)
    leaf_w, leaf_b = torch.tensor(w, requires_grad=True), torch.tensor(0.7, requires_grad=True)
    leaf_x = torch.tensor(x, requires_grad=True)
    logits = leaf_x @ leaf_w + leaf_b.double()
    assert_same(critic.logits(x), x @ w + 0.7)
    np.testing.assert_array_equal(critic.input_gradient(x), np.stack([w, w, w]))
    scalar = (logits * torch.tensor(bar)).sum()
    by_w, by_x = torch.autograd.grad(scalar, [leaf_w, leaf_x])
    x_bar, grads = critic.vjp(x, None, bar)
    assert_same(x_bar, by_x.numpy())
    assert_same(grads["w"], by_w.numpy())
    assert_same(grads["b"], bar.sum())
    (by_norm,) = torch.autograd.grad(leaf_w.norm() * bar.sum(), leaf_w)
    norm_grads = critic.gradient_norm_vjp(x, None, bar)
    assert_same(norm_grads["w"], by_norm.numpy())
    np.testing.assert_array_equal(norm_grads["b"], 0.0)


def test_nonsaturating_d_matches_torch(setting: Setting) -> None:
    """Value and gradient of the discriminator's loss are those of binary cross entropy."""
    real, fake = setting.rows(setting.x_real), setting.rows(setting.x_fake)
    real_logits = setting.torch_logits(torch.tensor(real.x))
    fake_logits = setting.torch_logits(torch.tensor(fake.x))
    bce = functional.binary_cross_entropy_with_logits
    loss = bce(real_logits, torch.ones(BATCH).double()) + bce(
        fake_logits, torch.zeros(BATCH).double()
    )
    got = gan.nonsaturating_d(real_logits.detach().numpy(), fake_logits.detach().numpy())
    assert_same(got.value, loss.item())
    grads = gan.critic_gradient(setting.critic, got, real=real, fake=fake)
    assert_gradients_match(grads, loss, setting.critic_leaves)


def test_nonsaturating_g_matches_torch(setting: Setting) -> None:
    """Value and gradient of the generator's loss are those of binary cross entropy."""
    logits = setting.torch_logits(setting.torch_images())
    loss = -functional.logsigmoid(logits).mean()
    got = gan.nonsaturating_g(logits.detach().numpy())
    assert_same(got.value, loss.item())
    grads = gan.generator_gradient(
        setting.generator, setting.critic, got, setting.z, setting.labels
    )
    assert_gradients_match(grads, loss, setting.generator_leaves)


@pytest.mark.parametrize("lam", [10.0, 0.5])
def test_wasserstein_d_matches_torch(setting: Setting, lam: float) -> None:
    """Value and gradient of the critic's loss, penalty included, are torch's."""
    between = gan.interpolates(setting.x_real, setting.x_fake, setting.alpha)
    real, fake = torch.tensor(setting.x_real), torch.tensor(setting.x_fake)
    mixed = torch.lerp(real, fake, torch.tensor(setting.alpha)[:, None])
    assert_same(between, mixed.numpy())
    norms = setting.torch_norms(mixed)
    real_logits, fake_logits = setting.torch_logits(real), setting.torch_logits(fake)
    loss = fake_logits.mean() - real_logits.mean() + lam * ((norms - 1) ** 2).mean()
    got = gan.wasserstein_d(
        real_logits.detach().numpy(), fake_logits.detach().numpy(), norms.detach().numpy(), lam
    )
    assert_same(got.value, loss.item())
    grads = gan.critic_gradient(
        setting.critic,
        got,
        real=setting.rows(setting.x_real),
        fake=setting.rows(setting.x_fake),
        between=setting.rows(between),
    )
    assert_gradients_match(grads, loss, setting.critic_leaves)


def test_wasserstein_g_matches_torch(setting: Setting) -> None:
    """Value and gradient of the generator's Wasserstein loss are torch's."""
    logits = setting.torch_logits(setting.torch_images())
    loss = -logits.mean()
    got = gan.wasserstein_g(logits.detach().numpy())
    assert_same(got.value, loss.item())
    grads = gan.generator_gradient(
        setting.generator, setting.critic, got, setting.z, setting.labels
    )
    assert_gradients_match(grads, loss, setting.generator_leaves)


def test_lambda_is_ten_by_default() -> None:
    """The penalty of norms 3 is 10 (3 - 1)^2 = 40."""
    assert gan.wasserstein_d(np.zeros(2), np.zeros(2), np.full(2, 3.0)).value == 40.0


def test_derivatives_of_every_loss_match_finite_differences() -> None:
    """real_bar, fake_bar and norm_bar are the slopes of the value, for batches of other sizes."""
    rng = np.random.default_rng(6)
    real, fake, norms = rng.standard_normal(3), rng.standard_normal(4), rng.uniform(0.3, 3.0, 5)
    losses: list[tuple[Callable[[Array, Array, Array], gan.Loss], str]] = [
        (lambda r, f, n: gan.nonsaturating_d(r, f), "rf"),
        (lambda r, f, n: gan.nonsaturating_g(f), "f"),
        (lambda r, f, n: gan.wasserstein_d(r, f, n), "rfn"),
        (lambda r, f, n: gan.wasserstein_g(f), "f"),
    ]
    for compute, uses in losses:
        loss = compute(real, fake, norms)
        by_real = differences(lambda at, c=compute: c(at, fake, norms).value, real)  # type: ignore[misc]
        by_fake = differences(lambda at, c=compute: c(real, at, norms).value, fake)  # type: ignore[misc]
        by_norm = differences(lambda at, c=compute: c(real, fake, at).value, norms)  # type: ignore[misc]
        for letter, got, wanted in (
            ("r", loss.real_bar, by_real),
            ("f", loss.fake_bar, by_fake),
            ("n", loss.norm_bar, by_norm),
        ):
            if letter in uses:
                assert_slopes(got, wanted)
            else:
                assert got.size == 0


def test_losses_stay_finite_at_extreme_logits() -> None:
    """At logits of +-1000 the losses are 2000 and 1000, not infinite."""
    huge = np.array([1000.0])
    assert gan.nonsaturating_d(-huge, huge).value == 2000.0
    assert gan.nonsaturating_g(-huge).value == 1000.0
    assert gan.sigmoid(-huge)[0] == 0.0
    assert gan.sigmoid(huge)[0] == 1.0
    assert gan.softplus(np.zeros(1))[0] == pytest.approx(math.log(2.0), rel=1e-15)


def test_conditional_networks_need_labels() -> None:
    """Leaving out the labels is an error with a clear message."""
    setting = Setting(conditional=True)
    with pytest.raises(ValueError, match="without labels"):
        setting.generator.images(setting.z)
    with pytest.raises(ValueError, match="without labels"):
        setting.critic.logits(setting.x_real)


def test_critic_gradient_rejects_rows_that_do_not_fit_the_loss() -> None:
    """Missing rows, a wrong number of rows and no rows at all are errors."""
    setting = Setting(conditional=False)
    loss = gan.nonsaturating_d(np.zeros(BATCH), np.zeros(BATCH))
    real = setting.rows(setting.x_real)
    with pytest.raises(ValueError, match="fake: the loss was computed from 5 rows, got 0"):
        gan.critic_gradient(setting.critic, loss, real=real)
    with pytest.raises(ValueError, match="real: the loss was computed from 5 rows, got 2"):
        gan.critic_gradient(setting.critic, loss, real=Rows(setting.x_real[:2]), fake=real)
    with pytest.raises(ValueError, match="at least one of"):
        gan.critic_gradient(setting.critic, gan.Loss(0.0))
