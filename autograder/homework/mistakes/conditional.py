"""Mistakes of 4.2: the losses of the conditional GAN, mainly their labels."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.mistakes import (
    clamped,
    nonsaturating_d,
    nonsaturating_d_other,
    nonsaturating_g,
)
from autograder.homework.mistakes.gan_predictions import LossMistakes, as_fake, as_real, d_loss

_wrong_d = LossMistakes("conditional_loss_nonsaturating_d")
_wrong_g = LossMistakes("conditional_loss_nonsaturating_g")

# The losses when the fake images have separate labels.
_D_WITH_FAKE_LABELS = """
d_loss = F.softplus(-d(x_real, y_real)).mean() + F.softplus(d(g(z, y_fake), y_fake)).mean()
"""
_G_WITH_FAKE_LABELS = "\ng_loss = F.softplus(-d(g(z, y_fake), y_fake)).mean()"
_NOT_UNIFORM = "neither y_real nor uniform"
_ANOTHER_LABEL = "another label than it was made for"
_NOT_THEIRS = "labels that are not theirs"

_OWN: tuple[Wrong, ...] = (
    # ---- labels of the fake images -------------------------------------------------------------
    _wrong_d(
        "cond-d-labels-0-or-1",
        "The labels of the fake images are drawn from {0, 1}, as if they meant real and fake.",
        "y_fake = torch.randint(0, 2, (batch_size,), device=device)" + _D_WITH_FAKE_LABELS,
        says=_NOT_UNIFORM,
    ),
    _wrong_d(
        "cond-d-labels-zero",
        "All fake images have the label 0, as if it meant fake.",
        "y_fake = torch.zeros_like(y_real)" + _D_WITH_FAKE_LABELS,
        says=_NOT_UNIFORM,
    ),
    _wrong_d(
        "cond-d-last-class-missing",
        "The labels of the fake images are drawn from 0 to 8.",
        "y_fake = torch.randint(0, 9, (batch_size,), device=device)" + _D_WITH_FAKE_LABELS,
        says=_NOT_UNIFORM,
    ),
    _wrong_d(
        "cond-d-one-label-for-the-batch",
        "One label is drawn for all fake images of a batch.",
        "y_fake = torch.randint(0, 10, (1,), device=device).expand(batch_size)"
        + _D_WITH_FAKE_LABELS,
        says=_NOT_UNIFORM,
    ),
    _wrong_d(
        "cond-d-rounded-normal-labels",
        "The labels of the fake images are rounded normal numbers.",
        "y_fake = (4.5 + 1.5 * torch.randn(batch_size)).clamp(0, 9).long().to(device)"
        + _D_WITH_FAKE_LABELS,
        says=_NOT_UNIFORM,
    ),
    _wrong_d(
        "cond-d-fake-judged-with-real-label",
        "The fake images are made with random labels and judged with the real labels.",
        """
        y_fake = torch.randint(0, 10, (batch_size,), device=device)
        d_loss = F.softplus(-d(x_real, y_real)).mean() + F.softplus(d(g(z, y_fake), y_real)).mean()
        """,
        says=_ANOTHER_LABEL,
    ),
    _wrong_d(
        "cond-d-fake-judged-with-random-label",
        "The fake images are made with the real labels and judged with random ones.",
        """
        y_fake = torch.randint(0, 10, (batch_size,), device=device)
        d_loss = F.softplus(-d(x_real, y_real)).mean() + F.softplus(d(g(z, y_real), y_fake)).mean()
        """,
        says=_ANOTHER_LABEL,
    ),
    _wrong_d(
        "cond-d-labels-drawn-twice",
        "Random labels are drawn separately for g and for d.",
        """
        def labels():
            return torch.randint(0, 10, (batch_size,), device=device)

        d_loss = F.softplus(-d(x_real, y_real)).mean()
        d_loss = d_loss + F.softplus(d(g(z, labels()), labels())).mean()
        """,
        says=_ANOTHER_LABEL,
    ),
    # ---- labels of the real images -------------------------------------------------------------
    _wrong_d(
        "cond-d-real-judged-with-random-label",
        "The real images are judged with random labels.",
        """
        y = torch.randint(0, 10, (batch_size,), device=device)
        d_loss = F.softplus(-d(x_real, y)).mean() + F.softplus(d(g(z, y), y)).mean()
        """,
        says=_NOT_THEIRS,
    ),
    _wrong_d(
        "cond-d-images-shuffled-alone",
        "The real images are shuffled, but their labels are not.",
        """
        x_real = x_real[torch.randperm(batch_size)]
        d_loss = F.softplus(-d(x_real, y_real)).mean() + F.softplus(d(g(z, y_real), y_real)).mean()
        """,
        says=_NOT_THEIRS,
    ),
    _wrong_d(
        "cond-d-mismatched-pairs",
        "Real images with a wrong label are added as a third kind of fake.",
        """
        y_wrong = (y_real + 1) % 10
        d_loss = F.softplus(-d(x_real, y_real)).mean() + F.softplus(d(g(z, y_real), y_real)).mean()
        d_loss = d_loss + F.softplus(d(x_real, y_wrong)).mean()
        """,
        says=_NOT_THEIRS,
    ),
    # ---- the form of the labels ----------------------------------------------------------------
    _wrong_d(
        "cond-d-one-hot-labels",
        "The labels are turned into one-hot vectors, which the networks already do.",
        """
        y = F.one_hot(y_real, 10)
        d_loss = F.softplus(-d(x_real, y)).mean() + F.softplus(d(g(z, y), y)).mean()
        """,
        says="labels that are not an int64 tensor",
    ),
    _wrong_d(
        "cond-d-float-labels",
        "The labels are turned into floating-point numbers.",
        """
        y = y_real.float()
        d_loss = F.softplus(-d(x_real, y)).mean() + F.softplus(d(g(z, y), y)).mean()
        """,
        says="labels that are not an int64 tensor",
    ),
    _wrong_d(
        "cond-d-labels-forgotten",
        "The unconditional loss, without labels.",
        "d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(g(z))).mean()",
        says="an input and labels",
    ),
    # ---- the generator's loss ------------------------------------------------------------------
    _wrong_g(
        "cond-g-labels-0-or-1",
        "The labels of the fake images are drawn from {0, 1}.",
        "y_fake = torch.randint(0, 2, (batch_size,), device=device)" + _G_WITH_FAKE_LABELS,
        says=_NOT_UNIFORM,
    ),
    _wrong_g(
        "cond-g-labels-1-to-9",
        "The labels of the fake images are drawn from 1 to 9: class 0 never occurs.",
        "y_fake = torch.randint(1, 10, (batch_size,), device=device)" + _G_WITH_FAKE_LABELS,
        says=_NOT_UNIFORM,
    ),
    _wrong_g(
        "cond-g-labels-rounded",
        "Labels are rounded instead of truncated: the first and last class occur too rarely.",
        "y_fake = (9 * torch.rand(batch_size, device=device)).round().long()" + _G_WITH_FAKE_LABELS,
        says=_NOT_UNIFORM,
    ),
    _wrong_g(
        "cond-g-freezes-d",
        "The parameters of d are frozen for the generator's step and never unfrozen.",
        """
        for parameter in d.parameters():
            parameter.requires_grad_(False)
        g_loss = F.softplus(-d(g(z, y_real), y_real)).mean()
        """,
        says="are frozen",
    ),
    _wrong_g(
        "cond-g-leaves-g-in-evaluation",
        "g is put into evaluation mode and stays there.",
        """
        g.eval()
        g_loss = F.softplus(-d(g(z, y_real), y_real)).mean()
        """,
        says="into evaluation mode",
    ),
    _wrong_d(
        "cond-d-labels-seeded",
        "The labels of the fake images are the same in every call.",
        "seeded = torch.Generator().manual_seed(0)\n"
        "y_fake = torch.randint(0, 10, (batch_size,), generator=seeded).to(device)"
        + _D_WITH_FAKE_LABELS,
        says="the same in every call",
    ),
    _wrong_g(
        "cond-g-labels-one",
        "All fake images have the label 1, as if it meant real.",
        "y_fake = torch.ones_like(y_real)" + _G_WITH_FAKE_LABELS,
        says=_NOT_UNIFORM,
    ),
    _wrong_g(
        "cond-g-labels-by-place",
        "The labels 0, 1, 2, ... follow the position in the batch, as in the figures.",
        "y_fake = torch.arange(batch_size, device=device).clamp(max=9)" + _G_WITH_FAKE_LABELS,
        says=_NOT_UNIFORM,
    ),
    _wrong_g(
        "cond-g-judged-with-real-label",
        "The fake images are made with random labels and judged with the real labels.",
        """
        y_fake = torch.randint(0, 10, (batch_size,), device=device)
        g_loss = F.softplus(-d(g(z, y_fake), y_real)).mean()
        """,
        says=_ANOTHER_LABEL,
    ),
    _wrong_g(
        "cond-g-judged-with-shuffled-labels",
        "The labels are shuffled between g and d.",
        "g_loss = F.softplus(-d(g(z, y_real), y_real[torch.randperm(batch_size)])).mean()",
        says=_ANOTHER_LABEL,
    ),
    # ---- the discriminator's loss: mistakes that 2.2 does not have -----------------------------
    _wrong_d(
        "cond-d-divided-by-classes",
        "The sum over the batch is divided by 10, the number of classes.",
        """
        real, fake = d(x_real, y_real), d(g(z, y_real), y_real)
        d_loss = (F.softplus(-real) + F.softplus(fake)).sum() / 10
        """,
        hint="You divide the sum over the batch by the number of classes; divide it by the number "
        "of examples.",
        value=d_loss(as_real, as_fake, lambda terms: np.sum(terms) / 10),
    ),
    _wrong_d(
        "cond-d-z-zero",
        "z is all zeros: the label alone determines the image.",
        """
        x_fake = g(torch.zeros_like(z), y_real)
        d_loss = F.softplus(-d(x_real, y_real)).mean() + F.softplus(d(x_fake, y_real)).mean()
        """,
        says="the same z for several examples",
    ),
    # ---- the generator's loss ------------------------------------------------------------------
    _wrong_g(
        "cond-g-detached",
        "The fake images are detached, as in the discriminator's loss.",
        "g_loss = F.softplus(-d(g(z, y_real).detach(), y_real)).mean()",
        says="reaches the generator",
    ),
    _wrong_g(
        "cond-g-z-uniform",
        "z is drawn uniformly from [0, 1].",
        "g_loss = F.softplus(-d(g(torch.rand_like(z), y_real), y_real)).mean()",
        says="not standard normal",
    ),
    _wrong_g(
        "cond-g-z-shared-by-a-class",
        "All images of one class come from one z.",
        """
        by_class = torch.randn(10, g.dim_z, device=device)
        g_loss = F.softplus(-d(g(by_class[y_real], y_real), y_real)).mean()
        """,
        says="the same z for several examples",
    ),
)

# Calls of g and d as the entries of 2.2 write them, inner ones first, and the same with labels.
_CALLS = (
    ("g(z)", "g(z, y_real)"),
    ("d(x_real)", "d(x_real, y_real)"),
    ("d(x_fake)", "d(x_fake, y_real)"),
    ("d(g(z, y_real))", "d(g(z, y_real), y_real)"),
    ("d(torch.tanh(g(z, y_real)))", "d(torch.tanh(g(z, y_real)), y_real)"),
)


def with_labels(entry: Wrong) -> Wrong:
    """Return a mistake of 2.2 in its form of 4.2: every call gets the real labels.

    Raises:
        ValueError: its code calls g or d in another way.
    """
    code = entry.code
    for call, labelled in _CALLS:
        code = code.replace(call, labelled)
    if len(re.findall(r"(?<![\w.])[dg]\(", code)) != code.count("y_real)"):
        raise ValueError(f"{entry.id}: not every call of g and d has labels now: {code}")
    function = entry.region.partition(" ")[2]
    return replace(
        entry,
        id=entry.id.replace("ns-", "cond-", 1),
        region=f"4.2 conditional_{function}",
        code=code,
        answers={f"conditional_{name}": answer for name, answer in entry.answers.items()},
    )


WRONG: tuple[Wrong, ...] = (
    *_OWN,
    # A student who makes a mistake in 2.2 repeats it in 4.2.
    *(
        with_labels(entry)
        for module in (nonsaturating_d, nonsaturating_d_other, nonsaturating_g, clamped)
        for entry in module.WRONG
        if entry.hint and not entry.also
    ),
)
