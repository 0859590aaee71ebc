"""Mistakes of 2.2: probabilities clamped away from 0 to keep the logarithm finite.

Students choose their own numbers, so the diagnosis fits the number. Numbers of 1e-4 and more are
mistakes, those of 1e-6 and less are not: see `tolerances.SURE`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.engine.judge.diagnosis import Family
from autograder.homework.losses.recovered import LossCall
from autograder.homework.mistakes.gan_predictions import LossMistakes, as_fake, as_real, mean
from autograder.homework.oracles import gan
from autograder.homework.problems.flow_parameters import Array

# From logits and the number to -log D.
_Term: TypeAlias = Callable[[Array, float], Array]

_CONSTANT = "where d is confidently wrong, the loss is then constant and nothing is learned."

_wrong_d, _wrong_g = LossMistakes("loss_nonsaturating_d"), LossMistakes("loss_nonsaturating_g")


def _floored(logits: Array, number: float) -> Array:
    """-log max(D, number)."""
    return -np.log(np.maximum(gan.sigmoid(logits), number))


def _clipped(logits: Array, number: float) -> Array:
    """-log D with D clamped to [number, 1 - number], which clamps the logits."""
    bound = np.log1p(-number) - np.log(number)
    return as_real(np.clip(logits, -bound, bound))


def _raised(logits: Array, number: float) -> Array:
    """-log(D + number)."""
    return -np.log(gan.sigmoid(logits) + number)


def _of_d(on_real: _Term, on_fake: _Term) -> Callable[[LossCall, float], float]:
    return lambda s, number: mean(on_real(s.real, number)) + mean(on_fake(-s.fake, number))


def _of_g(on_fake: _Term) -> Callable[[LossCall, float], float]:
    return lambda s, number: mean(on_fake(s.fake, number))


def _unchanged(logits: Array, number: float) -> Array:
    return as_real(logits)


def _only_real(s: LossCall, number: float) -> float:
    """The loss with D raised to the number in both terms, which leaves 1 - D unprotected."""
    fake = np.maximum(s.fake, np.log(number) - np.log1p(-number))
    return mean(_floored(s.real, number)) + mean(as_fake(fake))


def _clamped(number: float) -> str:
    return (
        f"A clamp keeps the probabilities (or a value computed from them) at about {number:.1g} or "
        f"more: {_CONSTANT}"
    )


def _clamped_for(images: str) -> Callable[[float], str]:
    return lambda number: (
        f"A clamp in the term of the {images} images keeps the probability at about {number:.1g} "
        f"or more: {_CONSTANT}"
    )


def _added(number: float) -> str:
    return (
        f"You add about {number:.1g} inside the logarithm, which changes the loss and removes most "
        "of its gradient where d is confidently wrong."
    )


WRONG: tuple[Wrong, ...] = (
    *(
        _wrong_d(
            f"ns-d-probabilities-clamped-at-{number}",
            f"The probabilities are clamped to [{number}, 1 - {number}].",
            f"""
            real = torch.sigmoid(d(x_real)).clamp({number}, 1 - {number})
            fake = torch.sigmoid(d(g(z))).clamp({number}, 1 - {number})
            d_loss = -torch.log(real).mean() - torch.log(1 - fake).mean()
            """,
            value=Family(_of_d(_clipped, _clipped), number, _clamped),
        )
        for number in (0.01, 0.001, 0.0001)
    ),
    _wrong_d(
        "ns-d-clamped-logits",
        "The logits are clamped to [-5, 5].",
        """
        real, fake = d(x_real).clamp(-5, 5), d(g(z)).clamp(-5, 5)
        d_loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        """,
        value=Family(_of_d(_clipped, _clipped), 1 / (1 + np.exp(5.0)), _clamped),
    ),
    _wrong_d(
        "ns-d-clamped-logarithms",
        "The logarithms are clamped at -4.",
        """
        real, fake = torch.sigmoid(d(x_real)), torch.sigmoid(d(g(z)))
        real, fake = torch.log(real).clamp(min=-4), torch.log(1 - fake).clamp(min=-4)
        d_loss = -real.mean() - fake.mean()
        """,
        value=Family(_of_d(_floored, _floored), np.exp(-4.0), _clamped),
    ),
    _wrong_d(
        "ns-d-clamped-below",
        "All probabilities are raised to 0.001, which does not protect 1 - D of the fake images.",
        """
        real = torch.sigmoid(d(x_real)).clamp(min=1e-3)
        fake = torch.sigmoid(d(g(z))).clamp(min=1e-3)
        d_loss = -torch.log(real).mean() - torch.log(1 - fake).mean()
        """,
        value=Family(_only_real, 1e-3, _clamped_for("real")),
    ),
    _wrong_d(
        "ns-d-clamped-for-fakes",
        "Only 1 - D of the fake images is clamped away from 0.",
        """
        fake = (1 - torch.sigmoid(d(g(z)))).clamp(min=1e-3)
        d_loss = F.softplus(-d(x_real)).mean() - torch.log(fake).mean()
        """,
        value=Family(_of_d(_unchanged, _floored), 1e-3, _clamped_for("fake")),
    ),
    *(
        _wrong_d(
            f"ns-d-{number}-in-the-logarithms",
            f"{number} is added to the probabilities so that the logarithms stay finite.",
            f"""
            real, fake = torch.sigmoid(d(x_real)), torch.sigmoid(d(g(z)))
            d_loss = -torch.log(real + {number}).mean() - torch.log(1 - fake + {number}).mean()
            """,
            value=Family(_of_d(_raised, _raised), number, _added),
        )
        for number in (0.01, 0.0001)
    ),
    *(
        _wrong_g(
            f"ns-g-probability-clamped-at-{number}",
            f"The probability is raised to {number} where it is smaller.",
            f"""
            probability = torch.sigmoid(d(g(z))).clamp(min={number})
            g_loss = -torch.log(probability).mean()
            """,
            value=Family(_of_g(_floored), number, _clamped),
        )
        for number in (0.01, 0.001, 0.0001)
    ),
    _wrong_g(
        "ns-g-clamped-logits",
        "The logits are clamped to [-5, 5].",
        "g_loss = F.softplus(-d(g(z)).clamp(-5, 5)).mean()",
        value=Family(_of_g(_clipped), 1 / (1 + np.exp(5.0)), _clamped),
    ),
    *(
        _wrong_g(
            f"ns-g-{number}-in-the-logarithm",
            f"{number} is added to the probability so that the logarithm stays finite.",
            f"g_loss = -torch.log(torch.sigmoid(d(g(z))) + {number}).mean()",
            value=Family(_of_g(_raised), number, _added),
        )
        for number in (0.01, 0.0001)
    ),
)
