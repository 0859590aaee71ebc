"""Mistakes of 5.5: the gradient penalty of the critic's loss."""

from __future__ import annotations

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.mistakes.gan_predictions import (
    LossMistakes,
    critic_loss,
    critic_loss_by_weights,
    fake_images,
    from_norms,
    gradient_without,
    mean,
    norms_of,
    real_images,
    squared_excess,
)
from autograder.homework.mistakes.wasserstein_steps import with_step
from autograder.homework.problems.flow_parameters import Array

_wrong = LossMistakes("loss_wasserstein_gp_d")
_NO_GRAPH = (
    "The value is correct, but the penalty has no gradient, so training never lowers it. The "
    "gradient inside the penalty must keep its graph."
)
_ALONG_ONE_SIDE = "You take the norm along one side of an image; take it over all of its pixels."
_PER_PIXEL = "You take the norm of each pixel's derivative; take it over all pixels of an image."


def _as_images(gradients: Array) -> Array:
    return gradients.reshape(-1, 28, 28)


WRONG: tuple[Wrong, ...] = (
    # ---- lambda --------------------------------------------------------------------------------
    _wrong(
        "gp-missing",
        "There is no penalty.",
        "x_fake = g(z).detach()\nd_loss = d(x_fake).mean() - d(x_real).mean()",
        hint="The gradient penalty is missing.",
        value=lambda s: mean(s.fake) - mean(s.real),
    ),
    _wrong(
        "gp-not-added",
        "The penalty is computed but not added.",
        with_step(d_loss="d_loss = d(x_fake).mean() - d(x_real).mean()"),
        hint="The gradient penalty is missing.",
        value=lambda s: mean(s.fake) - mean(s.real),
    ),
    _wrong(
        "gp-lambda-1",
        "Lambda is 1.",
        with_step(d_loss="d_loss = d(x_fake).mean() - d(x_real).mean() + penalty"),
        hint="Your value is that of lambda 1.",
        value=critic_loss(lam=1.0),
    ),
    _wrong(
        "gp-lambda-one-tenth",
        "Lambda is 0.1.",
        with_step(d_loss="d_loss = d(x_fake).mean() - d(x_real).mean() + penalty / 10"),
        hint="Your value is that of lambda 0.1.",
        value=critic_loss(lam=0.1),
    ),
    _wrong(
        "gp-lambda-100",
        "Lambda is 100.",
        with_step(d_loss="d_loss = d(x_fake).mean() - d(x_real).mean() + 100 * penalty"),
        hint="Your value is that of lambda 100; perhaps you apply lambda twice.",
        value=critic_loss(lam=100.0),
    ),
    _wrong(
        "gp-lambda-squared",
        "Lambda is applied twice.",
        with_step(penalty="penalty = 10 * ((norms - 1) ** 2).mean()"),
        hint="Your value is that of lambda 100; perhaps you apply lambda twice.",
        value=critic_loss(lam=100.0),
    ),
    _wrong(
        "gp-lambda-times-norm",
        "Lambda multiplies the norm, inside the square.",
        with_step(
            penalty="penalty = ((10 * norms - 1) ** 2).mean()",
            d_loss="d_loss = d(x_fake).mean() - d(x_real).mean() + penalty",
        ),
        hint="You multiply the norm by lambda; lambda multiplies the penalty.",
        value=critic_loss(from_norms(lambda norms: squared_excess(10.0 * norms)), lam=1.0),
    ),
    _wrong(
        "gp-half",
        "The penalty is halved.",
        with_step(penalty="penalty = 0.5 * ((norms - 1) ** 2).mean()"),
        hint="The penalty has only half of its weight.",
        value=critic_loss(lam=5.0),
    ),
    _wrong(
        "gp-subtracted",
        "The penalty is subtracted.",
        with_step(d_loss="d_loss = d(x_fake).mean() - d(x_real).mean() - 10 * penalty"),
        hint="You subtract the penalty, so norms far from 1 are rewarded.",
        value=critic_loss(lam=-10.0),
    ),
    # ---- the norm ------------------------------------------------------------------------------
    _wrong(
        "gp-norm-of-the-batch",
        "One norm is taken over the gradients of the whole batch.",
        with_step(norms="norms = slopes.norm()"),
        hint="You take one norm over the whole batch; every image has its own gradient norm.",
        value=critic_loss(lambda slopes: (np.linalg.norm(slopes) - 1.0) ** 2),
    ),
    _wrong(
        "gp-per-pixel",
        "The norm is taken over the channel only.",
        with_step(norms="norms = slopes.norm(dim=1)"),
        hint=_PER_PIXEL,
        value=critic_loss(lambda slopes: squared_excess(np.abs(slopes))),
    ),
    _wrong(
        "gp-no-norm",
        "No norm is taken.",
        with_step(norms="norms = slopes"),
        hint="You take no norm: 1 is subtracted from every derivative itself.",
        value=critic_loss(squared_excess),
    ),
    _wrong(
        "gp-per-row",
        "The norm is taken of every row of pixels.",
        with_step(norms="norms = slopes.norm(dim=3)"),
        hint=_ALONG_ONE_SIDE,
        value=critic_loss(lambda g: squared_excess(np.linalg.norm(_as_images(g), axis=2))),
    ),
    _wrong(
        "gp-per-column",
        "The norm is taken of every column of pixels.",
        with_step(norms="norms = slopes.norm(dim=2)"),
        hint=_ALONG_ONE_SIDE,
        value=critic_loss(lambda g: squared_excess(np.linalg.norm(_as_images(g), axis=1))),
    ),
    _wrong(
        "gp-across-the-batch",
        "The norm is taken over the batch, separately for each pixel.",
        with_step(norms="norms = slopes.flatten(1).norm(dim=0)"),
        hint="You take the norm across the batch; every image has its own gradient norm.",
        value=critic_loss(lambda slopes: squared_excess(np.linalg.norm(slopes, axis=0))),
    ),
    _wrong(
        "gp-squared-norm",
        "The square root is missing, so the norm is squared.",
        with_step(norms="norms = slopes.pow(2).sum(dim=(1, 2, 3))"),
        hint="You use the square of the norm in place of the norm.",
        value=critic_loss(from_norms(lambda norms: squared_excess(norms**2))),
    ),
    _wrong(
        "gp-root-mean-square",
        "The squares are averaged over the pixels instead of summed.",
        with_step(norms="norms = slopes.pow(2).mean(dim=(1, 2, 3)).sqrt()"),
        hint="You average the squares over the pixels; a norm is the square root of their sum.",
        value=critic_loss(from_norms(lambda norms: squared_excess(norms / 28.0))),
    ),
    _wrong(
        "gp-norm-1",
        "The sum of absolute values is used as the norm.",
        with_step(norms="norms = slopes.abs().sum(dim=(1, 2, 3))"),
        hint="You use the 1-norm of the gradient; it must be the 2-norm.",
        value=critic_loss(lambda slopes: squared_excess(np.abs(slopes).sum(axis=1))),
    ),
    _wrong(
        "gp-norm-infinity",
        "The largest derivative is used as the norm.",
        with_step(norms="norms = slopes.flatten(1).abs().amax(dim=1)"),
        hint="You use the largest derivative of an image; it must be the 2-norm.",
        value=critic_loss(lambda slopes: squared_excess(np.abs(slopes).max(axis=1))),
    ),
    # ---- from norms to the penalty -------------------------------------------------------------
    _wrong(
        "gp-absolute-excess",
        "The absolute value is used instead of the square.",
        with_step(penalty="penalty = (norms - 1).abs().mean()"),
        hint="You use the absolute value instead of the square.",
        value=critic_loss(from_norms(lambda norms: np.abs(norms - 1.0).mean())),
    ),
    _wrong(
        "gp-root-of-the-mean",
        "The square root of the mean is taken.",
        with_step(penalty="penalty = ((norms - 1) ** 2).mean().sqrt()"),
        hint="You take the square root of the mean; the penalty is the mean itself.",
        value=critic_loss(from_norms(lambda norms: np.sqrt(squared_excess(norms)))),
    ),
    _wrong(
        "gp-huber",
        "The Huber loss is used instead of the square.",
        with_step(penalty="penalty = F.smooth_l1_loss(norms, torch.ones_like(norms))"),
        hint="You use the Huber loss (smooth L1) of the norms; it must be the square.",
        value=critic_loss(from_norms(lambda norms: mean(_huber(norms - 1.0)))),
    ),
    _wrong(
        "gp-not-squared",
        "The square is missing.",
        with_step(penalty="penalty = (norms - 1).mean()"),
        hint="The square is missing.",
        value=critic_loss(from_norms(lambda norms: mean(norms - 1.0))),
    ),
    _wrong(
        "gp-around-zero",
        "The norm itself is squared, which pulls gradients to 0.",
        with_step(penalty="penalty = (norms**2).mean()"),
        hint="Your penalty pulls the norms to 0 instead of 1.",
        value=critic_loss(from_norms(lambda norms: mean(norms**2))),
    ),
    _wrong(
        "gp-around-two",
        "1 is added to the norm instead of subtracted.",
        with_step(penalty="penalty = ((norms + 1) ** 2).mean()"),
        hint="You add 1 to the norm instead of subtracting it.",
        value=critic_loss(from_norms(lambda norms: mean((norms + 1.0) ** 2))),
    ),
    _wrong(
        "gp-square-minus-one",
        "1 is subtracted after the square.",
        with_step(penalty="penalty = (norms**2 - 1).mean()"),
        hint="You subtract 1 after squaring instead of before.",
        value=critic_loss(from_norms(lambda norms: mean(norms**2 - 1.0))),
    ),
    _wrong(
        "gp-one-sided",
        "Only norms above 1 are penalised.",
        with_step(penalty="penalty = (F.relu(norms - 1) ** 2).mean()"),
        hint="You penalise only norms above 1; the penalty also counts those below.",
        value=critic_loss(from_norms(lambda norms: mean(np.maximum(norms - 1.0, 0.0) ** 2))),
    ),
    _wrong(
        "gp-mean-before-square",
        "The norms are averaged before 1 is subtracted and the square is taken.",
        with_step(penalty="penalty = (norms.mean() - 1) ** 2"),
        hint="You take the mean before the square; it must be the mean of the squares.",
        value=critic_loss(from_norms(lambda norms: (mean(norms) - 1.0) ** 2)),
    ),
    _wrong(
        "gp-summed",
        "The penalty is summed over the batch.",
        with_step(penalty="penalty = ((norms - 1) ** 2).sum()"),
        hint="You sum the penalty over the batch; take its mean.",
        value=critic_loss(from_norms(lambda norms: ((norms - 1.0) ** 2).sum())),
    ),
    _wrong(
        "gp-largest",
        "Only the largest value of the batch counts.",
        with_step(penalty="penalty = ((norms - 1) ** 2).max()"),
        hint="You take the largest value of the batch; take the mean.",
        value=critic_loss(from_norms(lambda norms: ((norms - 1.0) ** 2).max())),
    ),
    _wrong(
        "gp-log-norm",
        "The logarithm of the norm is penalised.",
        with_step(penalty="penalty = (norms.log() ** 2).mean()"),
        hint="You penalise the squared logarithm of the norm instead of its distance from 1.",
        value=critic_loss(from_norms(lambda norms: mean(np.log(norms) ** 2))),
    ),
    # ---- the gradient --------------------------------------------------------------------------
    _wrong(
        "gp-mean-before-gradient",
        "The gradient of the mean is taken, which is 1/B of each image's own.",
        with_step(
            slopes="(slopes,) = torch.autograd.grad(d(points).mean(), points, create_graph=True)"
        ),
        hint="You take the gradient of the batch's mean, so each gradient is B times too small.",
        value=critic_loss(from_norms(lambda norms: squared_excess(norms / len(norms)))),
    ),
    _wrong(
        "gp-gradient-of-probability",
        "The gradient is that of the sigmoid of the critic's output.",
        with_step(
            slopes="""
            total = d(points).sigmoid().sum()
            (slopes,) = torch.autograd.grad(total, points, create_graph=True)
            """
        ),
        hint="You take the gradient of a sigmoid of d; use the critic's outputs as they are.",
        value=critic_loss_by_weights(
            lambda slopes, alpha, s: squared_excess(
                norms_of(slopes) * _sigmoid_slope(s.critic.logits(s.inputs.interpolates))
            )
        ),
    ),
    _wrong(
        "gp-gradient-by-fake",
        "The gradient is taken with respect to the fake images, not the interpolated ones.",
        with_step(
            x_fake="x_fake = g(z)",
            points="points = alpha * x_fake + (1 - alpha) * x_real",
            slopes="(slopes,) = torch.autograd.grad(d(points).sum(), x_fake, create_graph=True)",
        ),
        hint="You take the gradient with respect to the fake images; it must be with respect to "
        "the interpolated images.",
        value=critic_loss_by_weights(
            lambda slopes, alpha, s: squared_excess(norms_of(slopes) * np.abs(alpha))
        ),
    ),
    _wrong(
        "gp-gradient-by-real",
        "The gradient is taken with respect to the real images, not the interpolated ones.",
        with_step(
            x_fake="x_fake = g(z).detach()\nx_real.requires_grad_()",
            points="points = alpha * x_fake + (1 - alpha) * x_real",
            slopes="(slopes,) = torch.autograd.grad(d(points).sum(), x_real, create_graph=True)",
        ),
        hint="You take the gradient with respect to the real images; it must be with respect to "
        "the interpolated images.",
        value=critic_loss_by_weights(
            lambda slopes, alpha, s: squared_excess(norms_of(slopes) * np.abs(1.0 - alpha))
        ),
    ),
    _wrong(
        "gp-gradient-by-alpha",
        "The gradient is taken with respect to the interpolation weight.",
        with_step(
            alpha="alpha = torch.rand(batch_size, 1, 1, 1, device=device, requires_grad=True)",
            points="points = alpha * x_fake + (1 - alpha) * x_real",
            slopes="(slopes,) = torch.autograd.grad(d(points).sum(), alpha, create_graph=True)",
        ),
        hint="You take the gradient with respect to the interpolation weight; it must be with "
        "respect to the interpolated images.",
        value=critic_loss_by_weights(
            lambda slopes, alpha, s: squared_excess(
                np.abs((slopes * (s.inputs.fake.x - s.inputs.real.x)).sum(axis=1))
            )
        ),
    ),
    _wrong(
        "gp-of-the-points-themselves",
        "The gradient of the sum of the interpolated images is taken, without the critic.",
        with_step(
            slopes="(slopes,) = torch.autograd.grad(points.sum(), points, create_graph=True)"
        ),
        hint="You differentiate the interpolated images; you must differentiate d at these images.",
        # Every derivative is 1.
        value=critic_loss(
            lambda slopes: squared_excess(norms_of(np.ones_like(slopes))), at=real_images
        ),
    ),
    _wrong(
        "gp-at-real-images",
        "The gradient is taken at the real images.",
        with_step(points="points = x_real.clone().requires_grad_()"),
        hint="You take the gradient at the real images; it must be between real and fake images.",
        value=critic_loss(at=real_images),
    ),
    _wrong(
        "gp-at-fake-images",
        "The gradient is taken at the fake images.",
        with_step(points="points = x_fake.clone().requires_grad_()"),
        hint="You take the gradient at the fake images; it must be between real and fake images.",
        value=critic_loss(at=fake_images),
    ),
    _wrong(
        "gp-no-graph-of-the-gradient",
        "The gradient is taken without a graph, so the penalty does not train the critic.",
        with_step(
            slopes="(slopes,) = torch.autograd.grad(d(points).sum(), points, retain_graph=True)"
        ),
        hint=_NO_GRAPH,
        gradient=gradient_without("between"),
    ),
    _wrong(
        "gp-norms-detached",
        "The norms are detached.",
        with_step(norms="norms = slopes.flatten(1).norm(dim=1).detach()"),
        hint=_NO_GRAPH,
        gradient=gradient_without("between"),
    ),
    _wrong(
        "gp-gradient-by-backward",
        "The penalty is computed by backward() and read from .grad.",
        with_step(slopes="d(points).sum().backward()\nslopes = points.grad"),
        hint=_NO_GRAPH,
        gradient=gradient_without("between"),
    ),
    _wrong(
        "gp-nothing-to-differentiate-by",
        "The interpolated images do not require a gradient.",
        with_step(points="points = alpha * x_fake + (1 - alpha) * x_real"),
        says="raised RuntimeError",
    ),
)


def _sigmoid_slope(values: Array) -> Array:
    slope: Array = 0.25 / np.cosh(values / 2.0) ** 2
    return slope


def _huber(excess: Array) -> Array:
    distance = np.abs(excess)
    loss: Array = np.where(distance < 1.0, 0.5 * excess**2, distance - 0.5)
    return loss
