"""Mistakes of 5.5: the two terms of the critic's loss, the generator's loss."""

from __future__ import annotations

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.mistakes.gan_predictions import (
    LossMistakes,
    as_fake,
    as_real,
    critic_loss,
    g_loss,
    gradient_without,
    itself,
    mean,
    on_images,
    squared_distance,
)
from autograder.homework.mistakes.wasserstein_steps import with_step
from autograder.homework.oracles import gan
from autograder.homework.problems.flow_parameters import Array

_wrong_d = LossMistakes("loss_wasserstein_gp_d")
_wrong_g = LossMistakes("loss_wasserstein_gp_g")


def _clamped(values: Array) -> Array:
    return np.clip(values, -10.0, 10.0)


WRONG: tuple[Wrong, ...] = (
    # ---- the two terms of the critic's loss ----------------------------------------------------
    _wrong_d(
        "wgan-d-real-and-fake-swapped",
        "The two means are swapped.",
        with_step(d_loss="d_loss = d(x_real).mean() - d(x_fake).mean() + 10 * penalty"),
        hint="You swapped real and fake, so the critic learns to prefer fake images.",
        value=critic_loss(first=lambda s: mean(s.real) - mean(s.fake)),
    ),
    _wrong_d(
        "wgan-both-signs-swapped",
        "Both losses have the opposite sign, so training still works.",
        with_step(d_loss="d_loss = d(x_real).mean() - d(x_fake).mean() + 10 * penalty"),
        also={"5.5 loss_wasserstein_gp_g": "g_loss = d(g(z)).mean()"},
        hint="You swapped real and fake, so the critic learns to prefer fake images.",
        value=critic_loss(first=lambda s: mean(s.real) - mean(s.fake)),
    ),
    _wrong_d(
        "wgan-d-maximised",
        "The whole loss has the opposite sign.",
        with_step(d_loss="d_loss = d(x_real).mean() - d(x_fake).mean() - 10 * penalty"),
        hint="The whole loss has the wrong sign: it is minimised, not maximised.",
        value=critic_loss(factor=-1.0),
    ),
    _wrong_d(
        "wgan-d-terms-added",
        "The mean of the real images is added instead of subtracted.",
        with_step(d_loss="d_loss = d(x_fake).mean() + d(x_real).mean() + 10 * penalty"),
        hint="The mean over the real images has the wrong sign.",
        value=critic_loss(first=lambda s: mean(s.fake) + mean(s.real)),
    ),
    _wrong_d(
        "wgan-d-only-fake",
        "The mean of the real images is missing.",
        with_step(d_loss="d_loss = d(x_fake).mean() + 10 * penalty"),
        hint="The mean over the real images is missing.",
        value=critic_loss(first=lambda s: mean(s.fake)),
    ),
    _wrong_d(
        "wgan-d-only-penalty",
        "Only the penalty is returned.",
        with_step(d_loss="d_loss = 10 * penalty"),
        hint="Your loss is the penalty alone; the two means are missing.",
        value=critic_loss(first=lambda s: 0.0),
    ),
    _wrong_d(
        "wgan-d-sum",
        "The critic's outputs are summed over the batch.",
        with_step(d_loss="d_loss = d(x_fake).sum() - d(x_real).sum() + 10 * penalty"),
        hint="You sum the critic's outputs over the batch; take their mean.",
        value=critic_loss(first=lambda s: s.fake.sum() - s.real.sum()),
    ),
    _wrong_d(
        "wgan-d-half",
        "The two means are averaged.",
        with_step(d_loss="d_loss = (d(x_fake).mean() - d(x_real).mean()) / 2 + 10 * penalty"),
        hint="You halve the difference of the two means.",
        value=critic_loss(first=lambda s: (mean(s.fake) - mean(s.real)) / 2),
    ),
    _wrong_d(
        "wgan-d-absolute-difference",
        "The absolute value of the difference is taken.",
        with_step(d_loss="d_loss = (d(x_fake).mean() - d(x_real).mean()).abs() + 10 * penalty"),
        hint="You take the absolute value of the difference; its sign matters.",
        value=critic_loss(first=lambda s: abs(mean(s.fake) - mean(s.real))),
    ),
    _wrong_d(
        "wgan-d-cross-entropy",
        "The non-saturating loss with the penalty added.",
        with_step(
            d_loss="""
            d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(x_fake)).mean()
            d_loss = d_loss + 10 * penalty
            """
        ),
        hint="The first part of your loss is the loss of 2.2; use the critic's outputs as they "
        "are.",
        value=critic_loss(first=lambda s: mean(as_real(s.real)) + mean(as_fake(s.fake))),
    ),
    _wrong_d(
        "wgan-d-probabilities",
        "The critic's outputs go through a sigmoid.",
        with_step(
            d_loss="d_loss = d(x_fake).sigmoid().mean() - d(x_real).sigmoid().mean() + 10 * penalty"
        ),
        hint="You pass the critic's outputs through a sigmoid; use them as they are.",
        value=critic_loss(first=lambda s: mean(gan.sigmoid(s.fake)) - mean(gan.sigmoid(s.real))),
    ),
    _wrong_d(
        "wgan-d-drift",
        "A small multiple of the mean squared output for real images is added.",
        with_step(
            d_loss="""
            real = d(x_real)
            drift = 0.1 * (real**2).mean()
            d_loss = d(x_fake).mean() - real.mean() + 10 * penalty + drift
            """
        ),
        hint="You add a tenth of the mean squared output for real images; the assignment has no "
        "such term.",
        value=critic_loss(first=lambda s: mean(s.fake) - mean(s.real) + 0.1 * mean(s.real**2)),
    ),
    _wrong_d(
        "wgan-d-small-drift",
        "The drift penalty of progressive GANs is added: 0.001 times the mean squared output.",
        with_step(
            d_loss="""
            real = d(x_real)
            d_loss = d(x_fake).mean() - real.mean() + 10 * penalty + 0.001 * (real**2).mean()
            """
        ),
        hint="You add a thousandth of the mean squared output for real images; the assignment has "
        "no such term.",
        value=critic_loss(first=lambda s: mean(s.fake) - mean(s.real) + 0.001 * mean(s.real**2)),
    ),
    _wrong_d(
        "wgan-d-clamped-values",
        "The critic's outputs are clamped to [-10, 10].",
        with_step(
            d_loss="""
            real, fake = d(x_real).clamp(-10, 10), d(x_fake).clamp(-10, 10)
            d_loss = fake.mean() - real.mean() + 10 * penalty
            """
        ),
        hint="You clamp the critic's outputs at about 10; use them as they are.",
        value=critic_loss(first=lambda s: mean(_clamped(s.fake)) - mean(_clamped(s.real))),
    ),
    _wrong_d(
        "wgan-d-vector",
        "One loss per example is returned.",
        with_step(d_loss="d_loss = d(x_fake) - d(x_real) + 10 * (norms - 1) ** 2"),
        says="a 0-d tensor",
    ),
    _wrong_d(
        "wgan-d-fake-values-without-gradient",
        "The critic judges the fake images inside no_grad, which was meant for the generator only.",
        with_step(
            x_fake="""
            x_fake = g(z).detach()
            with torch.no_grad():
                fake = d(x_fake)
            """,
            d_loss="d_loss = fake.mean() - d(x_real).mean() + 10 * penalty",
        ),
        hint="No gradient flows through d's output for the fake images; only g may be detached.",
        gradient=gradient_without("fake"),
    ),
    _wrong_d(
        "wgan-d-z-zero",
        "z is all zeros.",
        with_step(x_fake="x_fake = g(torch.zeros_like(z)).detach()"),
        says="the same z for several examples",
    ),
    _wrong_d(
        "wgan-d-noise-in-place-of-fakes",
        "Noise with the shape of an image is used in place of the generator's images.",
        with_step(x_fake="x_fake = torch.randn_like(x_real)"),
        says="never calls g",
    ),
    # ---- the generator's loss ------------------------------------------------------------------
    _wrong_g(
        "wgan-g-sign",
        "The minus sign is missing.",
        "g_loss = d(g(z)).mean()",
        hint="Your value has the wrong sign: minimising it teaches g to make images that look "
        "fake.",
        value=g_loss(itself),
    ),
    _wrong_g(
        "wgan-g-clamped-values",
        "The critic's outputs are clamped to [-10, 10].",
        "g_loss = -d(g(z)).clamp(-10, 10).mean()",
        hint="You clamp the critic's outputs at about 10; use them as they are.",
        value=g_loss(lambda h: -_clamped(h)),
    ),
    _wrong_g(
        "wgan-g-zero",
        "The loss is always 0.",
        "g_loss = 0 * d(g(z)).mean()",
        hint="Your loss is always 0, whatever the critic outputs.",
        value=g_loss(itself, factor=0.0),
    ),
    _wrong_g(
        "wgan-g-freezes-d",
        "The parameters of the critic are frozen for the generator's step and never unfrozen.",
        """
        d.requires_grad_(False)
        g_loss = -d(g(z)).mean()
        """,
        says="are frozen",
    ),
    _wrong_g(
        "wgan-g-leaves-g-in-evaluation",
        "g is put into evaluation mode and stays there.",
        """
        g.eval()
        g_loss = -d(g(z)).mean()
        """,
        says="into evaluation mode",
    ),
    _wrong_g(
        "wgan-g-probability",
        "The critic's outputs go through a sigmoid.",
        "g_loss = -torch.sigmoid(d(g(z))).mean()",
        hint="You pass the critic's outputs through a sigmoid; use them as they are.",
        value=g_loss(lambda h: -gan.sigmoid(h)),
    ),
    _wrong_g(
        "wgan-g-minimax",
        "The minimax loss.",
        "g_loss = F.logsigmoid(-d(g(z))).mean()",
        hint="This is the minimax loss; use the critic's outputs as they are.",
        value=g_loss(as_fake, factor=-1.0),
    ),
    _wrong_g(
        "wgan-g-least-squares",
        "The loss of the least-squares GAN.",
        "g_loss = ((d(g(z)) - 1) ** 2).mean()",
        hint="This is the loss of the least-squares GAN.",
        value=g_loss(squared_distance(1.0)),
    ),
    _wrong_g(
        "wgan-g-absolute-value",
        "The absolute value of the mean is taken.",
        "g_loss = d(g(z)).mean().abs()",
        hint="You take an absolute value; the sign of the critic's outputs matters.",
        value=lambda s: abs(mean(s.fake)),
    ),
    _wrong_g(
        "wgan-g-times-lambda",
        "The loss is multiplied by lambda.",
        "g_loss = -10 * d(g(z)).mean()",
        hint="You multiply the generator's loss by lambda; lambda belongs to the critic's penalty "
        "only.",
        value=g_loss(lambda h: -h, factor=10.0),
    ),
    _wrong_g(
        "wgan-g-detached",
        "The fake images are detached, as in the critic's loss.",
        "g_loss = -d(g(z).detach()).mean()",
        says="reaches the generator",
    ),
    _wrong_g(
        "wgan-g-sum",
        "The critic's outputs are summed over the batch.",
        "g_loss = -d(g(z)).sum()",
        hint="Your value is a sum over the batch; it must be the mean.",
        value=g_loss(lambda h: -h, np.sum),
    ),
    _wrong_g(
        "wgan-g-half",
        "The loss is halved.",
        "g_loss = -0.5 * d(g(z)).mean()",
        hint="Your value is half of the expected one.",
        value=g_loss(lambda h: -h, factor=0.5),
    ),
    _wrong_g(
        "wgan-g-nonsaturating",
        "The generator's loss of 2.2.",
        "g_loss = F.softplus(-d(g(z))).mean()",
        hint="This is the generator's loss of 2.2; use the critic's outputs as they are.",
        value=g_loss(as_real),
    ),
    _wrong_g(
        "wgan-g-difference",
        "The mean over the real images is added.",
        "g_loss = d(x_real).mean() - d(g(z)).mean()",
        hint="Your loss adds a term of the real images; the generator's loss has none.",
        value=lambda s: mean(s.real) - mean(s.fake),
    ),
    _wrong_g(
        "wgan-g-one-minus",
        "The loss is the mean of 1 - D(G(z)).",
        "g_loss = (1 - d(g(z))).mean()",
        hint="Your value is the expected one plus 1.",
        value=g_loss(lambda h: 1.0 - h),
    ),
    _wrong_g(
        "wgan-g-tanh-on-fakes",
        "The generator's images go through tanh before the critic gets them.",
        "g_loss = -d(torch.tanh(g(z))).mean()",
        hint="You pass the fake images through tanh; d must get the output of g as it is.",
        value=on_images(np.tanh, lambda s, fake: -mean(fake)),
    ),
    _wrong_g(
        "wgan-g-z-uniform",
        "z is drawn uniformly from [0, 1].",
        "g_loss = -d(g(torch.rand_like(z))).mean()",
        says="not standard normal",
    ),
)
