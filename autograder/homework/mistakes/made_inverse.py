"""Mistakes of 1.2: the map of MADE.inverse."""

from __future__ import annotations

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.mistakes.flow_code import INVERSE, MADE_INVERSE, but
from autograder.homework.mistakes.flow_predictions import (
    first_example,
    forward_step,
    interleaved,
    inverse_log_det,
    inverse_step,
    inverse_z,
    previous_column,
    previous_example,
    swapped,
)
from autograder.homework.mistakes.made_forward import (
    DOUBLE_ALPHA,
    HALF_ALPHA,
    INTERLEAVED,
    MINUS_MU,
    PREVIOUS,
    PREVIOUS_COLUMN,
    SWAPPED,
)
from autograder.homework.oracles import flow
from autograder.homework.problems.flow_parameters import Array
from autograder.homework.strategies import MadeCase

_NET = "self.net(x)"
_SPLIT = "mu, alpha = self.net(x).chunk(2, dim=1)"
_STEP = "(x - mu) * torch.exp(-alpha)"


def _made_of_z(case: MadeCase) -> Array:
    """z where mu and alpha of a column are computed from the z before it."""
    z = np.zeros_like(case.x)
    for i in range(case.input_size):
        z[:, i] = inverse_step(case.x, *flow.conditioner(case.weights, z))[:, i]
    return z


def _first_columns(case: MadeCase, columns: int) -> Array:
    """The first columns of the right z, zeros beside them."""
    z = flow.made_inverse(case.weights, case.x)[0]
    return np.where(np.arange(case.input_size) < columns, z, 0.0)


def _without_first_column(case: MadeCase) -> Array:
    """The right z, its first column that of x."""
    z = flow.made_inverse(case.weights, case.x)[0]
    z[:, 0] = case.x[:, 0]
    return z


CONDITIONING = (
    Wrong(
        "inverse-conditions-on-noise",
        INVERSE,
        "Goes from column to column as forward() must and asks the network about z.",
        """
        z = torch.zeros_like(x)
        for i in range(self.input_size):
            mu, alpha = self.net(z).chunk(2, dim=1)
            z_i = (x[:, i] - mu[:, i]) / torch.exp(alpha[:, i])
            z = torch.cat([z[:, :i], z_i.unsqueeze(1), z[:, i + 1 :]], dim=1)
        log_det = -alpha.sum(dim=1)
        """,
        hint="inverse() asks the network about the z made so far; mu and alpha depend on the "
        "data, all of which inverse() is given.",
        answers={"MADE.inverse.z": _made_of_z},
    ),
    Wrong(
        "inverse-conditions-on-other-example",
        INVERSE,
        "Every example gets the mu and alpha of the example before it in the batch.",
        but(MADE_INVERSE, (_NET, "self.net(x.roll(1, dims=0))")),
        hint=PREVIOUS,
        answers={"MADE.inverse.z": inverse_z(view=previous_example)},
    ),
    Wrong(
        "inverse-conditions-on-first-example",
        INVERSE,
        "All examples share the mu and alpha of the first one.",
        but(MADE_INVERSE, (_NET, "self.net(x[:1]).expand(len(x), -1)")),
        hint="inverse() asks the network about the first example only and uses its mu and alpha "
        "for all.",
        answers={"MADE.inverse.z": inverse_z(view=first_example)},
    ),
    Wrong(
        "inverse-reverses-columns",
        INVERSE,
        "Reverses the columns before the network, though the PermuteLayer does so already.",
        but(MADE_INVERSE, (_NET, "self.net(x.flip(1))")),
        hint="inverse() reverses the columns of x before it asks the network; the layer between "
        "the blocks does that already.",
        answers={"MADE.inverse.z": inverse_z(view=lambda x: x[:, ::-1])},
    ),
    Wrong(
        "inverse-previous-column",
        INVERSE,
        "Takes mu and alpha of the column before.",
        but(MADE_INVERSE, (_SPLIT, f"{_SPLIT}; mu, alpha = mu.roll(1, 1), alpha.roll(1, 1)")),
        hint=PREVIOUS_COLUMN,
        answers={"MADE.inverse.z": inverse_z(split=previous_column)},
    ),
    Wrong(
        "inverse-reverses-z",
        INVERSE,
        "Reverses the columns of the result, though the PermuteLayer does so already.",
        but(MADE_INVERSE, (_STEP, f"({_STEP}).flip(1)")),
        hint="inverse() returns its columns in reverse; the layer between the blocks does that.",
        answers={
            "MADE.inverse.z": lambda case: flow.made_inverse(case.weights, case.x)[0][:, ::-1]
        },
    ),
    Wrong(
        "inverse-counts-examples",
        INVERSE,
        "Takes the number of examples for the number of variables.",
        """
        mu, alpha = self.net(x).chunk(2, dim=1)
        n = x.shape[0]
        z = torch.zeros_like(x)
        z[:, :n] = (x[:, :n] - mu[:, :n]) * torch.exp(-alpha[:, :n])
        log_det = -alpha.sum(dim=1)
        """,
        hint="inverse() computes as many variables as there are examples in the batch; the two "
        "numbers agree only by chance.",
        answers={"MADE.inverse.z": lambda case: _first_columns(case, case.batch)},
    ),
    Wrong(
        "inverse-two-columns",
        INVERSE,
        "Computes the first two columns whatever D is.",
        """
        mu, alpha = self.net(x).chunk(2, dim=1)
        z = torch.zeros_like(x)
        z[:, 0] = (x[:, 0] - mu[:, 0]) * torch.exp(-alpha[:, 0])
        z[:, 1] = (x[:, 1] - mu[:, 1]) * torch.exp(-alpha[:, 1])
        log_det = -alpha.sum(dim=1)
        """,
        hint="inverse() computes two variables whatever D is; the others stay zero.",
        answers={"MADE.inverse.z": lambda case: _first_columns(case, 2)},
    ),
    Wrong(
        "inverse-skips-first-variable",
        INVERSE,
        "Leaves the first variable as it was in x.",
        but(MADE_INVERSE, (_STEP, f"{_STEP}; z = torch.cat([x[:, :1], z[:, 1:]], dim=1)")),
        hint="inverse() returns the first variable as it was in x. Nothing comes before it, but "
        "it has a mu and an alpha too, which are constants.",
        answers={"MADE.inverse.z": _without_first_column},
    ),
    Wrong(
        "inverse-split-at-two",
        INVERSE,
        "Splits the output after column 2 whatever D is.",
        but(MADE_INVERSE, (_SPLIT, "out = self.net(x); mu, alpha = out[:, :2], out[:, 2:]")),
        says="raised RuntimeError",
    ),
)

MAPPING = (
    Wrong(
        "inverse-plus-alpha",
        INVERSE,
        "Multiplies by exp(alpha).",
        but(MADE_INVERSE, ("torch.exp(-alpha)", "torch.exp(alpha)")),
        hint="inverse() multiplies x - mu by the standard deviation; it must divide.",
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: (x - mu) * np.exp(a))},
    ),
    Wrong(
        "inverse-half-alpha",
        INVERSE,
        "Divides by exp(alpha / 2).",
        but(MADE_INVERSE, ("torch.exp(-alpha)", "torch.exp(-0.5 * alpha)")),
        hint=HALF_ALPHA,
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: (x - mu) * np.exp(-a / 2))},
    ),
    Wrong(
        "inverse-double-alpha",
        INVERSE,
        "Divides by exp(2 alpha).",
        but(MADE_INVERSE, ("torch.exp(-alpha)", "torch.exp(-2 * alpha)")),
        hint=DOUBLE_ALPHA,
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: (x - mu) * np.exp(-2 * a))},
    ),
    Wrong(
        "inverse-scales-first",
        INVERSE,
        "Divides x by exp(alpha) and subtracts mu afterwards.",
        but(MADE_INVERSE, (_STEP, "x * torch.exp(-alpha) - mu")),
        hint="inverse() scales first and shifts afterwards; the shift by mu comes first.",
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: x * np.exp(-a) - mu)},
    ),
    Wrong(
        "inverse-absolute",
        INVERSE,
        "Takes the distance from mu, without its sign.",
        but(MADE_INVERSE, ("(x - mu)", "(x - mu).abs()")),
        hint="inverse() loses the sign of x - mu.",
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: np.abs(x - mu) * np.exp(-a))},
    ),
    Wrong(
        "inverse-no-exp",
        INVERSE,
        "Divides by alpha itself.",
        but(MADE_INVERSE, (_STEP, "(x - mu) / alpha")),
        hint="inverse() divides by alpha itself; alpha is the logarithm of the standard deviation.",
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: (x - mu) / a)},
    ),
    Wrong(
        "inverse-swapped-halves",
        INVERSE,
        "Takes the first half of the output for alpha.",
        but(MADE_INVERSE, ("mu, alpha =", "alpha, mu =")),
        hint=SWAPPED,
        answers={
            "MADE.inverse.z": inverse_z(split=swapped),
            "MADE.inverse.log_det": inverse_log_det(lambda case, mu, alpha: -mu.sum(axis=1)),
        },
    ),
    Wrong(
        "inverse-interleaved",
        INVERSE,
        "Takes the even columns of the output for mu and the odd ones for alpha.",
        but(MADE_INVERSE, (_SPLIT, "out = self.net(x); mu, alpha = out[:, 0::2], out[:, 1::2]")),
        hint=INTERLEAVED,
        answers={"MADE.inverse.z": inverse_z(split=interleaved)},
    ),
    Wrong(
        "inverse-precedence",
        INVERSE,
        "Divides mu alone by exp(alpha): brackets are missing.",
        but(MADE_INVERSE, (_STEP, "x - mu / torch.exp(alpha)")),
        hint="inverse() divides mu alone by the standard deviation; the difference of x and mu "
        "is to be divided.",
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: x - mu * np.exp(-a))},
    ),
    Wrong(
        "inverse-plus-mu",
        INVERSE,
        "Adds mu.",
        but(MADE_INVERSE, ("(x - mu)", "(x + mu)")),
        hint=MINUS_MU,
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: (x + mu) * np.exp(-a))},
    ),
    Wrong(
        "inverse-forgets-mu",
        INVERSE,
        "Only scales.",
        but(MADE_INVERSE, ("(x - mu)", "x")),
        hint="inverse() scales x but never shifts it: mu is missing.",
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: x * np.exp(-a))},
    ),
    Wrong(
        "inverse-forgets-alpha",
        INVERSE,
        "Only shifts.",
        but(MADE_INVERSE, (_STEP, "x - mu")),
        hint="You shift by mu but never scale: alpha is missing.",
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: x - mu)},
    ),
    Wrong(
        "inverse-applies-forward",
        INVERSE,
        "Applies the formula of forward() to x.",
        but(MADE_INVERSE, (_STEP, "mu + x * torch.exp(alpha)")),
        hint="inverse() applies the formula that leads from z to x; it must lead from x to z.",
        answers={"MADE.inverse.z": inverse_z(forward_step)},
    ),
    Wrong(
        "inverse-softplus",
        INVERSE,
        "Takes softplus(alpha) for the standard deviation.",
        but(MADE_INVERSE, (_STEP, "(x - mu) / F.softplus(alpha)")),
        hint="inverse() makes the standard deviation from alpha by softplus; here it is the "
        "exponential.",
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: (x - mu) / np.logaddexp(0.0, a))},
    ),
    Wrong(
        "inverse-squashes-alpha",
        INVERSE,
        "Passes alpha through tanh, as other flows do.",
        but(MADE_INVERSE, ("torch.exp(-alpha)", "torch.exp(-torch.tanh(alpha))")),
        hint="inverse() bounds alpha by tanh before it is used; the handout uses it as it is.",
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: (x - mu) * np.exp(-np.tanh(a)))},
    ),
    Wrong(
        "inverse-depends-on-the-mode",
        INVERSE,
        "Halves alpha when the network is not trained.",
        but(MADE_INVERSE, (_SPLIT, f"{_SPLIT}; alpha = alpha * (1.0 if self.training else 0.5)")),
        says="in evaluation mode, called for the second time",
    ),
    Wrong(
        "inverse-first-64-examples",
        INVERSE,
        "Only the first 64 examples of a batch are mapped.",
        but(MADE_INVERSE, (_STEP, f"{_STEP}; z = torch.cat([z[:64], x[64:]])")),
        says="batch=300",
    ),
    Wrong(
        "inverse-alpha-clamped",
        INVERSE,
        "alpha is kept between -2 and 2, where a trained flow's goes beyond.",
        but(MADE_INVERSE, ("torch.exp(-alpha)", "torch.exp(-alpha.clamp(-2, 2))")),
        says="does not give z_i = (x_i - mu_i)",
    ),
)

WRONG: tuple[Wrong, ...] = (*CONDITIONING, *MAPPING)
