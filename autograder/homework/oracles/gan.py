"""The losses of problems 2, 4 and 5 in numpy float64, with their derivatives.

Names ending in ``_bar`` are derivatives of some scalar with respect to the name before it. The
networks are those of ``probe_networks``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from autograder.homework.problems.probe_networks import (
    Array,
    Discriminator,
    Generator,
    Grads,
    Labels,
    Rows,
)

LAMBDA = 10.0  # weight of the gradient penalty, assignment 5.5


def interpolates(x_real: Array, x_fake: Array, alpha: Array) -> Array:
    """alpha x_fake + (1 - alpha) x_real, with one alpha (B,) per example: (B, 784).

    Source: assignment 5.5.
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
    """-mean log sigmoid(real) - mean log(1 - sigmoid(fake)), without clamp or epsilon.

    See ``tolerances.SURE`` for the constants that cost points.

    Source: assignment 2.2; with labels 4.2.
    """
    value = softplus(-real_logits).mean() + softplus(fake_logits).mean()
    return Loss(
        float(value),
        real_bar=-sigmoid(-real_logits) / len(real_logits),
        fake_bar=sigmoid(fake_logits) / len(fake_logits),
    )


def nonsaturating_g(fake_logits: Array) -> Loss:
    """-mean log sigmoid(fake).

    Source: assignment 2.2; with labels 4.2.
    """
    value = softplus(-fake_logits).mean()
    return Loss(float(value), fake_bar=-sigmoid(-fake_logits) / len(fake_logits))


def wasserstein_d(real: Array, fake: Array, norms: Array, lam: float = LAMBDA) -> Loss:
    """mean fake - mean real + lam mean (norms - 1)^2.

    Source: assignment 5.5.
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

    Source: assignment 5.5.
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
        critic: The discriminator that the logits are from.
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


def generator_gradient(
    generator: Generator, critic: Discriminator, loss: Loss, z: Array, labels: Labels | None = None
) -> Grads:
    """The gradient of any loss of the fake logits with respect to the generator's parameters."""
    images = generator.images(z, labels)
    return generator.vjp(z, labels, critic.vjp(images, labels, loss.fake_bar)[0])


def softplus(value: Array) -> Array:
    """log(1 + exp(value)), without overflow."""
    result: Array = np.logaddexp(0.0, value)
    return result


def sigmoid(value: Array) -> Array:
    """1 / (1 + exp(-value)), without overflow."""
    result: Array = np.exp(-softplus(-value))
    return result
