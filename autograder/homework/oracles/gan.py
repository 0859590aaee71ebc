"""The probe networks and the losses of problems 2, 4 and 5 in numpy float64.

The networks are small enough that every derivative, the second-order ones of the gradient
penalty included, is written out by hand. Images are flattened to rows of 784. Names ending in
``_bar`` are derivatives of some scalar with respect to the name before it; dictionaries of
gradients have the names of the parameters as keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = NDArray[np.int64]
Grads: TypeAlias = dict[str, Array]

LAMBDA = 10.0  # weight of the gradient penalty, handout 5.5


@dataclass(frozen=True, eq=False)
class Rows:
    """A batch as a discriminator sees it: images x (B, 784) and, if conditional, labels (B,)."""

    x: Array
    labels: Labels | None = None


class Discriminator(Protocol):
    """What the losses need of a probe discriminator."""

    def logits(self, x: Array, labels: Labels | None = None) -> Array:
        """The output before the sigmoid (Wasserstein: the critic's value), (B,)."""

    def input_gradient(self, x: Array, labels: Labels | None = None) -> Array:
        """The derivative of each row's logit with respect to the row, (B, 784)."""

    def vjp(self, x: Array, labels: Labels | None, logits_bar: Array) -> tuple[Array, Grads]:
        """x_bar (B, 784) and the parameters' gradients of sum_b logits_bar_b d(x_b)."""

    def gradient_norm_vjp(self, x: Array, labels: Labels | None, norm_bar: Array) -> Grads:
        """The parameters' gradients of sum_b norm_bar_b ||grad_x d(x_b)||_2."""


@dataclass(frozen=True, eq=False)
class Generator:
    """images = z weight^T + bias (+ label_embedding[label]).

    Args:
        weight: (784, dim_z).
        bias: (784,).
        label_embedding: (10, 784) for a conditional generator.
    """

    weight: Array
    bias: Array
    label_embedding: Array | None = None

    def images(self, z: Array, labels: Labels | None = None) -> Array:
        """z (B, dim_z), labels (B,) if conditional, to images (B, 784)."""
        images: Array = z @ self.weight.T + self.bias
        if self.label_embedding is not None:
            images = images + self.label_embedding[_required(labels)]
        return images

    def vjp(self, z: Array, labels: Labels | None, images_bar: Array) -> Grads:
        """Gradients of weight, bias (and label_embedding) for images_bar (B, 784)."""
        grads: Grads = {"weight": images_bar.T @ z, "bias": images_bar.sum(axis=0)}
        if self.label_embedding is not None:
            grads["label_embedding"] = np.zeros_like(self.label_embedding)
            np.add.at(grads["label_embedding"], _required(labels), images_bar)
        return grads


@dataclass(frozen=True, eq=False)
class Critic:
    """logit = (w2 tanh(w1 x + b1) + b2)[label]: one hidden layer of K units, C classes.

    Args:
        w1: (K, 784).
        b1: (K,).
        w2: (C, K); C = 1 is an unconditional discriminator.
        b2: (C,).
    """

    w1: Array
    b1: Array
    w2: Array
    b2: Array

    def logits(self, x: Array, labels: Labels | None = None) -> Array:
        """(B,)."""
        rows = self._class_of(x, labels)
        logits: Array = (self.w2[rows] * self._hidden(x)).sum(axis=1) + self.b2[rows]
        return logits

    def input_gradient(self, x: Array, labels: Labels | None = None) -> Array:
        """w1^T (w2[label] (1 - tanh^2)) at each row, (B, 784)."""
        slope = 1.0 - self._hidden(x) ** 2
        gradient: Array = (self.w2[self._class_of(x, labels)] * slope) @ self.w1
        return gradient

    def vjp(self, x: Array, labels: Labels | None, logits_bar: Array) -> tuple[Array, Grads]:
        """See ``Discriminator.vjp``; the gradients are those of w1, b1, w2, b2."""
        rows = self._class_of(x, labels)
        hidden = self._hidden(x)
        linear_bar = logits_bar[:, None] * self.w2[rows] * (1.0 - hidden**2)  # (B, K)
        w2_bar, b2_bar = np.zeros_like(self.w2), np.zeros_like(self.b2)
        np.add.at(w2_bar, rows, logits_bar[:, None] * hidden)
        np.add.at(b2_bar, rows, logits_bar)
        grads = {"w1": linear_bar.T @ x, "b1": linear_bar.sum(axis=0), "w2": w2_bar, "b2": b2_bar}
        return linear_bar @ self.w1, grads

    def gradient_norm_vjp(self, x: Array, labels: Labels | None, norm_bar: Array) -> Grads:
        """See ``Discriminator.gradient_norm_vjp``; b2 has no part in it, its gradient is 0.

        With h = tanh(w1 x + b1), s = 1 - h^2, u = w2[label] s and g = w1^T u, the norm |g| has
        derivative g / |g| with respect to g (taken as 0 where g is 0), and ds/d(w1 x) = -2 h s.
        """
        rows = self._class_of(x, labels)
        hidden = self._hidden(x)
        slope = 1.0 - hidden**2
        weighted = self.w2[rows] * slope  # u, (B, K)
        gradient = weighted @ self.w1  # g, (B, 784)
        norm = np.linalg.norm(gradient, axis=1)
        safe = np.where(norm > 0, norm, 1.0)
        gradient_bar = (norm_bar / safe)[:, None] * gradient
        weighted_bar = gradient_bar @ self.w1.T
        linear_bar = weighted_bar * self.w2[rows] * (-2.0 * hidden * slope)
        w2_bar = np.zeros_like(self.w2)
        np.add.at(w2_bar, rows, weighted_bar * slope)
        return {
            "w1": weighted.T @ gradient_bar + linear_bar.T @ x,
            "b1": linear_bar.sum(axis=0),
            "w2": w2_bar,
            "b2": np.zeros_like(self.b2),
        }

    def _hidden(self, x: Array) -> Array:
        hidden: Array = np.tanh(x @ self.w1.T + self.b1)  # (B, K)
        return hidden

    def _class_of(self, x: Array, labels: Labels | None) -> Labels:
        if len(self.w2) == 1:
            return np.zeros(len(x), dtype=np.int64)
        return _required(labels)


@dataclass(frozen=True, eq=False)
class LinearCritic:
    """logit = w x + b with w (784,) and a number b: its gradient norm is ||w|| everywhere."""

    w: Array
    b: float

    def logits(self, x: Array, labels: Labels | None = None) -> Array:
        """(B,); labels are ignored."""
        logits: Array = x @ self.w + self.b
        return logits

    def input_gradient(self, x: Array, labels: Labels | None = None) -> Array:
        """w at each row, (B, 784)."""
        return np.tile(self.w, (len(x), 1))

    def vjp(self, x: Array, labels: Labels | None, logits_bar: Array) -> tuple[Array, Grads]:
        """See ``Discriminator.vjp``; the gradients are those of w (784,) and b ()."""
        grads = {"w": logits_bar @ x, "b": np.asarray(logits_bar.sum())}
        return np.outer(logits_bar, self.w), grads

    def gradient_norm_vjp(self, x: Array, labels: Labels | None, norm_bar: Array) -> Grads:
        """See ``Discriminator.gradient_norm_vjp``."""
        norm = float(np.linalg.norm(self.w))
        return {"w": norm_bar.sum() * self.w / (norm or 1.0), "b": np.asarray(0.0)}


def gradient_norms(critic: Discriminator, rows: Rows) -> Array:
    """||grad_x d(x)||_2 at each row, (B,)."""
    norms: Array = np.linalg.norm(critic.input_gradient(rows.x, rows.labels), axis=1)
    return norms


def interpolates(x_real: Array, x_fake: Array, alpha: Array) -> Array:
    """alpha x_fake + (1 - alpha) x_real, with one alpha (B,) per example: (B, 784).

    Source: handout 5.5.
    """
    weight = alpha[:, None]
    return weight * x_fake + (1.0 - weight) * x_real


def _no_entries() -> Array:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class Loss:
    """A loss with its derivatives by the logits and gradient norms that it was computed from.

    Args:
        value: The loss.
        real_bar: (B,), by the logits of the real images; empty if the loss has none.
        fake_bar: (B,), by the logits of the fake images.
        norm_bar: (B,), by the gradient norms at the interpolates; empty if the loss has none.
    """

    value: float
    real_bar: Array = field(default_factory=_no_entries)
    fake_bar: Array = field(default_factory=_no_entries)
    norm_bar: Array = field(default_factory=_no_entries)


def nonsaturating_d(real_logits: Array, fake_logits: Array) -> Loss:
    """-mean log sigmoid(real) - mean log(1 - sigmoid(fake)).

    Source: handout 2.2; with labels 4.2.
    """
    value = softplus(-real_logits).mean() + softplus(fake_logits).mean()
    return Loss(
        float(value),
        real_bar=-sigmoid(-real_logits) / len(real_logits),
        fake_bar=sigmoid(fake_logits) / len(fake_logits),
    )


def nonsaturating_g(fake_logits: Array) -> Loss:
    """-mean log sigmoid(fake).

    Source: handout 2.2; with labels 4.2.
    """
    value = softplus(-fake_logits).mean()
    return Loss(float(value), fake_bar=-sigmoid(-fake_logits) / len(fake_logits))


def wasserstein_d(real: Array, fake: Array, norms: Array, lam: float = LAMBDA) -> Loss:
    """mean fake - mean real + lam mean (norms - 1)^2.

    Source: handout 5.5.
    """
    value = fake.mean() - real.mean() + lam * ((norms - 1.0) ** 2).mean()
    return Loss(
        float(value),
        real_bar=np.full(len(real), -1.0 / len(real)),
        fake_bar=np.full(len(fake), 1.0 / len(fake)),
        norm_bar=2.0 * lam * (norms - 1.0) / len(norms),
    )


def wasserstein_g(fake: Array) -> Loss:
    """-mean fake.

    Source: handout 5.5.
    """
    return Loss(float(-fake.mean()), fake_bar=np.full(len(fake), -1.0 / len(fake)))


def critic_gradient(
    critic: Discriminator,
    loss: Loss,
    *,
    real: Rows | None = None,
    fake: Rows | None = None,
    between: Rows | None = None,
) -> Grads:
    """The gradient of any loss with respect to the discriminator's parameters.

    Args:
        critic: The discriminator that gave the logits.
        loss: The loss with its derivatives.
        real: The rows behind ``loss.real_bar``.
        fake: The rows behind ``loss.fake_bar``; held fixed (a d loss does not train g).
        between: The interpolates behind ``loss.norm_bar``.

    Raises:
        ValueError: No rows at all, or the number of rows is not that of the loss's derivatives.
    """
    parts: list[Grads] = []
    for name, rows, bar in (
        ("real", real, loss.real_bar),
        ("fake", fake, loss.fake_bar),
        ("between", between, loss.norm_bar),
    ):
        count = 0 if rows is None else len(rows.x)
        if count != len(bar):
            raise ValueError(f"{name}: the loss was computed from {len(bar)} rows, got {count}")
        if rows is not None and name == "between":
            parts.append(critic.gradient_norm_vjp(rows.x, rows.labels, bar))
        elif rows is not None:
            parts.append(critic.vjp(rows.x, rows.labels, bar)[1])
    if not parts:
        raise ValueError("critic_gradient needs the rows of at least one of real, fake, between")
    return {key: np.asarray(sum(part[key] for part in parts)) for key in parts[0]}


def critic_gradient_nonsaturating(critic: Discriminator, real: Rows, fake: Rows) -> Grads:
    """Gradient of ``nonsaturating_d`` with respect to the discriminator."""
    loss = nonsaturating_d(critic.logits(real.x, real.labels), critic.logits(fake.x, fake.labels))
    return critic_gradient(critic, loss, real=real, fake=fake)


def critic_gradient_wasserstein(
    critic: Discriminator, real: Rows, fake: Rows, between: Rows, lam: float = LAMBDA
) -> Grads:
    """Gradient of ``wasserstein_d`` with respect to the critic; ``between``: interpolates."""
    loss = wasserstein_d(
        critic.logits(real.x, real.labels),
        critic.logits(fake.x, fake.labels),
        gradient_norms(critic, between),
        lam,
    )
    return critic_gradient(critic, loss, real=real, fake=fake, between=between)


def generator_gradient(
    generator: Generator,
    critic: Discriminator,
    loss: Loss,
    z: Array,
    labels: Labels | None = None,
) -> Grads:
    """The gradient of any loss of the fake logits with respect to the generator's parameters."""
    images = generator.images(z, labels)
    return generator.vjp(z, labels, critic.vjp(images, labels, loss.fake_bar)[0])


def generator_gradient_nonsaturating(
    generator: Generator, critic: Discriminator, z: Array, labels: Labels | None = None
) -> Grads:
    """Gradient of ``nonsaturating_g`` with respect to the generator."""
    loss = nonsaturating_g(critic.logits(generator.images(z, labels), labels))
    return generator_gradient(generator, critic, loss, z, labels)


def generator_gradient_wasserstein(
    generator: Generator, critic: Discriminator, z: Array, labels: Labels | None = None
) -> Grads:
    """Gradient of ``wasserstein_g`` with respect to the generator."""
    loss = wasserstein_g(critic.logits(generator.images(z, labels), labels))
    return generator_gradient(generator, critic, loss, z, labels)


def softplus(value: Array) -> Array:
    """log(1 + exp(value)), without overflow."""
    result: Array = np.logaddexp(0.0, value)
    return result


def sigmoid(value: Array) -> Array:
    """1 / (1 + exp(-value)), without overflow."""
    result: Array = np.exp(-softplus(-value))
    return result


def _required(labels: Labels | None) -> Labels:
    if labels is None:
        raise ValueError("a conditional network was called without labels: pass labels (B,)")
    return labels
