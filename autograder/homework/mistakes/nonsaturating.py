"""Mistakes of 2.2: the discriminator's loss of the non-saturating GAN."""

from __future__ import annotations

import numpy as np

from autograder.homework.mistakes.entries import Wrong
from autograder.homework.mistakes.gan_predictions import (
    LossMistakes,
    as_fake,
    as_real,
    d_loss,
    gradient_without,
    hinge,
    itself,
    mean,
    minus_log_softmax,
    nothing,
    on_images,
    smoothed,
    squared_distance,
)
from autograder.homework.oracles import gan

_wrong = LossMistakes("loss_nonsaturating_d")
_HALVED = "Your value is half of the handout's: it is a sum of two means, not their average."

WRONG: tuple[Wrong, ...] = (
    # ---- which images are called what ----------------------------------------------------------
    _wrong(
        "ns-d-labels-swapped",
        "Real images are called fake, and fake ones real.",
        "d_loss = F.softplus(d(x_real)).mean() + F.softplus(-d(g(z))).mean()",
        hint="The two labels are exchanged: this d learns to call real images fake.",
        value=d_loss(as_fake, as_real),
    ),
    _wrong(
        "ns-both-labels-swapped",
        "Both losses exchange the labels, so that the training works all the same.",
        "d_loss = F.softplus(d(x_real)).mean() + F.softplus(-d(g(z))).mean()",
        also={"2.2 loss_nonsaturating_g": "g_loss = F.softplus(d(g(z))).mean()"},
        hint="The two labels are exchanged: this d learns to call real images fake.",
        value=d_loss(as_fake, as_real),
    ),
    _wrong(
        "ns-d-fake-called-real",
        "The label of real images is used for the fake ones too.",
        """
        real, fake = d(x_real), d(g(z))
        ones = torch.ones_like(real)
        d_loss = F.binary_cross_entropy_with_logits(real, ones)
        d_loss = d_loss + F.binary_cross_entropy_with_logits(fake, ones)
        """,
        hint="The fake images are given the label of real ones.",
        value=d_loss(as_real, as_real),
    ),
    _wrong(
        "ns-d-real-called-fake",
        "The label of fake images is used for the real ones too.",
        """
        logits = torch.cat([d(x_real), d(g(z))])
        d_loss = 2 * F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))
        """,
        hint="The real images are given the label of fake ones.",
        value=d_loss(as_fake, as_fake),
    ),
    _wrong(
        "ns-d-only-real",
        "The term of the fake images is missing.",
        "d_loss = F.softplus(-d(x_real)).mean() + 0 * g(z).sum()",
        hint="Only the real images' term is there; the fake images' is missing.",
        value=d_loss(as_real, nothing),
    ),
    _wrong(
        "ns-d-only-fake",
        "The term of the real images is missing.",
        "d_loss = F.softplus(d(g(z))).mean()",
        hint="Only the fake images' term is there; the real images' is missing.",
        value=d_loss(nothing, as_fake),
    ),
    _wrong(
        "ns-d-real-twice",
        "The real batch stands where the fake one belongs.",
        "x_fake = g(z)\nd_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(x_real)).mean()",
        hint="Both terms are computed from the real images.",
        value=lambda s: mean(as_real(s.real)) + mean(as_fake(s.real)),
    ),
    _wrong(
        "ns-d-fake-twice",
        "The fake batch stands where the real one belongs.",
        "fake = d(g(z))\nd_loss = F.softplus(-fake).mean() + F.softplus(fake).mean()",
        hint="Both terms are computed from the fake images.",
        value=lambda s: mean(as_real(s.fake)) + mean(as_fake(s.fake)),
    ),
    _wrong(
        "ns-d-generator-not-called",
        "Noise of an image's shape stands where the generator's images belong.",
        """
        noise = torch.randn_like(x_real)
        d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(noise)).mean()
        """,
        says="never calls g",
    ),
    # ---- from logit to logarithm ---------------------------------------------------------------
    _wrong(
        "ns-d-one-minus-logit",
        "1 - h stands inside the sigmoid in place of -h: log sigmoid(1 - h) is not log(1 - D).",
        """
        d_loss = -F.logsigmoid(d(x_real)).mean() - F.logsigmoid(1 - d(g(z))).mean()
        """,
        hint="1 was subtracted from the logit instead of from the probability.",
        value=lambda s: mean(as_real(s.real)) + mean(gan.softplus(s.fake - 1.0)),
    ),
    _wrong(
        "ns-d-sigmoid-twice",
        "The sigmoid is applied before a loss that applies it again.",
        """
        real, fake = torch.sigmoid(d(x_real)), torch.sigmoid(d(g(z)))
        d_loss = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
        d_loss = d_loss + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
        """,
        hint="The sigmoid is applied twice.",
        value=lambda s: mean(as_real(gan.sigmoid(s.real))) + mean(as_fake(gan.sigmoid(s.fake))),
    ),
    _wrong(
        "ns-d-log-of-logits",
        "The logits are taken for probabilities, and their logarithm is NaN.",
        "d_loss = -torch.log(d(x_real)).mean() - torch.log(1 - d(g(z))).mean()",
        says="NaN or infinite",
    ),
    _wrong(
        "ns-d-log-of-clamped-logits",
        "The logits are taken for probabilities, and clamped to where the logarithm exists.",
        """
        real, fake = d(x_real).clamp(1e-3, 1 - 1e-3), d(g(z)).clamp(1e-3, 1 - 1e-3)
        d_loss = -torch.log(real).mean() - torch.log(1 - fake).mean()
        """,
        hint="The logits are used as if they were probabilities; the sigmoid is missing.",
        value=d_loss(
            lambda h: -np.log(np.clip(h, 1e-3, 1 - 1e-3)),
            lambda h: -np.log(1 - np.clip(h, 1e-3, 1 - 1e-3)),
        ),
    ),
    _wrong(
        "ns-d-large-epsilon",
        "0.01 is added to the probabilities so that the logarithm stays finite.",
        """
        real, fake = torch.sigmoid(d(x_real)), torch.sigmoid(d(g(z)))
        d_loss = -torch.log(real + 0.01).mean() - torch.log(1 - fake + 0.01).mean()
        """,
        hint="A constant of about 0.01 inside the logarithm is large enough to change the loss.",
        value=d_loss(
            lambda h: -np.log(gan.sigmoid(h) + 0.01), lambda h: -np.log(gan.sigmoid(-h) + 0.01)
        ),
    ),
    _wrong(
        "ns-d-in-bits",
        "The logarithm has base 2.",
        """
        real, fake = torch.sigmoid(d(x_real)), torch.sigmoid(d(g(z)))
        d_loss = -torch.log2(real).mean() - torch.log2(1 - fake).mean()
        """,
        hint="The logarithm has base 2; the handout's is the natural one.",
        value=d_loss(as_real, as_fake, factor=1.0 / np.log(2.0)),
    ),
    _wrong(
        "ns-d-softmax-over-batch",
        "A softmax over the batch stands where a sigmoid of every logit belongs.",
        """
        real, fake = d(x_real), d(g(z))
        d_loss = -F.log_softmax(real, dim=0).mean() - F.log_softmax(-fake, dim=0).mean()
        """,
        hint="The images of a batch compete in a softmax; each has a probability of its own.",
        value=d_loss(minus_log_softmax, lambda h: minus_log_softmax(-h)),
    ),
    # ---- mean, sum, sign -----------------------------------------------------------------------
    _wrong(
        "ns-d-half",
        "The two terms are averaged instead of added.",
        "d_loss = (F.softplus(-d(x_real)).mean() + F.softplus(d(g(z))).mean()) / 2",
        hint=_HALVED,
        value=d_loss(as_real, as_fake, factor=0.5),
    ),
    _wrong(
        "ns-d-mean-of-joined-batch",
        "Real and fake images are joined, and the mean is taken over all of them.",
        """
        logits = torch.cat([d(x_real), d(g(z))])
        labels = torch.cat([torch.ones(batch_size), torch.zeros(batch_size)]).to(device)
        d_loss = F.binary_cross_entropy_with_logits(logits, labels)
        """,
        hint=_HALVED,
        value=d_loss(as_real, as_fake, factor=0.5),
    ),
    _wrong(
        "ns-d-sum",
        "The losses of a batch are summed instead of averaged.",
        "d_loss = F.softplus(-d(x_real)).sum() + F.softplus(d(g(z))).sum()",
        hint="Your value is a sum over the batch; the handout takes the mean.",
        value=d_loss(as_real, as_fake, np.sum),
    ),
    _wrong(
        "ns-d-sum-over-64",
        "The sum is divided by 64, whatever the batch.",
        "d_loss = (F.softplus(-d(x_real)).sum() + F.softplus(d(g(z))).sum()) / 64",
        hint="The sum over the batch is divided by 64 instead of by the number of examples.",
        value=d_loss(as_real, as_fake, lambda terms: np.sum(terms) / 64),
    ),
    _wrong(
        "ns-d-maximised",
        "The loss has the other sign, that of what d maximises.",
        "d_loss = F.logsigmoid(d(x_real)).mean() + F.logsigmoid(-d(g(z))).mean()",
        hint="The sign is that of what d maximises; the loss is minimised.",
        value=d_loss(as_real, as_fake, factor=-1.0),
    ),
    _wrong(
        "ns-d-fake-term-subtracted",
        "The term of the fake images has the wrong sign.",
        "d_loss = F.softplus(-d(x_real)).mean() - F.softplus(d(g(z))).mean()",
        hint="The fake images' term enters with the wrong sign.",
        value=d_loss(as_real, lambda h: -as_fake(h)),
    ),
    _wrong(
        "ns-d-mean-of-probabilities",
        "The mean is taken before the logarithm.",
        """
        real, fake = torch.sigmoid(d(x_real)).mean(), torch.sigmoid(d(g(z))).mean()
        d_loss = -torch.log(real) - torch.log(1 - fake)
        """,
        hint="The mean is taken before the logarithm; the handout averages logarithms.",
        value=lambda s: -np.log(mean(gan.sigmoid(s.real))) - np.log(mean(gan.sigmoid(-s.fake))),
    ),
    _wrong(
        "ns-d-mean-of-logits",
        "The logits are averaged before the sigmoid and the logarithm.",
        "d_loss = F.softplus(-d(x_real).mean()) + F.softplus(d(g(z)).mean())",
        hint="The logits are averaged first; every image has a logarithm of its own.",
        value=lambda s: as_real(np.asarray(mean(s.real))) + as_fake(np.asarray(mean(s.fake))),
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
        "ns-d-squared-probabilities",
        "Squared errors of the probabilities stand in place of cross-entropies.",
        """
        real, fake = torch.sigmoid(d(x_real)), torch.sigmoid(d(g(z)))
        d_loss = F.mse_loss(real, torch.ones_like(real)) + F.mse_loss(fake, torch.zeros_like(fake))
        """,
        hint="These are squared errors of the probabilities; the handout takes their logarithm.",
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
        """
        real, fake = d(x_real), d(g(z))
        d_loss = F.binary_cross_entropy_with_logits(real, torch.full_like(real, 0.9))
        d_loss = d_loss + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
        """,
        hint="Real images have the label 0.9, which is label smoothing; here it is 1.",
        value=d_loss(smoothed(0.9), as_fake),
    ),
    # ---- what d is shown -----------------------------------------------------------------------
    _wrong(
        "ns-d-tanh-on-fakes",
        "The generator's images are sent through tanh before d sees them.",
        "d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(torch.tanh(g(z)))).mean()",
        hint="The fake images go through tanh first; d is to see what g gives.",
        value=on_images(np.tanh, lambda s, fake: mean(as_real(s.real)) + mean(as_fake(fake))),
    ),
    _wrong(
        "ns-d-noise-on-images",
        "Noise is added to all images before d sees them.",
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
        "d judges the fake images inside no_grad, which was meant for the generator.",
        """
        with torch.no_grad():
            fake = d(g(z))
        d_loss = F.softplus(-d(x_real)).mean() + F.softplus(fake).mean()
        """,
        hint="No gradient flows through what d says of the fake images; only g may be cut off.",
        gradient=gradient_without("fake"),
    ),
    _wrong(
        "ns-d-real-logits-detached",
        "d's output on the real images is detached.",
        "d_loss = F.softplus(-d(x_real).detach()).mean() + F.softplus(d(g(z))).mean()",
        hint="No gradient flows through what d says of the real images.",
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
        "One loss for every example is returned.",
        "d_loss = F.softplus(-d(x_real)) + F.softplus(d(g(z)))",
        says="a 0-d tensor",
    ),
    _wrong(
        "ns-d-none",
        "Nothing is returned.",
        "d_loss = None",
        says="returned None",
    ),
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
        "All fake images of a batch are made from one z.",
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
        "The random numbers are seeded inside the loss: every step uses the same z.",
        """
        torch.manual_seed(0)
        z = torch.randn(batch_size, g.dim_z, device=device)
        d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(g(z))).mean()
        """,
        says="seeds the random numbers itself",
    ),
)
