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
_HALVED = "Your value is half of the expected one: add the two means instead of averaging them."

WRONG: tuple[Wrong, ...] = (
    # ---- which images are labelled real --------------------------------------------------------
    _wrong(
        "ns-d-labels-swapped",
        "Real images are labelled fake, and fake images real.",
        "d_loss = F.softplus(d(x_real)).mean() + F.softplus(-d(g(z))).mean()",
        hint="You swapped the two targets (real 1, fake 0), so d learns to call real images fake.",
        value=d_loss(as_fake, as_real),
    ),
    _wrong(
        "ns-both-labels-swapped",
        "Both losses swap the labels, so training still works.",
        "d_loss = F.softplus(d(x_real)).mean() + F.softplus(-d(g(z))).mean()",
        also={"2.2 loss_nonsaturating_g": "g_loss = F.softplus(d(g(z))).mean()"},
        hint="You swapped the two targets (real 1, fake 0), so d learns to call real images fake.",
        value=d_loss(as_fake, as_real),
    ),
    _wrong(
        "ns-d-fake-called-real",
        "The fake images get the label of real images too.",
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
        "The real images get the label of fake images too.",
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
        hint="Your loss has only the term of the real images; the term of the fake images is "
        "missing.",
        value=d_loss(as_real, nothing),
    ),
    _wrong(
        "ns-d-only-fake",
        "The term of the real images is missing.",
        "d_loss = F.softplus(d(g(z))).mean()",
        hint="Your loss has only the term of the fake images; the term of the real images is "
        "missing.",
        value=d_loss(nothing, as_fake),
    ),
    _wrong(
        "ns-d-real-twice",
        "The real images are used in place of the fake ones.",
        "x_fake = g(z)\nd_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(x_real)).mean()",
        hint="You compute both terms from the real images.",
        value=lambda s: mean(as_real(s.real)) + mean(as_fake(s.real)),
    ),
    _wrong(
        "ns-d-fake-twice",
        "The fake images are used in place of the real ones.",
        "fake = d(g(z))\nd_loss = F.softplus(-fake).mean() + F.softplus(fake).mean()",
        hint="You compute both terms from the fake images.",
        value=lambda s: mean(as_real(s.fake)) + mean(as_fake(s.fake)),
    ),
    _wrong(
        "ns-d-generator-not-called",
        "Noise with the shape of an image is used in place of the generator's images.",
        """
        noise = torch.randn_like(x_real)
        d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(noise)).mean()
        """,
        says="never calls g",
    ),
    # ---- from logit to logarithm ---------------------------------------------------------------
    _wrong(
        "ns-d-one-minus-logit",
        "The sigmoid gets 1 - h instead of -h: log sigmoid(1 - h) is not log(1 - D).",
        """
        d_loss = -F.logsigmoid(d(x_real)).mean() - F.logsigmoid(1 - d(g(z))).mean()
        """,
        hint="You subtract the logit from 1; you must subtract the probability from 1.",
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
        hint="You apply the sigmoid twice.",
        value=lambda s: mean(as_real(gan.sigmoid(s.real))) + mean(as_fake(gan.sigmoid(s.fake))),
    ),
    _wrong(
        "ns-d-log-of-logits",
        "The logits are used as probabilities, and their logarithm is NaN.",
        "d_loss = -torch.log(d(x_real)).mean() - torch.log(1 - d(g(z))).mean()",
        says="NaN or infinite",
    ),
    _wrong(
        "ns-d-log-of-clamped-logits",
        "The logits are used as probabilities, clamped to where the logarithm exists.",
        """
        real, fake = d(x_real).clamp(1e-3, 1 - 1e-3), d(g(z)).clamp(1e-3, 1 - 1e-3)
        d_loss = -torch.log(real).mean() - torch.log(1 - fake).mean()
        """,
        hint="You use the logits as if they were probabilities: the sigmoid is missing.",
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
        hint="Your logarithm has base 2; it must be the natural logarithm.",
        value=d_loss(as_real, as_fake, factor=1.0 / np.log(2.0)),
    ),
    _wrong(
        "ns-d-base-10",
        "The logarithm has base 10.",
        """
        real, fake = torch.sigmoid(d(x_real)), torch.sigmoid(d(g(z)))
        d_loss = -torch.log10(real).mean() - torch.log10(1 - fake).mean()
        """,
        hint="Your logarithm has base 10; it must be the natural logarithm.",
        value=d_loss(as_real, as_fake, factor=1.0 / np.log(10.0)),
    ),
    _wrong(
        "ns-d-no-logarithm",
        "The probabilities are used as they are: the logarithms are missing.",
        "d_loss = torch.sigmoid(d(g(z))).mean() - torch.sigmoid(d(x_real)).mean()",
        hint="The logarithms are missing: your loss uses the probabilities themselves.",
        value=d_loss(lambda h: -gan.sigmoid(h), gan.sigmoid),
    ),
    _wrong(
        "ns-d-no-logarithm-of-either",
        "-D - (1 - D) is used instead of the logarithms of both.",
        """
        real, fake = torch.sigmoid(d(x_real)), torch.sigmoid(d(g(z)))
        d_loss = -real.mean() - (1 - fake).mean()
        """,
        hint="The logarithms are missing: your loss uses the probabilities themselves.",
        value=d_loss(lambda h: -gan.sigmoid(h), lambda h: -gan.sigmoid(-h)),
    ),
    _wrong(
        "ns-d-one-minus-logarithm",
        "1 - log D is used instead of log(1 - D).",
        "d_loss = -F.logsigmoid(d(x_real)).mean() - (1 - F.logsigmoid(d(g(z)))).mean()",
        hint="For the fake images you use 1 - log D; it must be the logarithm of 1 - D.",
        value=d_loss(as_real, lambda h: -(1.0 + as_real(h))),
    ),
    _wrong(
        "ns-d-softmax-over-batch",
        "A softmax over the batch is used instead of a sigmoid of each logit.",
        """
        real, fake = d(x_real), d(g(z))
        d_loss = -F.log_softmax(real, dim=0).mean() - F.log_softmax(-fake, dim=0).mean()
        """,
        hint="You apply a softmax over the batch, so its images compete; each image has its own "
        "probability.",
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
        "The term of the fake images is halved.",
        "d_loss = F.softplus(-d(x_real)).mean() + 0.5 * F.softplus(d(g(z))).mean()",
        hint="The term of the fake images has only half of its weight.",
        value=d_loss(as_real, lambda h: 0.5 * as_fake(h)),
    ),
    _wrong(
        "ns-d-real-term-halved",
        "The term of the real images is halved.",
        "d_loss = 0.5 * F.softplus(-d(x_real)).mean() + F.softplus(d(g(z))).mean()",
        hint="The term of the real images has only half of its weight.",
        value=d_loss(lambda h: 0.5 * as_real(h), as_fake),
    ),
    _wrong(
        "ns-d-mean-of-joined-batch",
        "Real and fake images are joined, and one mean is taken over all of them.",
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
        hint="Your value is a sum over the batch; it must be the mean.",
        value=d_loss(as_real, as_fake, np.sum),
    ),
    _wrong(
        "ns-d-sum-over-64",
        "The sum is divided by 64, whatever the batch size.",
        "d_loss = (F.softplus(-d(x_real)).sum() + F.softplus(d(g(z))).sum()) / 64",
        hint="You divide the sum over the batch by 64; divide it by the number of examples.",
        value=d_loss(as_real, as_fake, lambda terms: np.sum(terms) / 64),
    ),
    _wrong(
        "ns-d-maximised",
        "The loss has the opposite sign: it is what d maximises.",
        "d_loss = F.logsigmoid(d(x_real)).mean() + F.logsigmoid(-d(g(z))).mean()",
        hint="Your value has the wrong sign: it is what d maximises, but the loss is minimised.",
        value=d_loss(as_real, as_fake, factor=-1.0),
    ),
    _wrong(
        "ns-d-fake-term-subtracted",
        "The term of the fake images has the wrong sign.",
        "d_loss = F.softplus(-d(x_real)).mean() - F.softplus(d(g(z))).mean()",
        hint="The term of the fake images has the wrong sign.",
        value=d_loss(as_real, lambda h: -as_fake(h)),
    ),
    _wrong(
        "ns-d-mean-of-probabilities",
        "The mean is taken before the logarithm.",
        """
        real, fake = torch.sigmoid(d(x_real)).mean(), torch.sigmoid(d(g(z))).mean()
        d_loss = -torch.log(real) - torch.log(1 - fake)
        """,
        hint="You take the mean before the logarithm; it must be the mean of the logarithms.",
        value=lambda s: -np.log(mean(gan.sigmoid(s.real))) - np.log(mean(gan.sigmoid(-s.fake))),
    ),
    _wrong(
        "ns-d-mean-of-logits",
        "The logits are averaged before the sigmoid and the logarithm.",
        "d_loss = F.softplus(-d(x_real).mean()) + F.softplus(d(g(z)).mean())",
        hint="You average the logits first; it must be the mean of the logarithms of all images.",
        value=lambda s: as_real(np.asarray(mean(s.real))) + as_fake(np.asarray(mean(s.fake))),
    ),
)
