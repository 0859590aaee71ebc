"""Problems 2, 4 and 5: the losses of three GANs.

You write six functions: the discriminator's and the generator's loss of the non-saturating GAN
(2.2), of the conditional GAN (4.2) and of WGAN-GP (5.5). `d` returns logits, that is, values
before the sigmoid; for WGAN-GP it is a critic, whose values are used as they are.

B is the size of the batch that a function is called with, x_real.shape[0]: 64 in training, another
number in the tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:  # for the annotations below, not needed when the code runs
    from codebase.network import (
        ConditionalDiscriminator,
        ConditionalGenerator,
        Discriminator,
        Generator,
    )


def loss_nonsaturating_d(
    g: Generator, d: Discriminator, x_real: Tensor, *, device: torch.device | str
) -> Tensor:
    """The discriminator's loss: -mean log D(x) - mean log(1 - D(G(z))).

    Args:
        g: the generator; g(z) takes (B, g.dim_z) to images (B, 1, 28, 28).
        d: the discriminator; d(x) takes images (B, 1, 28, 28) to logits (B,).
        x_real: training images, (B, 1, 28, 28).
        device: where new tensors belong.

    Returns:
        d_loss: 0-d tensor, to be minimised with respect to d.
    """
    batch_size = x_real.shape[0]
    z = torch.randn(batch_size, g.dim_z, device=device)
    # >>> YOUR CODE HERE (2.2 loss_nonsaturating_d)
    raise NotImplementedError("2.2 loss_nonsaturating_d is not implemented yet")
    # <<< END OF YOUR CODE
    return d_loss


def loss_nonsaturating_g(
    g: Generator, d: Discriminator, x_real: Tensor, *, device: torch.device | str
) -> Tensor:
    """The generator's non-saturating loss: -mean log D(G(z)).

    Args:
        g: the generator; g(z) takes (B, g.dim_z) to images (B, 1, 28, 28).
        d: the discriminator; d(x) takes images (B, 1, 28, 28) to logits (B,).
        x_real: training images, (B, 1, 28, 28); only their number matters here.
        device: where new tensors belong.

    Returns:
        g_loss: 0-d tensor, to be minimised with respect to g.
    """
    batch_size = x_real.shape[0]
    z = torch.randn(batch_size, g.dim_z, device=device)
    # >>> YOUR CODE HERE (2.2 loss_nonsaturating_g)
    raise NotImplementedError("2.2 loss_nonsaturating_g is not implemented yet")
    # <<< END OF YOUR CODE
    return g_loss


def conditional_loss_nonsaturating_d(
    g: ConditionalGenerator,
    d: ConditionalDiscriminator,
    x_real: Tensor,
    y_real: Tensor,
    *,
    device: torch.device | str,
) -> Tensor:
    """The conditional discriminator's loss: -mean log D(x, y) - mean log(1 - D(G(z, y), y)).

    Args:
        g: the generator; g(z, y) takes (B, g.dim_z) and labels (B,) to images (B, 1, 28, 28).
        d: the discriminator; d(x, y) takes images (B, 1, 28, 28) and labels (B,) to logits (B,).
        x_real: training images, (B, 1, 28, 28).
        y_real: their labels, (B,), int64. They may serve as the labels of the fake images too.
        device: where new tensors belong.

    Returns:
        d_loss: 0-d tensor, to be minimised with respect to d.
    """
    batch_size = x_real.shape[0]
    z = torch.randn(batch_size, g.dim_z, device=device)
    # >>> YOUR CODE HERE (4.2 conditional_loss_nonsaturating_d)
    raise NotImplementedError("4.2 conditional_loss_nonsaturating_d is not implemented yet")
    # <<< END OF YOUR CODE
    return d_loss


def conditional_loss_nonsaturating_g(
    g: ConditionalGenerator,
    d: ConditionalDiscriminator,
    x_real: Tensor,
    y_real: Tensor,
    *,
    device: torch.device | str,
) -> Tensor:
    """The conditional generator's non-saturating loss: -mean log D(G(z, y), y).

    Args:
        g: the generator; g(z, y) takes (B, g.dim_z) and labels (B,) to images (B, 1, 28, 28).
        d: the discriminator; d(x, y) takes images (B, 1, 28, 28) and labels (B,) to logits (B,).
        x_real: training images, (B, 1, 28, 28); only their number matters here.
        y_real: their labels, (B,), int64. They may serve as the labels of the fake images too.
        device: where new tensors belong.

    Returns:
        g_loss: 0-d tensor, to be minimised with respect to g.
    """
    batch_size = x_real.shape[0]
    z = torch.randn(batch_size, g.dim_z, device=device)
    # >>> YOUR CODE HERE (4.2 conditional_loss_nonsaturating_g)
    raise NotImplementedError("4.2 conditional_loss_nonsaturating_g is not implemented yet")
    # <<< END OF YOUR CODE
    return g_loss


def loss_wasserstein_gp_d(
    g: Generator, d: Discriminator, x_real: Tensor, *, device: torch.device | str
) -> Tensor:
    """The critic's loss: mean D(G(z)) - mean D(x) + 10 * mean (||grad D(r)||_2 - 1)^2.

    Each r lies on the line between one fake and one real image, at a place drawn uniformly for
    every pair of images.

    Args:
        g: the generator; g(z) takes (B, g.dim_z) to images (B, 1, 28, 28).
        d: the critic; d(x) takes images (B, 1, 28, 28) to values (B,).
        x_real: training images, (B, 1, 28, 28).
        device: where new tensors belong.

    Returns:
        d_loss: 0-d tensor, to be minimised with respect to d.
    """
    batch_size = x_real.shape[0]
    z = torch.randn(batch_size, g.dim_z, device=device)
    # >>> YOUR CODE HERE (5.5 loss_wasserstein_gp_d)
    raise NotImplementedError("5.5 loss_wasserstein_gp_d is not implemented yet")
    # <<< END OF YOUR CODE
    return d_loss


def loss_wasserstein_gp_g(
    g: Generator, d: Discriminator, x_real: Tensor, *, device: torch.device | str
) -> Tensor:
    """The generator's Wasserstein loss: -mean D(G(z)).

    Args:
        g: the generator; g(z) takes (B, g.dim_z) to images (B, 1, 28, 28).
        d: the critic; d(x) takes images (B, 1, 28, 28) to values (B,).
        x_real: training images, (B, 1, 28, 28); only their number matters here.
        device: where new tensors belong.

    Returns:
        g_loss: 0-d tensor, to be minimised with respect to g.
    """
    batch_size = x_real.shape[0]
    z = torch.randn(batch_size, g.dim_z, device=device)
    # >>> YOUR CODE HERE (5.5 loss_wasserstein_gp_g)
    raise NotImplementedError("5.5 loss_wasserstein_gp_g is not implemented yet")
    # <<< END OF YOUR CODE
    return g_loss
