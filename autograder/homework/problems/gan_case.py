"""A problem for a loss: probe networks, images and labels, drawn from sizes and a seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from autograder.homework.problems.probe_networks import Array, Critic, Generator, Labels

PIXELS = 784
N_CLASSES = 10
BATCH_IN_TRAINING = 64  # the batch size that students may have written into their code
CRITIC_UNITS = 12

LOGIT_WEIGHT_SUM = 4.5  # |logit| <= 4.5 + 1 < 6 because |tanh| < 1
LOGIT_BIAS = 1.0
_CALM = 64.0  # a power of two, so that division is exact
TEMPLATES = 6  # directions in image space shared by real images, fake ones and critic


@dataclass(frozen=True)
class GanCase:
    """A probe generator, a probe discriminator and a batch of real images.

    Args:
        batch: B.
        dim_z: Size of the latent.
        scale: Steepness of the discriminator: multiplies its first weight. From 1 to 2 the
            gradient norms at interpolates lie on both sides of 1.
        conditional: Whether the networks take labels.
        seed: Seed of the arrays.
    """

    batch: int
    dim_z: int
    scale: float
    conditional: bool
    seed: int

    @property
    def generator(self) -> Generator:
        """Its images have about the size of the real ones, and another mean."""
        return self._drawn[0]

    @property
    def critic(self) -> Critic:
        """12 units; |logit| < 6."""
        return self._drawn[1]

    @property
    def x_real(self) -> Array:
        """Real images (B, 784) within [-1, 1]."""
        return self._drawn[2]

    @cached_property
    def labels(self) -> Labels:
        """Labels (B,) in 0..9, at least two of them different."""
        rng = np.random.default_rng((self.batch, self.seed))
        labels = rng.integers(0, N_CLASSES, self.batch)
        while len(set(labels.tolist())) < 2:
            labels = rng.integers(0, N_CLASSES, self.batch)
        labels.setflags(write=False)
        return labels

    def __str__(self) -> str:
        labels = f", labels {self.labels.tolist()}" if self.conditional else ""
        return f"batch {self.batch}, z of size {self.dim_z}{labels}"

    @cached_property
    def _drawn(self) -> tuple[Generator, Critic, Array]:
        rng = np.random.default_rng((self.batch, self.dim_z, self.conditional, self.seed))
        templates = rng.standard_normal((TEMPLATES, PIXELS))
        means = rng.standard_normal((2, TEMPLATES))  # of real and of fake images
        coefficients = means[0] + rng.standard_normal((self.batch, TEMPLATES))
        noise = rng.uniform(-0.3, 0.3, (self.batch, PIXELS))
        x_real = np.clip(0.2 * coefficients @ templates + noise, -1.0, 1.0)
        return (
            self._draw_generator(rng, templates, means[1]),
            self._draw_critic(rng, templates),
            exact(x_real),
        )

    def _draw_generator(self, rng: np.random.Generator, templates: Array, mean: Array) -> Generator:
        mixing = rng.standard_normal((TEMPLATES, self.dim_z)) / np.sqrt(self.dim_z)
        pixels = rng.standard_normal((PIXELS, self.dim_z)) / np.sqrt(self.dim_z)
        embedding = 0.15 * rng.standard_normal((N_CLASSES, TEMPLATES)) @ templates
        return Generator(
            weight=exact(0.2 * templates.T @ mixing + 0.15 * pixels),
            bias=exact(0.2 * mean @ templates + 0.1 * rng.standard_normal(PIXELS)),
            label_embedding=exact(embedding) if self.conditional else None,
        )

    def _draw_critic(self, rng: np.random.Generator, templates: Array) -> Critic:
        n_classes = N_CLASSES if self.conditional else 1
        # Along the templates the images vary most: there a small weight already moves the
        # units across the bend of tanh; the rest of the weight only sets the gradient's norm.
        along = rng.standard_normal((CRITIC_UNITS, TEMPLATES)) @ templates / PIXELS
        across = rng.standard_normal((CRITIC_UNITS, PIXELS)) / np.sqrt(PIXELS)
        # Unequal output weights, so that the logits do not average out.
        sizes = np.exp(rng.standard_normal((n_classes, CRITIC_UNITS)))
        signs = rng.choice((-1.0, 1.0), sizes.shape)
        total = 0.999 * LOGIT_WEIGHT_SUM  # leaves room for rounding to float32
        return Critic(
            w1=exact(self.scale * (3.0 * along + 1.05 * across)),
            b1=exact(0.5 * rng.standard_normal(CRITIC_UNITS)),
            w2=exact(signs * sizes * (total / sizes.sum(axis=1, keepdims=True))),
            b2=exact(rng.uniform(-LOGIT_BIAS, LOGIT_BIAS, n_classes)),
        )


@dataclass(frozen=True)
class SureGanCase(GanCase):
    """A discriminator whose logits of all images, real or generated, are nearly the same.

    So it takes one of the two batches for the other, and is sure of it. This reveals clamps and
    constants that keep a loss's logarithm finite.

    Args:
        logit: The logits differ from it by 0.09 at most.
    """

    logit: float

    @property
    def critic(self) -> Critic:
        """As in `GanCase`, with other logits."""
        return self._sure

    @cached_property
    def _sure(self) -> Critic:
        critic = super().critic
        return replace(
            critic, w2=exact(critic.w2 / _CALM), b2=exact(self.logit + critic.b2 / _CALM)
        )

    def __str__(self) -> str:
        side = "fake" if self.logit < 0 else "real"
        return f"{super().__str__()}, d is sure that all images are {side}"


@dataclass(frozen=True)
class HighGanCase(GanCase):
    """A critic with values around `height`: those of a Wasserstein critic have no bounds."""

    height: float

    @property
    def critic(self) -> Critic:
        """As in `GanCase`, with larger values."""
        return self._high

    @cached_property
    def _high(self) -> Critic:
        critic = super().critic
        return replace(critic, b2=exact(self.height + critic.b2))

    def __str__(self) -> str:
        return f"{super().__str__()}, d returns values of about {self.height:g}"


def exact(values: Array) -> Array:
    """Return values rounded to float32, read-only."""
    rounded = values.astype(np.float32).astype(np.float64)
    rounded.setflags(write=False)
    return rounded
