"""Mistakes of 2.2: another loss, the input of d, gradients and draws."""

from __future__ import annotations

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.mistakes.gan_predictions import (
    LossMistakes,
    as_fake,
    as_real,
    d_loss,
    gradient_without,
    hinge,
    itself,
    mean,
    on_images,
    smoothed,
    squared_distance,
)
from autograder.homework.oracles import gan

_wrong = LossMistakes("loss_nonsaturating_d")


def _cross_entropies(real: str, fake: str) -> str:
    """The loss with other targets."""
    return f"""
    real, fake = d(x_real), d(g(z))
    d_loss = F.binary_cross_entropy_with_logits(real, {real})
    d_loss = d_loss + F.binary_cross_entropy_with_logits(fake, {fake})
    """


WRONG: tuple[Wrong, ...] = (
    _wrong(
        "ns-d-first-fake-for-all",
        "d gets only the first of the fake images.",
        "d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(g(z)[:1])).mean()",
        says="only 1 of the images that g made",
    ),
    # ---- another GAN's loss --------------------------------------------------------------------
    _wrong(
        "ns-d-least-squares",
        "The loss of the least-squares GAN, from the logits.",
        "d_loss = ((d(x_real) - 1) ** 2).mean() + (d(g(z)) ** 2).mean()",
        hint="This is the loss of the least-squares GAN.",
        value=d_loss(squared_distance(1.0), squared_distance(0.0)),
    ),
    _wrong(
        "ns-d-least-squares-halved",
        "The loss of the least-squares GAN with its factor of one half.",
        "d_loss = 0.5 * ((d(x_real) - 1) ** 2).mean() + 0.5 * (d(g(z)) ** 2).mean()",
        hint="This is the loss of the least-squares GAN, with a factor of one half.",
        value=d_loss(squared_distance(1.0), squared_distance(0.0), factor=0.5),
    ),
    _wrong(
        "ns-d-squared-probabilities",
        "The squared errors of the probabilities are used instead of cross-entropies.",
        """
        real, fake = torch.sigmoid(d(x_real)), torch.sigmoid(d(g(z)))
        d_loss = F.mse_loss(real, torch.ones_like(real)) + F.mse_loss(fake, torch.zeros_like(fake))
        """,
        hint="Your loss is the squared error of the probabilities; it must use their logarithms.",
        value=d_loss(lambda h: gan.sigmoid(-h) ** 2, lambda h: gan.sigmoid(h) ** 2),
    ),
    _wrong(
        "ns-d-hinge",
        "The hinge loss.",
        "d_loss = F.relu(1 - d(x_real)).mean() + F.relu(1 + d(g(z))).mean()",
        hint="This is the hinge loss.",
        value=d_loss(hinge(1.0), hinge(-1.0)),
    ),
    _wrong(
        "ns-d-wasserstein",
        "The Wasserstein loss, without the sigmoid and the logarithm.",
        "d_loss = d(g(z)).mean() - d(x_real).mean()",
        hint="This is the Wasserstein loss of problem 5.",
        value=d_loss(lambda h: -h, itself),
    ),
    _wrong(
        "ns-d-smooth-labels",
        "Real images have the label 0.9 (one-sided label smoothing).",
        _cross_entropies("torch.full_like(real, 0.9)", "torch.zeros_like(fake)"),
        hint="The target of real images is 0.9 (label smoothing); it must be 1.",
        value=d_loss(smoothed(0.9), as_fake),
    ),
    _wrong(
        "ns-d-smooth-labels-0.8",
        "Real images have the label 0.8.",
        _cross_entropies("torch.full_like(real, 0.8)", "torch.zeros_like(fake)"),
        hint="The target of real images is 0.8 (label smoothing); it must be 1.",
        value=d_loss(smoothed(0.8), as_fake),
    ),
    _wrong(
        "ns-d-smooth-labels-of-both",
        "Real images have the label 0.9, fake ones 0.1.",
        _cross_entropies("torch.full_like(real, 0.9)", "torch.full_like(fake, 0.1)"),
        hint="The targets are 0.9 and 0.1 (label smoothing); they must be 1 and 0.",
        value=d_loss(smoothed(0.9), smoothed(0.1)),
    ),
    _wrong(
        "ns-d-smooth-fake-labels",
        "Fake images have the label 0.1.",
        _cross_entropies("torch.ones_like(real)", "torch.full_like(fake, 0.1)"),
        hint="The target of fake images is 0.1 (label smoothing); it must be 0.",
        value=d_loss(as_real, smoothed(0.1)),
    ),
    # ---- the input of d ------------------------------------------------------------------------
    _wrong(
        "ns-d-tanh-on-fakes",
        "The generator's images go through tanh before d gets them.",
        "d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(torch.tanh(g(z)))).mean()",
        hint="You pass the fake images through tanh; d must get the output of g as it is.",
        value=on_images(np.tanh, lambda s, fake: mean(as_real(s.real)) + mean(as_fake(fake))),
    ),
    _wrong(
        "ns-d-noise-on-images",
        "Noise is added to all images before d gets them.",
        """
        x_fake = g(z) + 0.1 * torch.randn_like(x_real)
        x_real = x_real + 0.1 * torch.randn_like(x_real)
        d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(x_fake)).mean()
        """,
        says="neither real ones nor made by g",
    ),
    # ---- gradients -----------------------------------------------------------------------------
    _wrong(
        "ns-d-no-grad",
        "Everything is computed without gradients.",
        """
        with torch.no_grad():
            d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(g(z))).mean()
        """,
        says="reaches the discriminator",
    ),
    _wrong(
        "ns-d-fake-logits-without-gradient",
        "d judges the fake images inside no_grad, which was meant for the generator only.",
        """
        with torch.no_grad():
            fake = d(g(z))
        d_loss = F.softplus(-d(x_real)).mean() + F.softplus(fake).mean()
        """,
        hint="No gradient flows through d's output for the fake images; only g may be detached.",
        gradient=gradient_without("fake"),
    ),
    _wrong(
        "ns-d-real-logits-detached",
        "d's output for the real images is detached.",
        "d_loss = F.softplus(-d(x_real).detach()).mean() + F.softplus(d(g(z))).mean()",
        hint="No gradient flows through d's output for the real images.",
        gradient=gradient_without("real"),
    ),
    # ---- the form of the answer ----------------------------------------------------------------
    _wrong(
        "ns-d-python-float",
        "The loss is returned as a Python float.",
        "d_loss = (F.softplus(-d(x_real)).mean() + F.softplus(d(g(z))).mean()).item()",
        says="Python float",
    ),
    _wrong(
        "ns-d-vector",
        "One loss per example is returned.",
        "d_loss = F.softplus(-d(x_real)) + F.softplus(d(g(z)))",
        says="a 0-d tensor",
    ),
    _wrong("ns-d-none", "Nothing is returned.", "d_loss = None", says="returned None"),
    _wrong(
        "ns-d-column-of-labels",
        "The labels have shape (B, 1), the logits (B,).",
        """
        real, fake = d(x_real), d(g(z))
        ones = torch.ones(batch_size, 1, device=device)
        d_loss = F.binary_cross_entropy_with_logits(real, ones)
        d_loss = d_loss + F.binary_cross_entropy_with_logits(fake, 0 * ones)
        """,
        says="raised ValueError",
    ),
    # ---- the draws of z ------------------------------------------------------------------------
    _wrong(
        "ns-d-z-uniform",
        "z is drawn uniformly from [0, 1].",
        """
        z = torch.rand(batch_size, g.dim_z, device=device)
        d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(g(z))).mean()
        """,
        says="not standard normal",
    ),
    _wrong(
        "ns-d-z-half-as-wide",
        "z has standard deviation 0.5.",
        "d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(g(0.5 * z))).mean()",
        says="not standard normal",
    ),
    _wrong(
        "ns-d-z-truncated",
        "z is clamped to [-1, 1].",
        "d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(g(z.clamp(-1, 1)))).mean()",
        says="not standard normal",
    ),
    _wrong(
        "ns-d-one-z-repeated",
        "All fake images of a batch come from one z.",
        """
        x_fake = g(z[:1].expand(batch_size, -1))
        d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(x_fake)).mean()
        """,
        says="the same z for several examples",
    ),
    _wrong(
        "ns-d-one-fake-image",
        "Only one fake image is made for the whole batch.",
        """
        x_fake = g(torch.randn(1, g.dim_z, device=device))
        d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(x_fake)).mean()
        """,
        says="fewer z than",
    ),
    _wrong(
        "ns-d-z-seeded",
        "The loss seeds the random numbers, so every step uses the same z.",
        """
        torch.manual_seed(0)
        z = torch.randn(batch_size, g.dim_z, device=device)
        d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(g(z))).mean()
        """,
        says="seeds the random numbers itself",
    ),
)
