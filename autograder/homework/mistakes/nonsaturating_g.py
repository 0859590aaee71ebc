"""Mistakes of 2.2: the generator's loss of the non-saturating GAN."""

from __future__ import annotations

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.mistakes.gan_predictions import (
    LossMistakes,
    as_fake,
    as_real,
    g_loss,
    hinge,
    mean,
    minus_log_softmax,
    on_images,
    smoothed,
    squared_distance,
)
from autograder.homework.oracles import gan

_wrong = LossMistakes("loss_nonsaturating_g")
_CALLED_FAKE = (
    "Your loss is small when d labels the fake images as fake, so g learns to make images that "
    "look fake."
)

WRONG: tuple[Wrong, ...] = (
    # ---- from logit to logarithm ---------------------------------------------------------------
    _wrong(
        "ns-g-minimax",
        "The minimax loss, whose gradient vanishes when d is sure.",
        "g_loss = torch.log(1 - torch.sigmoid(d(g(z)))).mean()",
        hint="This is the minimax loss, which the loss of 2.2 replaces.",
        value=g_loss(as_fake, factor=-1.0),
    ),
    _wrong(
        "ns-g-minus-minimax",
        "-log(1 - D) is used instead of -log D.",
        "g_loss = F.softplus(d(g(z))).mean()",
        hint=_CALLED_FAKE,
        value=g_loss(as_fake),
    ),
    _wrong(
        "ns-g-label-zero",
        "The fake images have the label 0, as in the discriminator's loss.",
        """
        logits = d(g(z))
        g_loss = F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))
        """,
        hint=_CALLED_FAKE,
        value=g_loss(as_fake),
    ),
    _wrong(
        "ns-g-one-minus-logit",
        "The sigmoid gets 1 - h instead of h.",
        "g_loss = -F.logsigmoid(1 - d(g(z))).mean()",
        hint="You subtract the logit from 1 before the sigmoid; use the logit itself.",
        value=g_loss(lambda h: as_real(1.0 - h)),
    ),
    _wrong(
        "ns-g-sigmoid-twice",
        "The sigmoid is applied before a loss that applies it again.",
        """
        fake = torch.sigmoid(d(g(z)))
        g_loss = F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))
        """,
        hint="You apply the sigmoid twice.",
        value=g_loss(lambda h: as_real(gan.sigmoid(h))),
    ),
    _wrong(
        "ns-g-constant",
        "The logits are multiplied by 0.",
        "g_loss = F.softplus(-0 * d(g(z))).mean()",
        hint="Your loss is the constant log 2, whatever d outputs for the fake images.",
        value=g_loss(lambda h: as_real(0.0 * h)),
    ),
    _wrong(
        "ns-g-in-bits",
        "The logarithm has base 2.",
        "g_loss = -torch.log2(torch.sigmoid(d(g(z)))).mean()",
        hint="Your logarithm has base 2; it must be the natural logarithm.",
        value=g_loss(as_real, factor=1.0 / np.log(2.0)),
    ),
    _wrong(
        "ns-g-base-10",
        "The logarithm has base 10.",
        "g_loss = -torch.log10(torch.sigmoid(d(g(z)))).mean()",
        hint="Your logarithm has base 10; it must be the natural logarithm.",
        value=g_loss(as_real, factor=1.0 / np.log(10.0)),
    ),
    _wrong(
        "ns-g-no-logarithm",
        "The probability is used as it is: the logarithm is missing.",
        "g_loss = -torch.sigmoid(d(g(z))).mean()",
        hint="The logarithm is missing: your loss uses the probability itself.",
        value=g_loss(lambda h: -gan.sigmoid(h)),
    ),
    _wrong(
        "ns-g-one-minus-probability",
        "1 - D is used instead of -log D.",
        "g_loss = (1 - torch.sigmoid(d(g(z)))).mean()",
        hint="The logarithm is missing: your loss uses 1 - D itself.",
        value=g_loss(lambda h: gan.sigmoid(-h)),
    ),
    _wrong(
        "ns-g-softmax-over-batch",
        "A softmax over the batch is used instead of a sigmoid of each logit.",
        "g_loss = -F.log_softmax(d(g(z)), dim=0).mean()",
        hint="You apply a softmax over the batch, so its images compete; each image has its own "
        "probability.",
        value=g_loss(minus_log_softmax),
    ),
    # ---- mean, sum, sign -----------------------------------------------------------------------
    _wrong(
        "ns-g-maximised",
        "The minus sign is missing.",
        "g_loss = F.logsigmoid(d(g(z))).mean()",
        hint="Your value has the wrong sign: minimising it teaches g to make images that look "
        "fake.",
        value=g_loss(as_real, factor=-1.0),
    ),
    _wrong(
        "ns-g-sum",
        "The losses of a batch are summed instead of averaged.",
        "g_loss = F.softplus(-d(g(z))).sum()",
        hint="Your value is a sum over the batch; it must be the mean.",
        value=g_loss(as_real, np.sum),
    ),
    _wrong(
        "ns-g-half",
        "The loss is halved.",
        "g_loss = 0.5 * F.softplus(-d(g(z))).mean()",
        hint="Your value is half of the expected one.",
        value=g_loss(as_real, factor=0.5),
    ),
    _wrong(
        "ns-g-divided-by-one-less",
        "The sum is divided by B - 1.",
        "g_loss = F.softplus(-d(g(z))).sum() / (batch_size - 1)",
        hint="You divide the sum by one less than the number of examples.",
        value=g_loss(as_real, lambda terms: np.sum(terms) / max(len(terms) - 1, 1)),
    ),
    _wrong(
        "ns-g-mean-of-probabilities",
        "The mean is taken before the logarithm.",
        "g_loss = -torch.log(torch.sigmoid(d(g(z))).mean())",
        hint="You take the mean before the logarithm; it must be the mean of the logarithms.",
        value=lambda s: -np.log(mean(gan.sigmoid(s.fake))),
    ),
    _wrong(
        "ns-g-mean-of-logits",
        "The logits are averaged before the sigmoid and the logarithm.",
        "g_loss = F.softplus(-d(g(z)).mean())",
        hint="You average the logits first; it must be the mean of the logarithms of all images.",
        value=lambda s: as_real(np.asarray(mean(s.fake))),
    ),
    # ---- another loss --------------------------------------------------------------------------
    _wrong(
        "ns-g-with-real-term",
        "A term of the real images is added.",
        "g_loss = F.softplus(-d(g(z))).mean() + F.softplus(-d(x_real)).mean()",
        hint="Your loss adds a term of the real images; the generator's loss has none.",
        value=lambda s: mean(as_real(s.fake)) + mean(as_real(s.real)),
    ),
    _wrong(
        "ns-g-d-loss-with-labels-swapped",
        "The discriminator's loss with both labels swapped, real images included.",
        "g_loss = F.softplus(-d(g(z))).mean() + F.softplus(d(x_real)).mean()",
        hint="Your loss adds a term of the real images; the generator's loss has none.",
        value=lambda s: mean(as_real(s.fake)) + mean(as_fake(s.real)),
    ),
    _wrong(
        "ns-g-minus-d-loss",
        "The discriminator's loss with the opposite sign.",
        "g_loss = -(F.softplus(-d(x_real)).mean() + F.softplus(d(g(z))).mean())",
        hint="This is minus the discriminator's loss, which is the minimax game.",
        value=lambda s: -mean(as_real(s.real)) - mean(as_fake(s.fake)),
    ),
    _wrong(
        "ns-g-least-squares",
        "The loss of the least-squares GAN.",
        "g_loss = ((d(g(z)) - 1) ** 2).mean()",
        hint="This is the loss of the least-squares GAN.",
        value=g_loss(squared_distance(1.0)),
    ),
    _wrong(
        "ns-g-least-squares-halved",
        "The loss of the least-squares GAN with its factor of one half.",
        "g_loss = 0.5 * ((d(g(z)) - 1) ** 2).mean()",
        hint="This is the loss of the least-squares GAN, with a factor of one half.",
        value=g_loss(squared_distance(1.0), factor=0.5),
    ),
    _wrong(
        "ns-g-squared-probabilities",
        "The squared error of the probability is used instead of the cross-entropy.",
        "g_loss = ((torch.sigmoid(d(g(z))) - 1) ** 2).mean()",
        hint="Your loss is the squared error of the probability; it must use its logarithm.",
        value=g_loss(lambda h: gan.sigmoid(-h) ** 2),
    ),
    _wrong(
        "ns-g-minimax-added",
        "The minimax loss is added to the non-saturating one, as in 3.3.",
        """
        h = d(g(z))
        g_loss = (F.logsigmoid(-h) - F.logsigmoid(h)).mean()
        """,
        hint="You add the minimax loss to the non-saturating one; 2.2 uses the non-saturating one "
        "alone.",
        value=g_loss(lambda h: -h),
    ),
    _wrong(
        "ns-g-wasserstein",
        "The Wasserstein loss, without the sigmoid and the logarithm.",
        "g_loss = -d(g(z)).mean()",
        hint="This is the Wasserstein loss of problem 5.",
        value=g_loss(lambda h: -h),
    ),
    _wrong(
        "ns-g-hinge",
        "A hinge loss.",
        "g_loss = F.relu(1 - d(g(z))).mean()",
        hint="This is a hinge loss.",
        value=g_loss(hinge(1.0)),
    ),
    _wrong(
        "ns-g-smooth-labels",
        "The target label is 0.9.",
        """
        logits = d(g(z))
        g_loss = F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, 0.9))
        """,
        hint="The target is 0.9 (label smoothing); it must be 1.",
        value=g_loss(smoothed(0.9)),
    ),
    # ---- the input of d ------------------------------------------------------------------------
    _wrong(
        "ns-g-real-images",
        "d judges the real images instead of the fake ones.",
        "x_fake = g(z)\ng_loss = F.softplus(-d(x_real)).mean()",
        hint="You compute the loss from the real images; it must use the fake ones.",
        value=lambda s: mean(as_real(s.real)),
    ),
    _wrong(
        "ns-g-tanh-on-fakes",
        "The generator's images go through tanh before d gets them.",
        "g_loss = F.softplus(-d(torch.tanh(g(z)))).mean()",
        hint="You pass the fake images through tanh; d must get the output of g as it is.",
        value=on_images(np.tanh, lambda s, fake: mean(as_real(fake))),
    ),
    # ---- gradients -----------------------------------------------------------------------------
    _wrong(
        "ns-g-detached",
        "The fake images are detached, as in the discriminator's loss.",
        "g_loss = F.softplus(-d(g(z).detach())).mean()",
        says="reaches the generator",
    ),
    _wrong(
        "ns-g-no-grad",
        "The fake images are made inside no_grad.",
        """
        with torch.no_grad():
            x_fake = g(z)
        g_loss = F.softplus(-d(x_fake)).mean()
        """,
        says="reaches the generator",
    ),
    _wrong(
        "ns-g-new-leaf",
        "A new tensor is made from the loss, so that backward() runs without an error.",
        """
        value = F.softplus(-d(g(z))).mean()
        g_loss = torch.tensor(value.item(), requires_grad=True)
        """,
        says="reaches the generator",
    ),
    _wrong(
        "ns-g-freezes-d",
        "The parameters of d are frozen for the generator's step and never unfrozen.",
        """
        for parameter in d.parameters():
            parameter.requires_grad = False
        g_loss = F.softplus(-d(g(z))).mean()
        """,
        says="are frozen",
    ),
    _wrong(
        "ns-g-makes-fakes-in-evaluation",
        "The fake images are made in evaluation mode; training mode is restored afterwards.",
        """
        g.eval()
        x_fake = g(z)
        g.train()
        g_loss = F.softplus(-d(x_fake)).mean()
        """,
        says="into evaluation mode",
    ),
    _wrong(
        "ns-g-draws-weights-anew",
        "The weights of g are drawn again in every call.",
        """
        for layer in g.modules():
            if isinstance(layer, torch.nn.Linear):
                torch.nn.init.normal_(layer.weight, 0.0, 0.02)
        g_loss = F.softplus(-d(g(z))).mean()
        """,
        says="changes parameters",
    ),
    _wrong(
        "ns-g-brightest-fakes",
        "d gets only the brighter half of the fake images.",
        """
        x_fake = g(z)
        brightest = x_fake.detach().flatten(1).mean(dim=1).topk(batch_size // 2).indices
        g_loss = F.softplus(-d(x_fake[brightest])).mean()
        """,
        says="of the images that g made for a batch",
    ),
    # ---- the draws of z ------------------------------------------------------------------------
    _wrong(
        "ns-g-z-zero",
        "z is all zeros.",
        "g_loss = F.softplus(-d(g(torch.zeros_like(z)))).mean()",
        says="the same z for several examples",
    ),
    _wrong(
        "ns-g-seeds-the-draws",
        "The loss seeds torch's random numbers, so every step draws the same z.",
        """
        torch.manual_seed(42)
        g_loss = F.softplus(-d(g(z))).mean()
        """,
        says="seeds the random numbers itself",
    ),
    _wrong(
        "ns-g-z-symmetric-uniform",
        "z is drawn uniformly from [-1, 1].",
        "g_loss = F.softplus(-d(g(2 * torch.rand_like(z) - 1))).mean()",
        says="not standard normal",
    ),
    _wrong(
        "ns-g-z-entries-equal",
        "One number is drawn per example and used for all entries of its z.",
        "g_loss = F.softplus(-d(g(z[:, :1].expand(-1, g.dim_z)))).mean()",
        says="repeat each other",
    ),
    _wrong(
        "ns-g-z-unit-length",
        "z is scaled to length 1.",
        "g_loss = F.softplus(-d(g(F.normalize(z)))).mean()",
        says="not standard normal",
    ),
)
