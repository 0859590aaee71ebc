"""The variational autoencoder and its objective."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.gaussians import log_normal, sample_gaussian


class VAE(nn.Module):
    """A variational autoencoder with the prior N(0, I).

    Args:
        encoder: maps x (B, X) to the mean m (B, D) and the variance v (B, D) of q(z | x).
        decoder: maps z (B, D) to the logits (B, X) of p(x | z), a Bernoulli for each pixel.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def negative_elbo_bound(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the negative evidence lower bound with one sample of z for each example.

        Sums over pixels and latent variables, means over the batch. Logits may be as large as 100
        in absolute value.

        Args:
            x: binary images, (B, X), as floats.

        Returns:
            nelbo: kl + rec, a tensor without dimensions; the training step differentiates it.
            kl: KL(q(z | x) || p(z)): in closed form, or as log q(z | x) - log p(z) at the sample.
            rec: the reconstruction loss, -log p(x | z) at the sample.
        """
        # BEGIN SOLUTION 1.3 VAE.negative_elbo_bound
        m, v = self.encoder(x)
        z = sample_gaussian(m, v)
        logits = self.decoder(z)
        rec = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=-1).mean()
        log_prior = log_normal(z, torch.zeros_like(z), torch.ones_like(z))
        kl = (log_normal(z, m, v) - log_prior).mean()
        nelbo = kl + rec
        # END SOLUTION
        return nelbo, kl, rec
