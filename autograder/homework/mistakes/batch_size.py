"""Mistakes of 2.2, 4.2 and 5.5: the batch size of the training, 64, hard-coded."""

from __future__ import annotations

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.mistakes.gan_predictions import (
    LossMistakes,
    as_real,
    critic_loss,
    from_norms,
    g_loss,
)
from autograder.homework.mistakes.wasserstein_steps import with_step

_ns_d, _ns_g = LossMistakes("loss_nonsaturating_d"), LossMistakes("loss_nonsaturating_g")
_cond_d = LossMistakes("conditional_loss_nonsaturating_d")
_cond_g = LossMistakes("conditional_loss_nonsaturating_g")
_wgan_d, _wgan_g = LossMistakes("loss_wasserstein_gp_d"), LossMistakes("loss_wasserstein_gp_g")

_WORKS_ON_64 = "works on a batch of 64 images and fails on"
_SUM = "You divide the sum over the batch by 64; divide it by the number of examples."

WRONG: tuple[Wrong, ...] = (
    # ---- the discriminator's loss of 2.2 -------------------------------------------------------
    _ns_d(
        "ns-d-targets-of-64",
        "There are always 64 targets, whatever the batch size.",
        """
        ones, zeros = torch.ones(64, device=device), torch.zeros(64, device=device)
        d_loss = F.binary_cross_entropy_with_logits(d(x_real), ones)
        d_loss = d_loss + F.binary_cross_entropy_with_logits(d(g(z)), zeros)
        """,
        says=_WORKS_ON_64,
    ),
    _ns_d(
        "ns-d-loop-over-64",
        "A loop always takes 64 examples, whatever the batch size.",
        """
        real, fake = d(x_real), d(g(z))
        d_loss = sum((F.softplus(-real[i]) + F.softplus(fake[i])) / 64 for i in range(64))
        """,
        says=_WORKS_ON_64,
    ),
    _ns_d(
        "ns-d-split-at-64",
        "The joined batch is split after 64 logits, whatever the batch size.",
        """
        logits = d(torch.cat([x_real, g(z)]))
        d_loss = F.softplus(-logits[:64]).mean() + F.softplus(logits[64:]).mean()
        """,
        says=_WORKS_ON_64,
    ),
    _ns_d(
        "ns-d-targets-of-100",
        "There are always 100 targets, whatever the batch size.",
        """
        ones, zeros = torch.ones(100, device=device), torch.zeros(100, device=device)
        d_loss = F.binary_cross_entropy_with_logits(d(x_real), ones)
        d_loss = d_loss + F.binary_cross_entropy_with_logits(d(g(z)), zeros)
        """,
        says="works on a batch of 100 images and fails on",
    ),
    # ---- the generator's loss of 2.2 -----------------------------------------------------------
    _ns_g(
        "ns-g-targets-of-64",
        "There are always 64 targets, whatever the batch size.",
        """
        logits = d(g(z))
        g_loss = F.binary_cross_entropy_with_logits(logits, torch.ones(64, device=device))
        """,
        says=_WORKS_ON_64,
    ),
    _ns_g(
        "ns-g-z-of-64",
        "The loss always draws 64 z, whatever the batch size.",
        "g_loss = F.softplus(-d(g(torch.randn(64, g.dim_z, device=device)))).mean()",
        says="the size of the batch, x_real.shape[0]",
    ),
    _ns_g(
        "ns-g-sum-over-64",
        "The sum is divided by 64, whatever the batch size.",
        "g_loss = F.softplus(-d(g(z))).sum() / 64",
        hint=_SUM,
        value=g_loss(as_real, lambda terms: np.sum(terms) / 64),
    ),
    # ---- 4.2 -----------------------------------------------------------------------------------
    _cond_d(
        "cond-d-z-of-64",
        "The loss always draws 64 z for the labels of the batch.",
        """
        x_fake = g(torch.randn(64, g.dim_z, device=device), y_real).detach()
        d_loss = F.softplus(-d(x_real, y_real)).mean() + F.softplus(d(x_fake, y_real)).mean()
        """,
        says=_WORKS_ON_64,
    ),
    _cond_g(
        "cond-g-labels-of-64",
        "The loss always draws 64 labels for the z of the batch.",
        """
        y_fake = torch.randint(0, 10, (64,), device=device)
        g_loss = F.softplus(-d(g(z, y_fake), y_fake)).mean()
        """,
        says=_WORKS_ON_64,
    ),
    _cond_g(
        "cond-g-sum-over-64",
        "The sum is divided by 64, whatever the batch size.",
        "g_loss = F.softplus(-d(g(z, y_real), y_real)).sum() / 64",
        hint=_SUM,
        value=g_loss(as_real, lambda terms: np.sum(terms) / 64),
    ),
    # ---- 5.5 -----------------------------------------------------------------------------------
    _wgan_d(
        "wgan-d-alpha-of-64",
        "The loss always draws 64 interpolation weights, whatever the batch size.",
        with_step(alpha="alpha = torch.rand(64, 1, 1, 1, device=device)"),
        says=_WORKS_ON_64,
    ),
    _wgan_d(
        "wgan-d-z-of-64",
        "The loss always draws 64 z and mixes their images with the real ones.",
        with_step(x_fake="x_fake = g(torch.randn(64, g.dim_z, device=device)).detach()"),
        says=_WORKS_ON_64,
    ),
    _wgan_d(
        "wgan-d-cotangents-of-64",
        "The gradient is taken with 64 ones, whatever the batch size.",
        with_step(
            slopes="""
            ones = torch.ones(64, device=device)
            (slopes,) = torch.autograd.grad(d(points), points, ones, create_graph=True)
            """
        ),
        says=_WORKS_ON_64,
    ),
    _wgan_d(
        "wgan-d-slopes-viewed-as-64",
        "The gradient is reshaped to 64 rows, whatever the batch size.",
        with_step(norms="norms = slopes.view(64, -1).norm(dim=1)"),
        says=_WORKS_ON_64,
    ),
    _wgan_d(
        "wgan-d-sum-over-64",
        "The sum is divided by 64, whatever the batch size.",
        with_step(d_loss="d_loss = (d(x_fake) - d(x_real) + 10 * (norms - 1) ** 2).sum() / 64"),
        hint=_SUM,
        value=critic_loss(
            from_norms(lambda norms: ((norms - 1.0) ** 2).sum() / 64),
            first=lambda s: (s.fake.sum() - s.real.sum()) / 64,
        ),
    ),
    _wgan_g(
        "wgan-g-sum-over-64",
        "The sum is divided by 64, whatever the batch size.",
        "g_loss = -d(g(z)).sum() / 64",
        hint=_SUM,
        value=g_loss(lambda h: -h, lambda terms: np.sum(terms) / 64),
    ),
)
