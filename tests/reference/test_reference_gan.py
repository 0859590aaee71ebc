"""The reference's GAN losses against closed forms, and the given networks."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from codebase import gan
from codebase.network import (
    ConditionalDiscriminator,
    ConditionalGenerator,
    Discriminator,
    Generator,
)
from tests.reference.tolerances import ATOL, ATOL32, RTOL, RTOL32

pytestmark = pytest.mark.usefixtures("seed")


class FixedGenerator(nn.Module):
    """Gives the same images whatever it is asked, through a parameter that gradients reach."""

    dim_z = 5

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.images = nn.Parameter(images)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the images, checking what was asked."""
        assert z.shape == (len(self.images), self.dim_z)
        assert y is None or y.shape == (len(self.images),)
        return self.images


class LinearDiscriminator(nn.Module):
    """h(x) = w^T x, plus the label's entry of b where there is a label."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.linspace(-1, 1, 10, dtype=weight.dtype))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Map images (B, 1, 28, 28) to logits (B,)."""
        h = x.flatten(1) @ self.weight
        return h if y is None else h + self.bias[y]


def loss_of(name: str, *inputs: object) -> Tensor:
    """Return a loss, on the CPU; the networks may be whatever can be called like one."""
    value: Tensor = getattr(gan, name)(*inputs, device="cpu")
    return value


@pytest.fixture
def fixed() -> tuple[FixedGenerator, LinearDiscriminator, Tensor, Tensor]:
    """A generator, a discriminator, six real images and their labels, in float64."""
    fake, real = torch.randn(2, 6, 1, 28, 28, dtype=torch.float64)
    weight = torch.randn(784, dtype=torch.float64) / 14
    labels = torch.tensor([0, 1, 9, 9, 4, 2])
    return FixedGenerator(fake), LinearDiscriminator(weight), real, labels


Fixed = tuple[FixedGenerator, LinearDiscriminator, Tensor, Tensor]


def direct_d_loss(h_real: Tensor, h_fake: Tensor) -> Tensor:
    """Return -mean log D(x) - mean log(1 - D(G(z))), as the handout writes it."""
    return -torch.sigmoid(h_real).log().mean() - (1 - torch.sigmoid(h_fake)).log().mean()


def test_nonsaturating_losses_are_the_handouts(fixed: Fixed) -> None:
    """Both losses of part 2.2 equal the handout's formula."""
    g, d, real, _ = fixed
    h_real, h_fake = d(real), d(g.images)
    torch.testing.assert_close(
        loss_of("loss_nonsaturating_d", g, d, real),
        direct_d_loss(h_real, h_fake),
        rtol=RTOL,
        atol=ATOL,
    )
    torch.testing.assert_close(
        loss_of("loss_nonsaturating_g", g, d, real),
        -torch.sigmoid(h_fake).log().mean(),
        rtol=RTOL,
        atol=ATOL,
    )


def test_conditional_losses_are_the_handouts(fixed: Fixed) -> None:
    """Both losses of part 4.2 equal the handout's formula, labels included."""
    g, d, real, labels = fixed
    h_real, h_fake = d(real, labels), d(g.images, labels)
    torch.testing.assert_close(
        loss_of("conditional_loss_nonsaturating_d", g, d, real, labels),
        direct_d_loss(h_real, h_fake),
        rtol=RTOL,
        atol=ATOL,
    )
    torch.testing.assert_close(
        loss_of("conditional_loss_nonsaturating_g", g, d, real, labels),
        -torch.sigmoid(h_fake).log().mean(),
        rtol=RTOL,
        atol=ATOL,
    )


def test_wasserstein_losses_of_a_linear_critic_in_closed_form(fixed: Fixed) -> None:
    """A linear critic's gradient is w everywhere, so loss and gradient follow by hand."""
    g, d, real, _ = fixed
    w, fake = d.weight.detach(), g.images.detach()
    norm = w.norm()
    difference = fake.flatten(1).mean(0) - real.flatten(1).mean(0)
    loss = loss_of("loss_wasserstein_gp_d", g, d, real)
    torch.testing.assert_close(
        loss.detach(), difference @ w + 10 * (norm - 1) ** 2, rtol=RTOL, atol=ATOL
    )
    (gradient,) = torch.autograd.grad(loss, d.weight)
    torch.testing.assert_close(
        gradient, difference + 20 * (norm - 1) * w / norm, rtol=RTOL, atol=ATOL
    )
    torch.testing.assert_close(
        loss_of("loss_wasserstein_gp_g", g, d, real).detach(),
        -(fake.flatten(1) @ w).mean(),
        rtol=RTOL,
        atol=ATOL,
    )


def test_penalty_is_taken_between_the_images_with_one_weight_per_pair() -> None:
    """For D(x) = |x|^2 / 2 the gradient is the interpolate itself, which shows the weights."""
    # Along one pixel from 0 (real) to 1 (fake), the interpolate is the weight alone.
    fake, real = torch.zeros(2, 4000, 1, 28, 28)
    fake[:, 0, 5, 5] = 1

    def half_square(x: Tensor) -> Tensor:
        return x.flatten(1).square().sum(1) / 2

    loss = loss_of("loss_wasserstein_gp_d", FixedGenerator(fake), half_square, real).detach()
    # D(fake) - D(real) = 1/2 and the penalty is E (U - 1)^2 = 1/3, with variance 4/45: 6 standard
    # errors of a mean over 4,000, false alarm below 1e-8. One weight for all would miss mostly.
    assert abs(float(loss) - 0.5 - 10 / 3) < 10 * 6 * math.sqrt(4 / 45 / 4000)


def _losses(batch: int, device: str) -> dict[str, tuple[Tensor, nn.Module]]:
    """Return each of the six losses on the given networks, with the network it trains."""
    x = torch.randn(batch, 1, 28, 28, device=device)
    y = torch.arange(batch, device=device) % 10
    g, d = Generator().to(device), Discriminator().to(device)
    cg, cd = ConditionalGenerator().to(device), ConditionalDiscriminator().to(device)
    return {
        "2.2 d": (gan.loss_nonsaturating_d(g, d, x, device=device), d),
        "2.2 g": (gan.loss_nonsaturating_g(g, d, x, device=device), g),
        "4.2 d": (gan.conditional_loss_nonsaturating_d(cg, cd, x, y, device=device), cd),
        "4.2 g": (gan.conditional_loss_nonsaturating_g(cg, cd, x, y, device=device), cg),
        "5.5 d": (gan.loss_wasserstein_gp_d(g, d, x, device=device), d),
        "5.5 g": (gan.loss_wasserstein_gp_g(g, d, x, device=device), g),
    }


def test_losses_are_scalars_whose_gradients_reach_the_trained_network() -> None:
    """On the given networks each loss is a finite 0-d tensor that trains its own network."""
    for name, (loss, network) in _losses(4, "cpu").items():
        assert loss.shape == (), name
        assert torch.isfinite(loss), name
        gradients = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
        reached = [gradient is not None and bool(gradient.any()) for gradient in gradients]
        # The Wasserstein loss does not depend on the critic's last bias, nor do the biases
        # before a batch normalisation matter; their gradients are zero up to rounding.
        assert sum(reached) >= len(reached) - 2, name


def test_losses_make_their_tensors_on_the_given_device() -> None:
    """On torch's meta device a tensor made elsewhere would raise."""
    for name, (loss, _) in _losses(4, "meta").items():
        assert loss.device.type == "meta", name


@pytest.mark.parametrize("logit", [100.0, -100.0])
def test_losses_stay_finite_at_extreme_logits(logit: float) -> None:
    """Where log(sigmoid) overflows in float32, the reference is finite and right."""
    real = torch.zeros(3, 1, 28, 28)
    g = FixedGenerator(torch.zeros(3, 1, 28, 28))

    def constant(x: Tensor, y: Tensor | None = None) -> Tensor:
        return x.flatten(1).sum(1) + logit

    y = torch.zeros(3, dtype=torch.int64)
    for loss in (
        loss_of("loss_nonsaturating_d", g, constant, real),
        loss_of("conditional_loss_nonsaturating_d", g, constant, real, y),
    ):
        torch.testing.assert_close(loss.item(), 100.0, rtol=RTOL32, atol=ATOL32)
    for loss in (
        loss_of("loss_nonsaturating_g", g, constant, real),
        loss_of("conditional_loss_nonsaturating_g", g, constant, real, y),
    ):
        torch.testing.assert_close(loss.item(), max(-logit, 0.0), rtol=RTOL32, atol=ATOL32)


# ---- the given networks ---------------------------------------------------------------------


def test_given_networks_have_the_handouts_shapes() -> None:
    """Generators give (B, 1, 28, 28), discriminators (B,)."""
    z, y = torch.randn(3, 64), torch.tensor([0, 5, 9])
    images = Generator()(z)
    assert images.shape == ConditionalGenerator()(z, y).shape == (3, 1, 28, 28)
    assert Discriminator()(images).shape == ConditionalDiscriminator()(images, y).shape == (3,)


def test_conditional_discriminator_picks_the_entry_of_the_label() -> None:
    """Its logit is the label's row of the last linear layer, as derived in part 4.1."""
    d, x, y = ConditionalDiscriminator(), torch.randn(3, 1, 28, 28), torch.tensor([7, 0, 3])
    last = d.net[-1]
    assert isinstance(last, nn.Linear)
    features = d.net[:-1](x)
    expected = (features * last.weight[y]).sum(1) + last.bias[y]
    torch.testing.assert_close(d(x, y), expected, rtol=RTOL32, atol=ATOL32)


def test_conditional_generator_listens_to_its_label() -> None:
    """The same latent with another label gives another image."""
    g, z = ConditionalGenerator().eval(), torch.randn(1, 64).repeat(2, 1)
    first, second = g(z, torch.tensor([0, 1]))
    assert (first - second).abs().max().item() > 1e-3
