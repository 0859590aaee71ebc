"""The reference flow against zuko, an independent library of flows, given the same weights.

zuko builds its own masked networks, composes its own transforms, and inverts them by itself; only
the weights are copied, and the univariate map is the handout's z = (x - mu) / exp(alpha).
"""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.distributions.transforms import AffineTransform, Transform

from codebase.flow_network import MADE, MAF, MaskedLinear

zuko = pytest.importorskip("zuko", reason="zuko is a development extra")

# Float64: composing five blocks and inverting them loses a few digits, no more.
RTOL, ATOL = 1e-9, 1e-9


def handouts_map(mu: Tensor, alpha: Tensor) -> Transform:
    """Return x -> (x - mu) / exp(alpha)."""
    return AffineTransform(mu, alpha.exp()).inv


def zuko_block(made: MADE) -> nn.Module:
    """Return zuko's masked autoregressive transform with the weights of a MADE block."""
    d = made.input_size
    block: nn.Module = zuko.flows.MaskedAutoregressiveTransform(
        features=d,
        hidden_features=[made.hidden_size] * (made.n_hidden + 1),
        univariate=handouts_map,
        shapes=((), ()),
    ).double()
    theirs = [layer for layer in block.modules() if isinstance(layer, zuko.nn.MaskedLinear)]
    ours = [layer for layer in made.net if isinstance(layer, MaskedLinear)]
    assert len(theirs) == len(ours)
    # Ours lists mu_1 .. mu_D, alpha_1 .. alpha_D; zuko mu_1, alpha_1, mu_2, alpha_2, ...
    pairs = torch.arange(2 * d).reshape(2, d).T.flatten()
    for layer, source in zip(theirs, ours, strict=True):
        rows = pairs if source is ours[-1] else torch.arange(source.out_features)
        assert torch.equal(layer.mask.double(), source.mask[rows])  # zuko's own masks are the same
        layer.weight.data.copy_(source.weight.data[rows])
        layer.bias.data.copy_(source.bias.data[rows])
    return block


def zuko_flow(maf: MAF) -> nn.Module:
    """Return zuko's flow with the weights of a MAF."""
    d = maf.input_size
    transforms: list[nn.Module] = []
    for block in maf.nf:
        if isinstance(block, MADE):
            transforms.append(zuko_block(block))
        else:
            reverse = torch.arange(d).flip(0)
            transforms.append(
                zuko.lazy.UnconditionalTransform(
                    zuko.transforms.PermutationTransform, reverse, buffer=True
                )
            )
    base = zuko.lazy.UnconditionalDistribution(
        zuko.distributions.DiagNormal, torch.zeros(d), torch.ones(d), buffer=True
    )
    flow: nn.Module = zuko.lazy.Flow(transforms, base).double()
    return flow


def random_maf(d: int, n_hidden: int, n_flows: int) -> MAF:
    """Return a flow whose weights are far from their tame initial values."""
    torch.manual_seed(10 * d + n_flows)
    maf = MAF(d, 16, n_hidden, n_flows).double()
    with torch.no_grad():
        for parameter in maf.parameters():
            parameter.mul_(1.5).add_(0.1 * torch.randn_like(parameter))
    return maf


CASES = [(2, 1, 5), (2, 2, 3), (3, 1, 1), (4, 1, 3), (6, 2, 2)]  # D, n_hidden, n_flows


@pytest.mark.parametrize(("d", "n_hidden", "n_flows"), CASES)
def test_log_probabilities_agree_with_zuko(d: int, n_hidden: int, n_flows: int) -> None:
    """Of each point by itself, and so of the batch's mean."""
    maf = random_maf(d, n_hidden, n_flows)
    x = torch.randn(20, d, dtype=torch.float64) * 2
    with torch.no_grad():
        expected = zuko_flow(maf)().log_prob(x)  # (20,)
        ours = torch.stack([maf.log_probs(point.unsqueeze(0)) for point in x])
        torch.testing.assert_close(ours, expected, rtol=RTOL, atol=ATOL)
        torch.testing.assert_close(maf.log_probs(x), expected.mean(), rtol=RTOL, atol=ATOL)
    assert expected.std() > 0.1  # points differ, so that agreement says something


@pytest.mark.parametrize(("d", "n_hidden", "n_flows"), CASES)
def test_samples_agree_with_zuko(d: int, n_hidden: int, n_flows: int) -> None:
    """The same base noise becomes the same samples."""
    maf = random_maf(d, n_hidden, n_flows)
    torch.set_default_dtype(torch.float64)  # `sample` draws its noise in the default type
    try:
        torch.manual_seed(5)
        ours = torch.from_numpy(maf.sample("cpu", 20))
    finally:
        torch.set_default_dtype(torch.float32)
    torch.manual_seed(5)
    z = torch.randn(20, d, dtype=torch.float64)
    with torch.no_grad():
        expected = zuko_flow(maf)().transform.inv(z)
    torch.testing.assert_close(ours, expected, rtol=RTOL, atol=ATOL)
    assert (ours - z).abs().max() > 0.1


@pytest.mark.parametrize("d", [2, 5])
def test_one_block_agrees_with_zuko_both_ways(d: int) -> None:
    """forward, inverse and both log-determinants of a single MADE."""
    made = random_maf(d, 1, 1).nf[0]
    assert isinstance(made, MADE)
    transform = zuko_block(made)()
    z = torch.randn(7, d, dtype=torch.float64)
    check = partial(torch.testing.assert_close, rtol=RTOL, atol=ATOL)
    with torch.no_grad():
        x, forward_log_det = made.forward(z)
        check(x, transform.inv(z))
        back, log_det = made.inverse(x)
        expected, expected_log_det = transform.call_and_ladj(x)
    check(back, expected)
    check(log_det, expected_log_det)
    check(forward_log_det, -expected_log_det)


def test_gradients_agree_with_zuko() -> None:
    """The gradient of the loss with respect to the data is zuko's, so training would be too."""
    maf = random_maf(3, 1, 3)
    x = torch.randn(8, 3, dtype=torch.float64, requires_grad=True)
    (ours,) = torch.autograd.grad(maf.loss(x), x)
    (expected,) = torch.autograd.grad(-zuko_flow(maf)().log_prob(x).mean(), x)
    torch.testing.assert_close(ours, expected, rtol=RTOL, atol=ATOL)
