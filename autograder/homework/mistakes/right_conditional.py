"""Correct solutions of 4.2, the conditional losses, that differ from the reference."""

from __future__ import annotations

from functools import partial

from autograder.engine.catalogue.solutions import Right
from autograder.homework.mistakes.right_nonsaturating import right_losses

_right = partial(right_losses, "4.2 conditional_loss_nonsaturating")

RIGHT: tuple[Right, ...] = (
    _right(
        "right-cond-bce",
        "Binary cross-entropy from logits; the fake images get the labels of the real ones.",
        d_loss="""
        real, fake = d(x_real, y_real), d(g(z, y_real), y_real)
        d_loss = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
        d_loss = d_loss + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
        """,
        g_loss="""
        logits = d(g(z, y_real), y_real)
        g_loss = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
        """,
    ),
    _right(
        "right-cond-uniform-labels",
        "The labels of the fake images are drawn uniformly.",
        d_loss="""
        y_fake = torch.randint(0, 10, (batch_size,), device=device)
        real, fake = d(x_real, y_real), d(g(z, y_fake).detach(), y_fake)
        d_loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        """,
        g_loss="""
        y_fake = torch.randint_like(y_real, 10)
        g_loss = F.softplus(-d(g(z, y_fake), y_fake)).mean()
        """,
    ),
    _right(
        "right-cond-counts-classes-by-g",
        "Uniform labels, with the number of classes from g.num_classes.",
        d_loss="""
        y_fake = torch.randint(0, g.num_classes, (batch_size,), device=device)
        real, fake = d(x_real, y_real), d(g(z, y_fake).detach(), y_fake)
        d_loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        """,
        g_loss="""
        y_fake = torch.randint(0, g.num_classes, (batch_size,), device=device)
        g_loss = F.softplus(-d(g(z, y_fake), y_fake)).mean()
        """,
    ),
    _right(
        "right-cond-labels-by-other-means",
        "Uniform labels from numpy and from multinomial.",
        d_loss="""
        import numpy as np

        y_fake = torch.from_numpy(np.random.randint(0, 10, size=batch_size)).to(y_real)
        real, fake = d(x_real, y_real), d(g(z, y_fake), y_fake)
        d_loss = -F.logsigmoid(real).mean() - F.logsigmoid(-fake).mean()
        """,
        g_loss="""
        chances = torch.ones(10, device=device)
        y_fake = torch.multinomial(chances, batch_size, replacement=True)
        g_loss = -F.logsigmoid(d(g(z, y_fake), y_fake)).mean()
        """,
    ),
    _right(
        "right-cond-shuffled-labels",
        "The fake images get the labels of the real ones in another order.",
        d_loss="""
        y_fake = y_real[torch.randperm(batch_size, device=device)]
        real, fake = d(x_real, y_real), d(g(z, y_fake), y_fake)
        d_loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        """,
        g_loss="""
        y_fake = y_real.flip(0)
        g_loss = F.softplus(-d(g(z, y_fake), y_fake)).mean()
        """,
    ),
    _right(
        "right-cond-joined",
        "Real and fake images go through d in one call, with their labels.",
        d_loss="""
        y_fake = torch.randint(0, 10, (batch_size,), device=device)
        images = torch.cat([g(z, y_fake).detach(), x_real])
        logits = d(images, torch.cat([y_fake, y_real]))
        targets = torch.arange(2 * batch_size, device=device) >= batch_size
        d_loss = 2 * F.binary_cross_entropy_with_logits(logits, targets.float())
        """,
    ),
    _right(
        "right-cond-pairs-shuffled",
        "The real images are shuffled together with their labels.",
        d_loss="""
        order = torch.randperm(batch_size, device=device)
        x_real, y_real = x_real[order], y_real[order]
        real, fake = d(x_real, y_real), d(g(z, y_real), y_real)
        d_loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        """,
    ),
    _right(
        "right-cond-one-image-at-a-time",
        "A loop passes one image after the other to the networks.",
        d_loss="""
        losses = []
        for x, y, latent in zip(x_real.split(1), y_real.split(1), z.split(1)):
            losses.append(F.softplus(-d(x, y)) + F.softplus(d(g(latent, y), y)))
        d_loss = torch.cat(losses).mean()
        """,
    ),
    _right(
        "right-cond-log-of-sigmoid",
        "log(sigmoid) and log(1 - sigmoid), and g.forward.",
        d_loss="""
        real = torch.sigmoid(d(x_real, y_real))
        fake = torch.sigmoid(d(g.forward(z, y_real), y_real))
        d_loss = -torch.mean(torch.log(real) + torch.log(1 - fake))
        """,
        g_loss="g_loss = -torch.mean(torch.log(torch.sigmoid(d(g(z, y_real), y_real))))",
    ),
    _right(
        "right-cond-log-with-1e-6",
        "1e-6 is added inside the logarithms, the most that the tolerance allows.",
        d_loss="""
        real, fake = d(x_real, y_real).sigmoid(), d(g(z, y_real), y_real).sigmoid()
        d_loss = -(real + 1e-6).log().mean() - (1 - fake + 1e-6).log().mean()
        """,
        g_loss="g_loss = -(d(g(z, y_real), y_real).sigmoid() + 1e-6).log().mean()",
    ),
    _right(
        "right-cond-bce-of-clamped-probabilities",
        "Binary cross-entropy of probabilities that are clamped at 1e-7.",
        d_loss="""
        real = torch.sigmoid(d(x_real, y_real)).clamp(1e-7, 1 - 1e-7)
        fake = torch.sigmoid(d(g(z, y_real), y_real)).clamp(1e-7, 1 - 1e-7)
        d_loss = F.binary_cross_entropy(real, torch.ones_like(real))
        d_loss = d_loss + F.binary_cross_entropy(fake, torch.zeros_like(fake))
        """,
        g_loss="""
        fake = torch.sigmoid(d(g(z, y_real), y_real))
        g_loss = F.binary_cross_entropy(fake, torch.ones_like(fake))
        """,
    ),
    _right(
        "right-cond-keywords",
        "Images, latents and labels are passed by keyword.",
        d_loss="""
        real, fake = d(x=x_real, y=y_real), d(g(z=z, y=y_real), y=y_real)
        d_loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        """,
        g_loss="g_loss = F.softplus(-d(x=g(z, y=y_real), y=y_real)).mean()",
    ),
    _right(
        "right-cond-all-classes",
        "Averages over all ten labels for every z instead of drawing one.",
        g_loss="""
        labels = [torch.full_like(y_real, k) for k in range(10)]
        g_loss = torch.stack([F.softplus(-d(g(z, y), y)).mean() for y in labels]).mean()
        """,
    ),
)
