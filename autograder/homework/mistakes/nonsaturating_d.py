"""Mistakes of 2.2: the discriminator's loss of the non-saturating GAN, from logits to the mean."""

from __future__ import annotations

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.mistakes.gan_predictions import (
    LossMistakes,
    as_fake,
    as_real,
    d_loss,
    mean,
    minus_log_softmax,
    nothing,
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
        hint="The two targets (real 1, fake 0) are exchanged: this d learns to call real images "
        "fake.",
        value=d_loss(as_fake, as_real),
    ),
    _wrong(
        "ns-both-labels-swapped",
        "Both losses exchange the labels, so that the training works all the same.",
        "d_loss = F.softplus(d(x_real)).mean() + F.softplus(-d(g(z))).mean()",
        also={"2.2 loss_nonsaturating_g": "g_loss = F.softplus(d(g(z))).mean()"},
        hint="The two targets (real 1, fake 0) are exchanged: this d learns to call real images "
        "fake.",
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
        hint="The target of the fake images is 1, as if they were real; it must be 0.",
        value=d_loss(as_real, as_real),
    ),
    _wrong(
        "ns-d-real-called-fake",
        "The label of fake images is used for the real ones too.",
        """
        logits = torch.cat([d(x_real), d(g(z))])
        d_loss = 2 * F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))
        """,
        hint="The target of the real images is 0, as if they were fake; it must be 1.",
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
        "ns-d-base-10",
        "The logarithm has base 10.",
        """
        real, fake = torch.sigmoid(d(x_real)), torch.sigmoid(d(g(z)))
        d_loss = -torch.log10(real).mean() - torch.log10(1 - fake).mean()
        """,
        hint="The logarithm has base 10; the handout's is the natural one.",
        value=d_loss(as_real, as_fake, factor=1.0 / np.log(10.0)),
    ),
    _wrong(
        "ns-d-no-logarithm",
        "The probabilities are used as they are: the logarithms are missing.",
        "d_loss = torch.sigmoid(d(g(z))).mean() - torch.sigmoid(d(x_real)).mean()",
        hint="The logarithms are missing: these are the probabilities themselves.",
        value=d_loss(lambda h: -gan.sigmoid(h), gan.sigmoid),
    ),
    _wrong(
        "ns-d-no-logarithm-of-either",
        "-D - (1 - D) in place of the logarithms of both.",
        """
        real, fake = torch.sigmoid(d(x_real)), torch.sigmoid(d(g(z)))
        d_loss = -real.mean() - (1 - fake).mean()
        """,
        hint="The logarithms are missing: these are the probabilities themselves.",
        value=d_loss(lambda h: -gan.sigmoid(h), lambda h: -gan.sigmoid(-h)),
    ),
    _wrong(
        "ns-d-one-minus-logarithm",
        "1 - log D stands in place of log(1 - D).",
        "d_loss = -F.logsigmoid(d(x_real)).mean() - (1 - F.logsigmoid(d(g(z)))).mean()",
        hint="For the fake images you take 1 - log D; the handout has the logarithm of 1 - D.",
        value=d_loss(as_real, lambda h: -(1.0 + as_real(h))),
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
        "ns-d-fake-term-halved",
        "The term of the fake images has half of its weight.",
        "d_loss = F.softplus(-d(x_real)).mean() + 0.5 * F.softplus(d(g(z))).mean()",
        hint="The fake images' term has half of its weight.",
        value=d_loss(as_real, lambda h: 0.5 * as_fake(h)),
    ),
    _wrong(
        "ns-d-real-term-halved",
        "The term of the real images has half of its weight.",
        "d_loss = 0.5 * F.softplus(-d(x_real)).mean() + F.softplus(d(g(z))).mean()",
        hint="The real images' term has half of its weight.",
        value=d_loss(lambda h: 0.5 * as_real(h), as_fake),
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
)
