"""The worker's probe networks in numpy float64, with their derivatives.

Every derivative, the second-order ones included, is written out by hand. Images are flattened to
rows of 784. Names ending in ``_bar`` are derivatives of some scalar with respect to the name before
it; dictionaries of gradients have the names of the parameters as keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = NDArray[np.int64]
Grads: TypeAlias = dict[str, Array]


@dataclass(frozen=True, eq=False)
class Rows:
    """Input of a discriminator: images x (B, 784) and, if conditional, labels (B,)."""

    x: Array
    labels: Labels | None = None


class Discriminator(Protocol):
    """The functions of a probe discriminator that the losses need."""

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
        """See ``Discriminator.gradient_norm_vjp``; the gradient by b2 is 0.

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


def _required(labels: Labels | None) -> Labels:
    if labels is None:
        raise ValueError("a conditional network was called without labels: pass labels (B,)")
    return labels
