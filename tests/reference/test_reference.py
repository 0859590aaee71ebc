"""The reference solution against closed forms that share no code with it."""

# torch leaves backward and log_prob without annotations.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import (
    AffineTransform,
    Independent,
    MultivariateNormal,
    Normal,
    TransformedDistribution,
)

from codebase import gan
from codebase.flow_network import MADE, MAF, MaskedLinear, PermuteLayer
from codebase.network import (
    ConditionalDiscriminator,
    ConditionalGenerator,
    Discriminator,
    Generator,
)

REFERENCE = Path(__file__).resolve().parents[2] / "reference"

# Float64 throughout, so these are far above rounding and far below any mistake in a formula.
RTOL, ATOL = 1e-9, 1e-9
# For what runs through the given networks in float32.
RTOL32, ATOL32 = 1e-4, 1e-5

SHAPES = [(2, 2), (2, 7), (3, 4), (5, 2), (6, 9)]  # D, B; D > B among them


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Every test sees the same random numbers, whatever ran before it."""
    torch.manual_seed(236)


def random_made(dimensions: int) -> MADE:
    """A block whose mu and alpha depend clearly on the earlier variables."""
    made = MADE(dimensions, 24, 1).double()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.3)
    return made


def affine_made(mu: Tensor, alpha: Tensor) -> MADE:
    """A block that ignores its input: x_i = mu_i + z_i * exp(alpha_i) with constants."""
    made = MADE(len(mu), 4, 1).double()
    for parameter in made.parameters():
        nn.init.zeros_(parameter)
    output = made.net[-1]
    assert isinstance(output, MaskedLinear)
    output.bias.data.copy_(torch.cat([mu, alpha]))
    return made


@pytest.mark.parametrize(("dimensions", "batch"), SHAPES)
def test_inverse_undoes_forward(dimensions: int, batch: int) -> None:
    """inverse(forward(z)) is z, and the two log-determinants cancel."""
    made, z = random_made(dimensions), torch.randn(batch, dimensions, dtype=torch.float64)
    x, forward_log_det = made.forward(z)
    back, inverse_log_det = made.inverse(x)
    torch.testing.assert_close(back, z, rtol=RTOL, atol=ATOL)
    assert forward_log_det.shape == inverse_log_det.shape == (batch,)
    torch.testing.assert_close(forward_log_det, -inverse_log_det, rtol=RTOL, atol=ATOL)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
@pytest.mark.parametrize("dimensions", [2, 3, 6])
def test_jacobian_is_lower_triangular_with_the_reported_determinant(
    direction: str, dimensions: int
) -> None:
    """Autograd's Jacobian has zeros above the diagonal alone, and log_det is its own."""
    made = random_made(dimensions)
    point = torch.randn(dimensions, dtype=torch.float64)

    def at(point: Tensor) -> Tensor:
        output: Tensor = getattr(made, direction)(point.unsqueeze(0))[0]
        return output[0]

    jacobian = torch.autograd.functional.jacobian(at, point)
    below = jacobian[tuple(torch.tril_indices(dimensions, dimensions))]
    torch.testing.assert_close(jacobian.triu(1), torch.zeros_like(jacobian), rtol=0, atol=0)
    assert (below.abs() > 1e-6).all()
    log_det = getattr(made, direction)(point.unsqueeze(0))[1]
    torch.testing.assert_close(
        log_det[0], torch.linalg.slogdet(jacobian).logabsdet, rtol=RTOL, atol=ATOL
    )


def test_forward_follows_the_formula_for_constant_mu_and_alpha() -> None:
    """With mu and alpha fixed, x = mu + z * exp(alpha) in closed form."""
    mu, alpha = torch.tensor([[0.3, -1.0, 2.0], [-0.5, 0.7, 0.1]], dtype=torch.float64)
    z = torch.randn(5, 3, dtype=torch.float64)
    x, log_det = affine_made(mu, alpha).forward(z)
    torch.testing.assert_close(x, mu + z * alpha.exp(), rtol=RTOL, atol=ATOL)
    torch.testing.assert_close(log_det, alpha.sum().expand(5), rtol=RTOL, atol=ATOL)


@pytest.mark.parametrize(("dimensions", "batch"), SHAPES)
def test_log_probs_of_one_block_is_the_product_of_conditionals(dimensions: int, batch: int) -> None:
    """One MADE block is a product of Gaussians, as torch.distributions computes it."""
    maf = MAF(dimensions, 24, 1, 1).double()
    maf.nf[0] = made = random_made(dimensions)
    x = torch.randn(batch, dimensions, dtype=torch.float64)
    output = made.net(x)
    mu, alpha = output[:, :dimensions], output[:, dimensions:]
    expected = Independent(Normal(mu, alpha.exp()), 1).log_prob(x).mean()
    torch.testing.assert_close(maf.log_probs(x), expected, rtol=RTOL, atol=ATOL)


def test_log_probs_of_three_affine_blocks_is_one_gaussian() -> None:
    """Blocks of constants and reversals make a Gaussian whose parameters follow by hand."""
    constants = torch.randn(3, 2, 4, dtype=torch.float64) / 2
    maf = MAF(4, 4, 1, 3).double()
    mean, log_std = torch.zeros(2, 4, dtype=torch.float64)
    for index in reversed(range(3)):  # samples walk from the last block to the first
        mu, alpha = constants[index]
        maf.nf[2 * index] = affine_made(mu, alpha)
        mean, log_std = mean.flip(0), log_std.flip(0)
        mean, log_std = mu + alpha.exp() * mean, log_std + alpha
    x = torch.randn(6, 4, dtype=torch.float64)
    expected = MultivariateNormal(mean, torch.diag(torch.exp(2 * log_std))).log_prob(x).mean()
    torch.testing.assert_close(maf.log_probs(x), expected, rtol=RTOL, atol=ATOL)
    base = Independent(Normal(torch.zeros_like(mean), torch.ones_like(mean)), 1)
    moved = TransformedDistribution(base, [AffineTransform(mean, log_std.exp(), event_dim=1)])
    torch.testing.assert_close(maf.loss(x), -moved.log_prob(x).mean(), rtol=RTOL, atol=ATOL)


def test_log_probs_integrates_to_one() -> None:
    """The density of a random flow, one point at a time, sums to one over a fine grid."""
    maf = MAF(2, 24, 1, 2).double()
    for parameter in maf.parameters():
        nn.init.normal_(parameter, std=0.2)
    maf.base_dist = Normal(0.0, 1.0, validate_args=False)  # its checks do not work under vmap
    axis = torch.linspace(-12, 12, 241, dtype=torch.float64)
    with torch.no_grad():
        log_density = torch.func.vmap(lambda point: maf.log_probs(point.unsqueeze(0)))(
            torch.cartesian_prod(axis, axis)
        )
    # The grid's own error is about 1e-5 for a density as smooth as this one.
    assert math.isclose(float(log_density.exp().sum()) * 0.1**2, 1.0, rel_tol=0, abs_tol=1e-3)


def test_gradients_of_the_loss_reach_every_parameter() -> None:
    """Each weight that its mask leaves on gets a gradient, and the input is left unchanged."""
    maf = MAF(3, 16, 1, 2)
    x = torch.randn(8, 3)
    before = x.clone()
    maf.loss(x).backward()
    assert all(parameter.grad is not None for parameter in maf.parameters())
    torch.testing.assert_close(x, before, rtol=0, atol=0)


def test_samples_are_a_numpy_array_that_the_flow_finds_likely() -> None:
    """`sample` walks the flow backwards: its samples go back to standard normal noise."""
    maf = MAF(2, 24, 1, 3)
    samples = torch.from_numpy(maf.sample("cpu", 4000))
    assert samples.shape == (4000, 2)
    with torch.no_grad():
        z = samples
        for block in maf.nf:
            z, _ = block.inverse(z)  # type: ignore[operator]
    # Mean and variance of 8,000 normal numbers: 6 standard errors, false alarm below 1e-8.
    assert abs(float(z.mean())) < 6 / math.sqrt(8000)
    assert abs(float(z.var()) - 1) < 6 * math.sqrt(2 / 8000)


def test_permutation_reverses_the_columns_both_ways() -> None:
    """The given PermuteLayer reverses columns and has a log-determinant of zeros (B, 1)."""
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    for output, log_det in (PermuteLayer(3).forward(x), PermuteLayer(3).inverse(x)):
        torch.testing.assert_close(
            output, torch.tensor([[3.0, 2.0, 1.0], [6.0, 5.0, 4.0]]), rtol=0, atol=0
        )
        torch.testing.assert_close(log_det, torch.zeros(2, 1), rtol=0, atol=0)


# ---- the GAN losses -------------------------------------------------------------------------


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


def test_flow_makes_its_tensors_on_the_device_of_its_input() -> None:
    """On torch's meta device a tensor made elsewhere would raise."""
    maf = MAF(3, 8, 1, 2).to("meta")
    maf.base_dist = Normal(0.0, 1.0, validate_args=False)  # its checks need values
    x = torch.randn(4, 3, device="meta")
    assert maf.loss(x).device.type == "meta"
    assert maf.nf[0](x)[0].device.type == "meta"


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


def test_graded_files_import_torch_and_nothing_heavy() -> None:
    """Every grading worker imports them, so they may not pull in the drivers' libraries."""
    code = (
        "import sys, codebase.flow_network, codebase.gan\n"
        "heavy = {'matplotlib', 'sklearn', 'torchvision', 'scipy'} & sys.modules.keys()\n"
        "own = {name for name in sys.modules if name.startswith('codebase.')}\n"
        "print(sorted(heavy), sorted(own))"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", code], cwd=REFERENCE, capture_output=True, text=True, check=True
    )
    assert outcome.stdout.strip() == "[] ['codebase.flow_network', 'codebase.gan']"
