"""Correct solutions of 5.5, WGAN-GP, that differ from the reference."""

from __future__ import annotations

from functools import partial

from autograder.engine.catalogue.solutions import Right
from autograder.homework.mistakes.right_nonsaturating import right_losses
from autograder.homework.mistakes.wasserstein_steps import with_step

_right = partial(right_losses, "5.5 loss_wasserstein_gp")

RIGHT: tuple[Right, ...] = (
    _right(
        "right-gp-vmap",
        "The gradient of each image separately, with torch.func's vmap and grad.",
        with_step(
            slopes="""
            slopes = torch.func.vmap(torch.func.grad(lambda point: d(point[None])[0]))(points)
            """
        ),
        "g_loss = -torch.mean(d(g(z)))",
    ),
    _right(
        "right-gp-two-threads",
        "Asks torch for two threads; a worker always has one.",
        "torch.set_num_threads(2)\n" + with_step(),
        "g_loss = -torch.mean(d(g(z)))",
    ),
    # ---- interpolation weights -----------------------------------------------------------------
    _right(
        "right-gp-alpha-before-z",
        "The weights are drawn before a new z.",
        with_step(
            x_fake="""
            weights = torch.rand((batch_size, 1, 1, 1)).to(device)
            z = torch.randn(batch_size, g.dim_z).to(device)
            x_fake = g(z).detach()
            """,
            alpha="alpha = weights",
        ),
        "g_loss = d(g(torch.randn(batch_size, g.dim_z).to(device))).neg().mean()",
    ),
    _right(
        "right-gp-alpha-reshaped",
        "The weights are drawn as (B,) and reshaped.",
        with_step(alpha="alpha = torch.rand(batch_size, device=device).view(-1, 1, 1, 1)"),
        "g_loss = -torch.mean(d(g(z)))",
    ),
    _right(
        "right-gp-alpha-expanded",
        "The weights are expanded to the images' shape; the fake images are not detached.",
        with_step(
            x_fake="x_fake = g(z)",
            alpha="alpha = torch.rand(batch_size, 1, 1, 1, device=device).expand_as(x_real)",
            points="points = alpha * x_fake + (1 - alpha) * x_real",
        ),
        "g_loss = -1.0 * d(g.forward(z)).sum() / batch_size",
    ),
    _right(
        "right-gp-alpha-uniform-distribution",
        "The weights come from torch's Uniform.",
        with_step(
            alpha="""
            uniform = torch.distributions.Uniform(0.0, 1.0)
            alpha = uniform.sample((batch_size, 1, 1, 1)).to(device)
            """
        ),
    ),
    _right(
        "right-gp-alpha-from-numpy",
        "The weights come from numpy.",
        with_step(
            alpha="""
            import numpy as np

            alpha = torch.from_numpy(np.random.uniform(size=(batch_size, 1, 1, 1))).float()
            alpha = alpha.to(device)
            """
        ),
    ),
    _right(
        "right-gp-alpha-by-rand-like",
        "The weights are made like one pixel of each image, in place.",
        with_step(alpha="alpha = torch.empty_like(x_real[:, :1, :1, :1]).uniform_()"),
    ),
    # ---- interpolates --------------------------------------------------------------------------
    _right(
        "right-gp-mirrored",
        "The weight is that of the real image.",
        with_step(points="points = (alpha * x_real + (1 - alpha) * x_fake).requires_grad_()"),
    ),
    _right(
        "right-gp-lerp",
        "The mixture is computed with lerp.",
        with_step(points="points = torch.lerp(x_real, x_fake, alpha).requires_grad_()"),
    ),
    _right(
        "right-gp-einsum",
        "The mixture is computed with einsum.",
        with_step(
            alpha="alpha = torch.rand(batch_size, device=device)",
            points="""
            points = torch.einsum("b,bchw->bchw", alpha, x_fake)
            points = points + torch.einsum("b,bchw->bchw", 1 - alpha, x_real)
            points.requires_grad_()
            """,
        ),
    ),
    _right(
        "right-gp-difference",
        "The real image plus a part of the difference, flattened.",
        with_step(
            alpha="alpha = torch.rand(batch_size, 1, device=device)",
            points="""
            points = x_real.flatten(1) + alpha * (x_fake - x_real).flatten(1)
            points = points.view(batch_size, 1, 28, 28).requires_grad_()
            """,
        ),
    ),
    _right(
        "right-gp-leaf",
        "The interpolated images are a leaf; the fake images are not detached.",
        with_step(
            x_fake="x_fake = g(z)",
            points="points = (alpha * x_fake + (1 - alpha) * x_real).detach().requires_grad_(True)",
        ),
    ),
    _right(
        "right-gp-variable",
        "The interpolated images are an old-fashioned Variable.",
        with_step(
            points="""
            points = alpha * x_fake.data + (1 - alpha) * x_real.data
            points = torch.autograd.Variable(points, requires_grad=True)
            """
        ),
    ),
    _right(
        "right-gp-other-pairs",
        "The real images are shuffled before they are mixed.",
        with_step(
            points="""
            order = torch.randperm(batch_size, device=device)
            points = (alpha * x_fake + (1 - alpha) * x_real[order]).requires_grad_()
            """
        ),
    ),
    _right(
        "right-gp-other-fakes",
        "The mixtures use new fake images.",
        with_step(
            points="""
            points = (1 - alpha) * x_real + alpha * g(torch.randn_like(z)).detach()
            points.requires_grad_()
            """
        ),
    ),
    # ---- the gradient --------------------------------------------------------------------------
    _right(
        "right-gp-grad-outputs",
        "The gradient is taken with grad_outputs of ones.",
        with_step(
            slopes="""
            slopes = torch.autograd.grad(
                outputs=d(points),
                inputs=points,
                grad_outputs=torch.ones(batch_size, device=device),
                create_graph=True,
                retain_graph=True,
                only_inputs=True,
            )[0]
            """
        ),
    ),
    _right(
        "right-gp-gradient-of-mean",
        "The gradient of the mean, multiplied by the batch size.",
        with_step(
            slopes="""
            (slopes,) = torch.autograd.grad(d(points).mean(), points, create_graph=True)
            slopes = batch_size * slopes
            """
        ),
    ),
    _right(
        "right-gp-one-gradient-at-a-time",
        "A loop takes the gradient of one critic value after the other.",
        with_step(
            slopes="""
            slopes = []
            values = d(points)
            for i in range(batch_size):
                (one,) = torch.autograd.grad(values[i], points, create_graph=True)
                slopes.append(one[i])
            slopes = torch.stack(slopes)
            """
        ),
    ),
    _right(
        "right-gp-one-image-at-a-time",
        "A loop passes one image after the other to the critic.",
        """
        d_loss = 0
        for i in range(batch_size):
            x, x_fake = x_real[i : i + 1], g(z[i : i + 1])
            alpha = torch.rand(1, device=device)
            point = (alpha * x_fake + (1 - alpha) * x).detach().requires_grad_()
            (slope,) = torch.autograd.grad(d(point)[0], point, create_graph=True)
            loss = d(x_fake)[0] - d(x)[0] + 10 * (slope.norm() - 1) ** 2
            d_loss = d_loss + loss / batch_size
        """,
    ),
    _right(
        "right-gp-chunks-of-eight",
        "The critic gets eight triples of images at a time.",
        """
        x_fake = g(z).detach()
        alpha = torch.rand(batch_size, 1, 1, 1, device=device)
        total = 0
        for i in range(0, batch_size, 8):
            x, other, share = x_real[i : i + 8], x_fake[i : i + 8], alpha[i : i + 8]
            points = (share * other + (1 - share) * x).requires_grad_()
            real, fake, between = d(torch.cat([x, other, points])).chunk(3)
            (slopes,) = torch.autograd.grad(between.sum(), points, create_graph=True)
            norms = slopes.flatten(start_dim=1).norm(dim=1)
            total = total + (fake - real + 10 * (norms - 1) ** 2).sum()
        d_loss = total / batch_size
        """,
    ),
    _right(
        "right-gp-functional-jacobian",
        "The gradient is taken with torch.autograd.functional.",
        with_step(
            slopes="""
            slopes = torch.autograd.functional.jacobian(
                lambda x: d(x).sum(), points, create_graph=True
            )
            """
        ),
    ),
    _right(
        "right-gp-critic-called-again",
        "The critic gets the interpolated images twice, and all images once more in one batch.",
        with_step(
            slopes="""
            d(torch.cat([x_real, x_fake, points]))
            d(points)
            (slopes,) = torch.autograd.grad(d(points).sum(), points, create_graph=True)
            """
        ),
    ),
    # ---- norm and penalty ----------------------------------------------------------------------
    _right(
        "right-gp-reshape-norm",
        "The norm of reshaped gradients.",
        with_step(norms="norms = slopes.reshape(batch_size, -1).norm(2, dim=1)"),
    ),
    _right(
        "right-gp-vector-norm",
        "torch.linalg.vector_norm over all three dimensions.",
        with_step(norms="norms = torch.linalg.vector_norm(slopes, dim=(1, 2, 3))"),
    ),
    _right(
        "right-gp-matrix-norm",
        "The Frobenius norm of the one channel: shape (B, 1).",
        with_step(norms="norms = torch.linalg.matrix_norm(slopes)"),
    ),
    _right(
        "right-gp-square-root-of-sum",
        "The root of the sum of squares, with a tiny constant.",
        with_step(norms="norms = torch.sqrt((slopes**2).sum(dim=(1, 2, 3)) + 1e-12)"),
    ),
    _right(
        "right-gp-mse",
        "Mean squared error between the norms and 1.",
        with_step(penalty="penalty = F.mse_loss(norms, torch.ones_like(norms))"),
    ),
    _right(
        "right-gp-expanded-square",
        "The square is multiplied out.",
        with_step(penalty="penalty = torch.mean(norms.square() - 2 * norms + 1)"),
    ),
    _right(
        "right-gp-one-mean",
        "One mean over everything, the fake images not detached.",
        with_step(
            x_fake="x_fake = g(z)",
            d_loss="d_loss = (d(x_fake) - d(x_real) + 10.0 * (norms - 1.0).pow(2)).mean()",
        ),
    ),
    _right(
        "right-gp-one-call",
        "Real, fake and mixed images go through the critic in one call.",
        """
        x_fake = g(z).detach()
        alpha = torch.rand(batch_size, 1, 1, 1, device=device)
        points = (alpha * x_fake + (1 - alpha) * x_real).requires_grad_()
        real, fake, between = d(torch.cat([x_real, x_fake, points])).chunk(3)
        slopes = torch.autograd.grad(between.sum(), points, create_graph=True)[0]
        norms = slopes.flatten(1).norm(dim=1)
        d_loss = fake.mean() - real.mean() + 10 * ((norms - 1) ** 2).mean()
        """,
    ),
    _right(
        "right-gp-backward",
        "The gradient is taken with backward() and read from the mixed images.",
        with_step(
            slopes="""
            d(points).sum().backward(create_graph=True)
            slopes = points.grad
            """
        ),
    ),
    _right(
        "right-gp-norms-in-double",
        "Norms and penalty are computed in float64.",
        with_step(norms="norms = slopes.double().flatten(1).norm(dim=1)"),
    ),
    _right(
        "right-gp-changed-in-place",
        "Fake images are detached, and gradients scaled, in place.",
        with_step(
            x_fake="x_fake = g(z).detach_()",
            slopes="""
            (slopes,) = torch.autograd.grad(d(points).mean(), points, create_graph=True)
            slopes.mul_(batch_size)
            """,
        ),
        "g_loss = d(g(z)).neg_().mean()",
    ),
)
