"""The reference's flow against closed forms that share no code with it, and its imports."""

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

from codebase.flow_network import MADE, MAF, MaskedLinear, PermuteLayer
from tests.reference.tolerances import ATOL, RTOL

REFERENCE = Path(__file__).resolve().parents[2] / "reference"

SHAPES = [(2, 2), (2, 7), (3, 4), (5, 2), (6, 9)]  # D, B; D > B among them

pytestmark = pytest.mark.usefixtures("seed")


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


def test_flow_makes_its_tensors_on_the_device_of_its_input() -> None:
    """On torch's meta device a tensor made elsewhere would raise."""
    maf = MAF(3, 8, 1, 2).to("meta")
    maf.base_dist = Normal(0.0, 1.0, validate_args=False)  # its checks need values
    x = torch.randn(4, 3, device="meta")
    assert maf.loss(x).device.type == "meta"
    assert maf.nf[0](x)[0].device.type == "meta"


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
