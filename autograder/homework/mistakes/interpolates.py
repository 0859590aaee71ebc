"""Mistakes of 5.5: the points between real and fake images, where the penalty is taken."""

from __future__ import annotations

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.mistakes.gan_predictions import LossMistakes
from autograder.homework.mistakes.wasserstein_steps import with_step

_wrong_d = LossMistakes("loss_wasserstein_gp_d")

WRONG: tuple[Wrong, ...] = (
    _wrong_d(
        "wgan-one-point-for-the-batch",
        "The penalty is taken at one point only, between one real and one fake image.",
        with_step(
            alpha="alpha = torch.rand(1, 1, 1, 1, device=device)",
            points="points = (alpha * x_fake[:1] + (1 - alpha) * x_real[:1]).requires_grad_()",
        ),
        says="some of the pairs of images only",
    ),
    _wrong_d(
        "wgan-points-for-half-the-batch",
        "The penalty is taken for the first half of the batch only.",
        with_step(
            points="""
            half = (batch_size + 1) // 2
            points = (alpha * x_fake + (1 - alpha) * x_real)[:half].requires_grad_()
            """
        ),
        says="some of the pairs of images only",
    ),
    _wrong_d(
        "wgan-one-alpha-for-the-batch",
        "One interpolation weight is used for the whole batch.",
        with_step(alpha="alpha = torch.rand(1, device=device)"),
        says="share one interpolation weight",
    ),
    _wrong_d(
        "wgan-alpha-one-half",
        "All interpolation weights are 0.5.",
        with_step(alpha="alpha = 0.5"),
        says="share one interpolation weight",
    ),
    _wrong_d(
        "wgan-alpha-per-pixel",
        "Every pixel has its own interpolation weight.",
        with_step(alpha="alpha = torch.rand_like(x_real)"),
        says="no mixture",
    ),
    _wrong_d(
        "wgan-alpha-per-column",
        "Every column of pixels has its own interpolation weight.",
        with_step(alpha="alpha = torch.rand(batch_size, 1, 1, 28, device=device)"),
        says="no mixture",
    ),
    _wrong_d(
        "wgan-alpha-normal",
        "The interpolation weight is drawn from a normal distribution.",
        with_step(alpha="alpha = torch.randn(batch_size, 1, 1, 1, device=device)"),
        says="not confined to [0, 1]",
    ),
    _wrong_d(
        "wgan-alpha-clamped-normal",
        "The interpolation weight is normally distributed and clamped to [0, 1].",
        with_step(alpha="alpha = torch.randn(batch_size, 1, 1, 1, device=device).clamp(0, 1)"),
        says="not uniform on [0, 1]",
    ),
    _wrong_d(
        "wgan-alpha-squared",
        "The interpolation weight is squared.",
        with_step(alpha="alpha = torch.rand(batch_size, 1, 1, 1, device=device) ** 2"),
        says="not uniform on [0, 1]",
    ),
    _wrong_d(
        "wgan-alpha-up-to-0.9",
        "The interpolation weight is drawn from [0, 0.9].",
        with_step(alpha="alpha = 0.9 * torch.rand(batch_size, 1, 1, 1, device=device)"),
        says="do not reach both ends",
    ),
    _wrong_d(
        "wgan-alpha-kept-from-the-ends",
        "The interpolation weight is clamped to [0.1, 0.9].",
        with_step(alpha="alpha = torch.rand(batch_size, 1, 1, 1, device=device).clamp(0.1, 0.9)"),
        says="have the very same value",
    ),
    _wrong_d(
        "wgan-alpha-narrow-clamped-normal",
        "The interpolation weight is normal around 0.5 and clamped to [0, 1].",
        with_step(
            alpha="""
            alpha = 0.5 + 0.29 * torch.randn(batch_size, 1, 1, 1, device=device)
            alpha = alpha.clamp(0, 1)
            """
        ),
        says="have the very same value",
    ),
    _wrong_d(
        "wgan-alpha-shared-by-pairs",
        "Two examples share each interpolation weight.",
        with_step(
            alpha="""
            alpha = torch.rand(batch_size, 1, 1, 1, device=device)
            alpha = alpha[torch.arange(batch_size) // 2 * 2]
            """
        ),
        says="repeat each other",
    ),
    _wrong_d(
        "wgan-alpha-zero-or-one",
        "The interpolation weight is an integer, 0 or 1.",
        with_step(alpha="alpha = torch.randint(0, 2, (batch_size, 1, 1, 1), device=device)"),
        says="not uniform on [0, 1]",
    ),
    _wrong_d(
        "wgan-alpha-evenly-spaced",
        "The interpolation weights are evenly spaced and the same in every step.",
        with_step(
            alpha="alpha = torch.linspace(0.01, 0.99, batch_size, device=device).view(-1, 1, 1, 1)"
        ),
        says="repeat each other",
    ),
    _wrong_d(
        "wgan-alpha-of-shape-b-1-1",
        "The interpolation weights have shape (B, 1, 1), so the images of the batch are mixed.",
        with_step(alpha="alpha = torch.rand(batch_size, 1, 1, device=device)"),
        says="expected images of shape (B, 1, 28, 28)",
    ),
    _wrong_d(
        "wgan-alpha-of-shape-b",
        "The interpolation weights have shape (B,), which torch combines with the images' width.",
        with_step(alpha="alpha = torch.rand(batch_size, device=device)"),
        says="one number for each image needs the shape (B, 1, 1, 1)",
    ),
    _wrong_d(
        "wgan-mixture-not-convex",
        "The real image has the weight 1 instead of 1 - alpha.",
        with_step(points="points = (alpha * x_fake + x_real).requires_grad_()"),
        says="no mixture",
    ),
    _wrong_d(
        "wgan-same-weight-for-both",
        "Both images have the weight alpha.",
        with_step(points="points = (alpha * (x_fake + x_real)).requires_grad_()"),
        says="no mixture",
    ),
    _wrong_d(
        "wgan-two-weights",
        "A second weight is drawn for the real image.",
        with_step(
            points="""
            other = torch.rand_like(alpha)
            points = (alpha * x_fake + (1 - other) * x_real).requires_grad_()
            """
        ),
        says="no mixture",
    ),
    _wrong_d(
        "wgan-noise-around-real",
        "The penalty is taken at real images with added noise.",
        with_step(points="points = (x_real + 0.5 * torch.randn_like(x_real)).requires_grad_()"),
        says="no mixture",
    ),
)
