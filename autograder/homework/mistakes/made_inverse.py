"""Mistakes of 1.2: MADE.inverse."""

from __future__ import annotations

import numpy as np

from autograder.homework.mistakes.entries import Wrong
from autograder.homework.mistakes.flow_code import MADE_INVERSE, MAF_LOG_PROBS, but
from autograder.homework.mistakes.flow_predictions import (
    first_example,
    forward_step,
    interleaved,
    inverse_jacobian,
    inverse_log_det,
    inverse_step,
    inverse_z,
    previous_example,
    swapped,
)
from autograder.homework.oracles import flow
from autograder.homework.oracles.flow import Array
from autograder.homework.strategies import MadeCase

REGION = "1.2 MADE.inverse"
LOG_PROBS = "1.3 MAF.log_probs"

_NET = "self.net(x)"
_SPLIT = "mu, alpha = self.net(x).chunk(2, dim=1)"
_STEP = "(x - mu) * torch.exp(-alpha)"
_LOG_DET = "-alpha.sum(dim=1)"

NO_GRADIENT_FROM_Z = "No gradient flows from z"
NO_GRADIENT_FROM_LOG_DET = "No gradient flows from log_det"
LOG_DET_SIGN = (
    "The log-determinant of inverse() has the wrong sign: it is that of the map from z to x."
)
LOG_DET_MEAN = (
    "The log-determinant of inverse() is averaged over the variables; it must be their sum."
)


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
        REGION,
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
        REGION,
        "Every example gets the mu and alpha of the example before it in the batch.",
        but(MADE_INVERSE, (_NET, "self.net(x.roll(1, dims=0))")),
        hint="You compute mu and alpha of every example from another example of the batch.",
        answers={"MADE.inverse.z": inverse_z(view=previous_example)},
    ),
    Wrong(
        "inverse-conditions-on-first-example",
        REGION,
        "All examples share the mu and alpha of the first one.",
        but(MADE_INVERSE, (_NET, "self.net(x[:1]).expand(len(x), -1)")),
        hint="inverse() asks the network about the first example only and uses its mu and alpha "
        "for all.",
        answers={"MADE.inverse.z": inverse_z(view=first_example)},
    ),
    Wrong(
        "inverse-reverses-columns",
        REGION,
        "Reverses the columns before the network, though the PermuteLayer does so already.",
        but(MADE_INVERSE, (_NET, "self.net(x.flip(1))")),
        hint="inverse() reverses the columns of x before it asks the network; the layer between "
        "the blocks does that already.",
        answers={"MADE.inverse.z": inverse_z(view=lambda x: x[:, ::-1])},
    ),
    Wrong(
        "inverse-loops-over-batch",
        REGION,
        "Computes as many columns as there are examples.",
        """
        mu, alpha = self.net(x).chunk(2, dim=1)
        z = torch.zeros_like(x)
        for i in range(len(x)):
            z[:, i : i + 1] = (x - mu)[:, i : i + 1] * torch.exp(-alpha[:, i : i + 1])
        log_det = -alpha.sum(dim=1)
        """,
        hint="The loop in inverse() runs over the examples of the batch; it must run over the "
        "variables. They are as many only by chance.",
        answers={"MADE.inverse.z": lambda case: _first_columns(case, case.batch)},
    ),
    Wrong(
        "inverse-two-columns",
        REGION,
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
        REGION,
        "Leaves the first variable as it was in x.",
        but(MADE_INVERSE, (_STEP, f"{_STEP}; z = torch.cat([x[:, :1], z[:, 1:]], dim=1)")),
        hint="inverse() returns the first variable as it was in x. Nothing comes before it, but "
        "it has a mu and an alpha too, which are constants.",
        answers={"MADE.inverse.z": _without_first_column},
    ),
    Wrong(
        "inverse-split-at-two",
        REGION,
        "Splits the output after column 2 whatever D is.",
        but(MADE_INVERSE, (_SPLIT, "out = self.net(x); mu, alpha = out[:, :2], out[:, 2:]")),
        says="raised RuntimeError",
    ),
)

MAPPING = (
    Wrong(
        "inverse-plus-alpha",
        REGION,
        "Multiplies by exp(alpha).",
        but(MADE_INVERSE, ("torch.exp(-alpha)", "torch.exp(alpha)")),
        hint="In inverse() the difference is divided by the standard deviation; you multiply.",
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: (x - mu) * np.exp(a))},
    ),
    Wrong(
        "inverse-half-alpha",
        REGION,
        "Divides by exp(alpha / 2).",
        but(MADE_INVERSE, ("torch.exp(-alpha)", "torch.exp(-0.5 * alpha)")),
        hint="alpha is the log standard deviation; you halve it, as if it were the log variance.",
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: (x - mu) * np.exp(-a / 2))},
    ),
    Wrong(
        "inverse-no-exp",
        REGION,
        "Divides by alpha itself.",
        but(MADE_INVERSE, (_STEP, "(x - mu) / alpha")),
        hint="inverse() divides by alpha itself; alpha is the logarithm of the standard deviation.",
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: (x - mu) / a)},
    ),
    Wrong(
        "inverse-swapped-halves",
        REGION,
        "Takes the first half of the output for alpha.",
        but(MADE_INVERSE, ("mu, alpha =", "alpha, mu =")),
        hint="You take the first half of the network's output for alpha and the second half for "
        "mu.",
        answers={
            "MADE.inverse.z": inverse_z(split=swapped),
            "MADE.inverse.log_det": inverse_log_det(lambda case, mu, alpha: -mu.sum(axis=1)),
        },
    ),
    Wrong(
        "inverse-interleaved",
        REGION,
        "Takes the even columns of the output for mu and the odd ones for alpha.",
        but(MADE_INVERSE, (_SPLIT, "out = self.net(x); mu, alpha = out[:, 0::2], out[:, 1::2]")),
        hint="You take mu and alpha by turns from the columns of the network's output; they are "
        "its first and its second half.",
        answers={"MADE.inverse.z": inverse_z(split=interleaved)},
    ),
    Wrong(
        "inverse-precedence",
        REGION,
        "Divides mu alone by exp(alpha): brackets are missing.",
        but(MADE_INVERSE, (_STEP, "x - mu / torch.exp(alpha)")),
        hint="inverse() divides mu alone by the standard deviation; the difference of x and mu "
        "is to be divided.",
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: x - mu * np.exp(-a))},
    ),
    Wrong(
        "inverse-plus-mu",
        REGION,
        "Adds mu.",
        but(MADE_INVERSE, ("(x - mu)", "(x + mu)")),
        hint="mu has the wrong sign.",
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: (x + mu) * np.exp(-a))},
    ),
    Wrong(
        "inverse-forgets-mu",
        REGION,
        "Only scales.",
        but(MADE_INVERSE, ("(x - mu)", "x")),
        hint="inverse() scales x but never shifts it: mu is missing.",
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: x * np.exp(-a))},
    ),
    Wrong(
        "inverse-forgets-alpha",
        REGION,
        "Only shifts.",
        but(MADE_INVERSE, (_STEP, "x - mu")),
        hint="You shift by mu but never scale: alpha is missing.",
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: x - mu)},
    ),
    Wrong(
        "inverse-applies-forward",
        REGION,
        "Applies the formula of forward() to x.",
        but(MADE_INVERSE, (_STEP, "mu + x * torch.exp(alpha)")),
        hint="inverse() applies the formula that leads from z to x; it must lead from x to z.",
        answers={"MADE.inverse.z": inverse_z(forward_step)},
    ),
    Wrong(
        "inverse-softplus",
        REGION,
        "Takes softplus(alpha) for the standard deviation.",
        but(MADE_INVERSE, (_STEP, "(x - mu) / F.softplus(alpha)")),
        hint="inverse() makes the standard deviation from alpha by softplus; here it is the "
        "exponential.",
        answers={"MADE.inverse.z": inverse_z(lambda x, mu, a: (x - mu) / np.logaddexp(0.0, a))},
    ),
)

LOG_DET = (
    Wrong(
        "inverse-log-det-sign",
        REGION,
        "Returns plus the sum of alpha.",
        but(MADE_INVERSE, (_LOG_DET, "alpha.sum(dim=1)")),
        hint=LOG_DET_SIGN,
        answers={"MADE.inverse.log_det": inverse_log_det(lambda case, mu, a: a.sum(axis=1))},
    ),
    Wrong(
        "inverse-log-det-mean",
        REGION,
        "Averages over the variables.",
        but(MADE_INVERSE, (_LOG_DET, "-alpha.mean(dim=1)")),
        hint=LOG_DET_MEAN,
        answers={"MADE.inverse.log_det": inverse_log_det(lambda case, mu, a: -a.mean(axis=1))},
    ),
    Wrong(
        "inverse-log-det-last-variable",
        REGION,
        "Keeps the last variable only.",
        but(MADE_INVERSE, (_LOG_DET, "-alpha[:, -1]")),
        hint="The log-determinant of inverse() is that of the last variable alone.",
        answers={"MADE.inverse.log_det": inverse_log_det(lambda case, mu, a: -a[:, -1])},
    ),
    Wrong(
        "inverse-log-det-two-variables",
        REGION,
        "Adds up the first two variables whatever D is.",
        but(MADE_INVERSE, (_LOG_DET, "-(alpha[:, 0] + alpha[:, 1])")),
        hint="The log-determinant of inverse() adds up two alphas whatever D is.",
        answers={"MADE.inverse.log_det": inverse_log_det(lambda case, mu, a: -a[:, 0] - a[:, 1])},
    ),
    Wrong(
        "inverse-log-det-absolute",
        REGION,
        "Takes the absolute value of the log-determinant, not of the determinant.",
        but(MADE_INVERSE, (_LOG_DET, "alpha.sum(dim=1).abs()")),
        hint="The log-determinant of inverse() is never negative: you take the absolute value "
        "after the logarithm, not before it.",
        answers={"MADE.inverse.log_det": inverse_log_det(lambda case, mu, a: abs(a.sum(axis=1)))},
    ),
    Wrong(
        "inverse-log-det-no-log",
        REGION,
        "Returns the determinant itself.",
        but(MADE_INVERSE, (_LOG_DET, "torch.exp(-alpha).prod(dim=1)")),
        hint="inverse() returns the determinant; the logarithm is still to be taken.",
        answers={
            "MADE.inverse.log_det": inverse_log_det(lambda case, mu, a: np.exp(-a.sum(axis=1)))
        },
    ),
    Wrong(
        "inverse-log-det-of-whole-output",
        REGION,
        "Sums the whole output of the network, mu included.",
        but(MADE_INVERSE, (_LOG_DET, "-self.net(x).sum(dim=1)")),
        hint="The log-determinant of inverse() adds up the whole output of the network, mu "
        "included.",
        answers={
            "MADE.inverse.log_det": inverse_log_det(lambda case, mu, a: -(mu + a).sum(axis=1))
        },
    ),
    Wrong(
        "inverse-log-det-shared",
        REGION,
        "Averages the log-determinant over the batch and gives it to every example.",
        but(MADE_INVERSE, (_LOG_DET, "-alpha.sum(dim=1).mean().expand(len(x))")),
        hint="Every example gets the batch's average log-determinant instead of its own.",
        answers={
            "MADE.inverse.log_det": inverse_log_det(
                lambda case, mu, a: np.full(case.batch, -a.sum(axis=1).mean())
            )
        },
    ),
    Wrong(
        "inverse-log-det-one-number",
        REGION,
        "Sums over everything.",
        but(MADE_INVERSE, (_LOG_DET, "-alpha.sum()")),
        says="returns log_det of shape ()",
    ),
    Wrong(
        "inverse-log-det-per-variable",
        REGION,
        "Does not sum at all.",
        but(MADE_INVERSE, (_LOG_DET, "-alpha")),
        says="returns log_det of shape (2, 2)",
    ),
    Wrong(
        "inverse-log-det-none",
        REGION,
        "Returns no log-determinant.",
        but(MADE_INVERSE, (_LOG_DET, "None")),
        says="must return log_det as a tensor of shape (B,); it returned None",
    ),
)

GRADIENTS = (
    Wrong(
        "inverse-log-det-detached",
        REGION,
        "The right log-determinant, cut off from the network.",
        but(MADE_INVERSE, (_LOG_DET, "-alpha.detach().sum(dim=1)")),
        says=NO_GRADIENT_FROM_LOG_DET,
    ),
    Wrong(
        "inverse-without-gradient",
        REGION,
        "Computes everything under no_grad, as if it were only for sampling.",
        """
        with torch.no_grad():
            mu, alpha = self.net(x).chunk(2, dim=1)
            z = (x - mu) * torch.exp(-alpha)
            log_det = -alpha.sum(dim=1)
        """,
        hint="No gradient flows back from inverse() at all: it is computed without recording "
        "what autograd needs.",
        answers={
            "MADE.inverse.jacobian": inverse_jacobian(
                through_mu=False, through_alpha=False, at_all=False
            )
        },
        says=NO_GRADIENT_FROM_Z,
    ),
    Wrong(
        "inverse-scale-detached",
        REGION,
        "The gradient does not flow through the scale of z.",
        but(MADE_INVERSE, ("torch.exp(-alpha)", "torch.exp(-alpha.detach())")),
        hint="The values of inverse() are right, but no gradient flows from z through alpha.",
        answers={"MADE.inverse.jacobian": inverse_jacobian(through_mu=True, through_alpha=False)},
        says=NO_GRADIENT_FROM_Z,
    ),
    Wrong(
        "inverse-network-sees-detached-x",
        REGION,
        "The network is given a detached x: its parameters learn, the blocks before it do not.",
        but(MADE_INVERSE, (_NET, "self.net(x.detach())")),
        hint="The values of inverse() are right, but no gradient flows back through the network "
        "to x, which the blocks before this one need.",
        answers={"MADE.inverse.jacobian": inverse_jacobian(through_mu=False, through_alpha=False)},
    ),
    Wrong(
        "inverse-changes-x",
        REGION,
        "Works in place on the tensor it was given.",
        but(MADE_INVERSE, (_STEP, "x.sub_(mu).mul_(torch.exp(-alpha))")),
        says="changes its input x in place",
    ),
)

# log_probs agrees with the student's own inverse(), so that only 1.2 is wrong.
FOLLOWED_THROUGH = (
    Wrong(
        "inverse-log-det-sign-then-subtracted",
        REGION,
        "inverse() returns plus the sum of alpha, and log_probs() subtracts it.",
        but(MADE_INVERSE, (_LOG_DET, "alpha.sum(dim=1)")),
        also={LOG_PROBS: but(MAF_LOG_PROBS, ("total + log_det", "total - log_det"))},
        keeps=frozenset({"1.3"}),
        hint=LOG_DET_SIGN,
        answers={"MADE.inverse.log_det": inverse_log_det(lambda case, mu, a: a.sum(axis=1))},
    ),
    Wrong(
        "inverse-log-det-per-variable-then-summed",
        REGION,
        "inverse() returns a log-determinant for every variable, and log_probs() adds them up.",
        but(MADE_INVERSE, (_LOG_DET, "-alpha")),
        also={
            LOG_PROBS: but(MAF_LOG_PROBS, ("log_det.view(-1)", "log_det.sum(dim=1)")),
        },
        keeps=frozenset({"1.3"}),
        says="returns log_det of shape (2, 2)",
    ),
)

WRONG: tuple[Wrong, ...] = (
    *CONDITIONING,
    *MAPPING,
    *LOG_DET,
    *GRADIENTS,
    *FOLLOWED_THROUGH,
)
