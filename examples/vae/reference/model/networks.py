"""The encoder and the decoder. They are complete."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Encoder(nn.Module):
    """q(z | x): the mean and the variance of z.

    Args:
        x_dim: number of pixels.
        z_dim: number of latent variables.
        hidden: units of the hidden layer.
    """

    def __init__(self, x_dim: int = 784, z_dim: int = 10, hidden: int = 300) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(x_dim, hidden), nn.ELU(), nn.Linear(hidden, 2 * z_dim))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (B, x_dim) to m (B, z_dim) and v (B, z_dim), v > 0."""
        m, h = self.net(x).chunk(2, dim=-1)
        return m, F.softplus(h) + 1e-6


class Decoder(nn.Module):
    """p(x | z): a logit for each pixel. The arguments are the encoder's."""

    def __init__(self, x_dim: int = 784, z_dim: int = 10, hidden: int = 300) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(z_dim, hidden), nn.ELU(), nn.Linear(hidden, x_dim))

    def forward(self, z: Tensor) -> Tensor:
        """Map z (B, z_dim) to logits (B, x_dim)."""
        logits: Tensor = self.net(z)
        return logits
