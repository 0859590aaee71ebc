"""Mistakes of 1.1: MADE.forward, alone and together with a MADE.inverse that undoes them."""

from __future__ import annotations

import numpy as np

from autograder.homework.mistakes.entries import Wrong
from autograder.homework.mistakes.flow_code import MADE_FORWARD, MADE_INVERSE, but
from autograder.homework.mistakes.flow_predictions import (
    batch_mean,
    forward_columns,
    forward_log_det,
    forward_passes,
    forward_step,
    halves,
    interleaved,
    inverse_step,
    inverse_z,
    previous_example,
    same,
    swapped,
)
from autograder.homework.oracles import flow
from autograder.homework.oracles.flow import Array
from autograder.homework.strategies import MadeCase

REGION = "1.1 MADE.forward"
INVERSE = "1.2 MADE.inverse"

_NET = "self.net(x).chunk(2, dim=1)"
_SPLIT = "mu, alpha = self.net(x).chunk(2, dim=1)"
_RIGHT_STEP = "mu[:, i] + z[:, i] * torch.exp(alpha[:, i])"
_LOG_DET = "alpha.sum(dim=1)"
_LOOP = "range(self.input_size)"

# Hints that a mistake of forward() shares with the pair in which inverse() undoes it.
HALF_ALPHA = "alpha is the log standard deviation; you halve it, as if it were the log variance."
SWAPPED = "You take the first half of the network's output for alpha and the second half for mu."
PREVIOUS = "You compute mu and alpha of every example from another example of the batch."
MINUS_MU = "mu has the wrong sign."
FORWARD_MINUS_ALPHA = "In forward() the noise is multiplied by the standard deviation; you divide."


def _passes(times: str) -> str:
    """All columns at once, as often as `times` says."""
    return f"""
x = torch.zeros_like(z)
for _ in range({times}):
    mu, alpha = self.net(x).chunk(2, dim=1)
    x = mu + z * torch.exp(alpha)
log_det = alpha.sum(dim=1)
"""


def _alpha_of_all_passes(case: MadeCase, alpha: Array) -> Array:
    """The sum of every column's alpha in every pass, while x was still being made."""
    x, total = np.zeros_like(case.z), np.zeros(case.batch)
    for i in range(case.input_size):
        mu, seen = flow.conditioner(case.weights, x)
        x[:, i] = forward_step(case.z, mu, seen)[:, i]
        total = total + seen.sum(axis=1)
    return total


CONDITIONING = (
    Wrong(
        "forward-conditions-on-noise",
        REGION,
        "Computes mu and alpha from z instead of from the x made so far.",
        but(MADE_FORWARD, (_NET, "self.net(z).chunk(2, dim=1)")),
        hint="forward() asks the network about the noise z; mu and alpha of a variable depend on "
        "the data before it, x_1 .. x_{i-1}.",
        answers={"MADE.forward.x": forward_passes(lambda case: 1, start=same)},
    ),
    Wrong(
        "forward-single-pass",
        REGION,
        "Asks the network once, about zeros, and computes all variables from that.",
        _passes("1"),
        hint="forward() asks the network once, before any x is known; every variable must wait "
        "for those before it.",
        answers={"MADE.forward.x": forward_passes(lambda case: 1)},
    ),
    Wrong(
        "forward-loops-over-batch",
        REGION,
        "Makes as many passes as there are examples, not as there are variables.",
        _passes("len(z)"),
        hint="The loop in forward() runs over the examples of the batch; it must run over the "
        "variables. They are as many only by chance.",
        answers={"MADE.forward.x": forward_passes(lambda case: case.batch)},
    ),
    Wrong(
        "forward-two-passes",
        REGION,
        "Makes two passes whatever the number of variables is.",
        _passes("2"),
        hint="forward() makes two passes whatever D is; that is enough for two variables only.",
        answers={"MADE.forward.x": forward_passes(lambda case: 2)},
    ),
    Wrong(
        "forward-loops-over-layers",
        REGION,
        "Makes one pass for every linear layer of the network but the first.",
        _passes("self.n_hidden + 1"),
        hint="The loop in forward() runs over the layers of the network; it must run over the "
        "variables.",
        answers={"MADE.forward.x": forward_passes(lambda case: case.n_hidden + 1)},
    ),
    Wrong(
        "forward-last-variable-first",
        REGION,
        "Computes the variables from the last to the first.",
        but(MADE_FORWARD, (_LOOP, "reversed(range(self.input_size))")),
        hint="forward() computes the last variable first; the masks let every variable depend on "
        "those before it, so the first must come first.",
        answers={
            "MADE.forward.x": forward_columns(columns=lambda case: range(case.input_size)[::-1])
        },
    ),
    Wrong(
        "forward-skips-first-variable",
        REGION,
        "Leaves the first variable as it was in z, because nothing comes before it.",
        but(
            MADE_FORWARD,
            ("torch.zeros_like(z)", "z.clone()"),
            (_LOOP, "range(1, self.input_size)"),
        ),
        hint="forward() returns the first variable as it was in z. Nothing comes before it, but "
        "it has a mu and an alpha too, which are constants.",
        answers={
            "MADE.forward.x": forward_columns(
                columns=lambda case: range(1, case.input_size), start=np.copy
            )
        },
    ),
    Wrong(
        "forward-stops-before-last-variable",
        REGION,
        "The loop ends one variable too early.",
        but(MADE_FORWARD, (_LOOP, "range(self.input_size - 1)")),
        hint="forward() never computes the last variable: the loop ends one step too early.",
        answers={
            "MADE.forward.x": forward_columns(columns=lambda case: range(case.input_size - 1))
        },
    ),
    Wrong(
        "forward-conditions-on-other-example",
        REGION,
        "Every example gets the mu and alpha of the example before it in the batch.",
        but(MADE_FORWARD, ("self.net(x)", "self.net(x.roll(1, dims=0))")),
        hint=PREVIOUS,
        answers={"MADE.forward.x": forward_columns(view=previous_example)},
    ),
    Wrong(
        "forward-conditions-on-batch-average",
        REGION,
        "All examples share the mu and alpha of their average.",
        but(MADE_FORWARD, ("self.net(x)", "self.net(x.mean(dim=0, keepdim=True).expand_as(x))")),
        hint="forward() asks the network about the average of the batch, so that all examples "
        "share one mu and one alpha.",
        answers={"MADE.forward.x": forward_columns(view=batch_mean)},
    ),
    Wrong(
        "forward-fresh-noise",
        REGION,
        "Draws noise of its own instead of using z.",
        but(MADE_FORWARD, ("z[:, i] *", "torch.randn_like(z[:, i]) *")),
        says="does not change with z",
    ),
)

MAPPING = (
    Wrong(
        "forward-half-alpha",
        REGION,
        "Multiplies by exp(alpha / 2).",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "torch.exp(0.5 * alpha[:, i])")),
        hint=HALF_ALPHA,
        answers={"MADE.forward.x": forward_columns(lambda z, mu, a: mu + z * np.exp(a / 2))},
    ),
    Wrong(
        "forward-no-exp",
        REGION,
        "Multiplies by alpha itself.",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "alpha[:, i]")),
        hint="forward() multiplies the noise by alpha itself; alpha is the logarithm of the "
        "standard deviation.",
        answers={"MADE.forward.x": forward_columns(lambda z, mu, a: mu + z * a)},
    ),
    Wrong(
        "forward-minus-alpha",
        REGION,
        "Divides by exp(alpha).",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "torch.exp(-alpha[:, i])")),
        hint=FORWARD_MINUS_ALPHA,
        answers={"MADE.forward.x": forward_columns(lambda z, mu, a: mu + z * np.exp(-a))},
    ),
    Wrong(
        "forward-swapped-halves",
        REGION,
        "Takes the first half of the output for alpha.",
        but(MADE_FORWARD, ("mu, alpha =", "alpha, mu =")),
        hint=SWAPPED,
        answers={"MADE.forward.x": forward_columns(split=swapped)},
    ),
    Wrong(
        "forward-interleaved",
        REGION,
        "Takes the even columns of the output for mu and the odd ones for alpha.",
        but(MADE_FORWARD, (_SPLIT, "out = self.net(x); mu, alpha = out[:, 0::2], out[:, 1::2]")),
        hint="You take mu and alpha by turns from the columns of the network's output; they are "
        "its first and its second half.",
        answers={"MADE.forward.x": forward_columns(split=interleaved)},
    ),
    Wrong(
        "forward-split-at-two",
        REGION,
        "Splits the output after column 2 whatever D is.",
        but(MADE_FORWARD, (_SPLIT, "out = self.net(x); mu, alpha = out[:, :2], out[:, 2:]")),
        says="raised IndexError",
    ),
    Wrong(
        "forward-adds-mu-first",
        REGION,
        "Adds mu to the noise and scales both.",
        but(MADE_FORWARD, (_RIGHT_STEP, "(mu[:, i] + z[:, i]) * torch.exp(alpha[:, i])")),
        hint="forward() scales mu together with the noise; only the noise is to be scaled.",
        answers={"MADE.forward.x": forward_columns(lambda z, mu, a: (mu + z) * np.exp(a))},
    ),
    Wrong(
        "forward-minus-mu",
        REGION,
        "Subtracts mu.",
        but(MADE_FORWARD, (_RIGHT_STEP, "z[:, i] * torch.exp(alpha[:, i]) - mu[:, i]")),
        hint=MINUS_MU,
        answers={"MADE.forward.x": forward_columns(lambda z, mu, a: z * np.exp(a) - mu)},
    ),
    Wrong(
        "forward-applies-inverse",
        REGION,
        "Loops over the variables but applies the formula of inverse().",
        but(MADE_FORWARD, (_RIGHT_STEP, "(z[:, i] - mu[:, i]) / torch.exp(alpha[:, i])")),
        hint="forward() applies the formula that leads from x to z; it must lead from z to x.",
        answers={"MADE.forward.x": forward_columns(inverse_step)},
    ),
    Wrong(
        "forward-forgets-mu",
        REGION,
        "Only scales the noise.",
        but(MADE_FORWARD, (_RIGHT_STEP, "z[:, i] * torch.exp(alpha[:, i])")),
        hint="forward() scales the noise but never shifts it: mu is missing.",
        answers={"MADE.forward.x": forward_columns(lambda z, mu, a: z * np.exp(a))},
    ),
    Wrong(
        "forward-forgets-alpha",
        REGION,
        "Only shifts the noise.",
        but(MADE_FORWARD, (_RIGHT_STEP, "mu[:, i] + z[:, i]")),
        hint="forward() shifts the noise but never scales it: alpha is missing.",
        answers={"MADE.forward.x": forward_columns(lambda z, mu, a: mu + z)},
    ),
    Wrong(
        "forward-squashes-alpha",
        REGION,
        "Passes alpha through tanh, as other flows do.",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "torch.exp(torch.tanh(alpha[:, i]))")),
        hint="forward() bounds alpha by tanh before it is used; the handout uses it as it is.",
        answers={"MADE.forward.x": forward_columns(lambda z, mu, a: mu + z * np.exp(np.tanh(a)))},
    ),
)

LOG_DET = (
    Wrong(
        "forward-log-det-mean",
        REGION,
        "Averages alpha over the variables.",
        but(MADE_FORWARD, (_LOG_DET, "alpha.mean(dim=1)")),
        hint="The log-determinant of forward() is the average of alpha over the variables; it "
        "must be their sum.",
        answers=forward_log_det(lambda case, alpha: alpha.mean(axis=1)),
    ),
    Wrong(
        "forward-log-det-last-variable",
        REGION,
        "Keeps the alpha of the last variable only.",
        but(MADE_FORWARD, (_LOG_DET, "alpha[:, i]")),
        hint="The log-determinant of forward() is the alpha of the last variable alone.",
        answers=forward_log_det(lambda case, alpha: alpha[:, -1]),
    ),
    Wrong(
        "forward-log-det-two-variables",
        REGION,
        "Adds the alphas of the first two variables whatever D is.",
        but(MADE_FORWARD, (_LOG_DET, "alpha[:, 0] + alpha[:, 1]")),
        hint="The log-determinant of forward() adds up two alphas whatever D is.",
        answers=forward_log_det(lambda case, alpha: alpha[:, 0] + alpha[:, 1]),
    ),
    Wrong(
        "forward-log-det-over-batch",
        REGION,
        "Sums alpha over the examples instead of the variables.",
        but(MADE_FORWARD, (_LOG_DET, "alpha.sum(dim=0)")),
        hint="The log-determinant of forward() is summed over the examples; it must be summed "
        "over the variables, for every example on its own.",
        answers=forward_log_det(lambda case, alpha: alpha.sum(axis=0)),
    ),
    Wrong(
        "forward-log-det-one-number",
        REGION,
        "Sums alpha over everything.",
        but(MADE_FORWARD, (_LOG_DET, "alpha.sum()")),
        says="returns log_det of shape ()",
    ),
    Wrong(
        "forward-log-det-two-dimensional",
        REGION,
        "Keeps the summed dimension.",
        but(MADE_FORWARD, (_LOG_DET, "alpha.sum(dim=1, keepdim=True)")),
        says="returns log_det of shape (2, 1)",
    ),
    Wrong(
        "forward-log-det-none",
        REGION,
        "Returns no log-determinant.",
        but(MADE_FORWARD, (_LOG_DET, "None")),
        says="must return log_det as a tensor of shape (B,); it returned None",
    ),
    Wrong(
        "forward-returns-x-only",
        REGION,
        "Returns x alone.",
        but(MADE_FORWARD, ("log_det = alpha.sum(dim=1)", "return x")),
        says="must return two tensors, x and log_det; it returned one tensor",
    ),
    Wrong(
        "forward-log-det-no-log",
        REGION,
        "Returns the determinant itself.",
        but(MADE_FORWARD, (_LOG_DET, "torch.exp(alpha).prod(dim=1)")),
        hint="forward() returns the determinant; the logarithm is still to be taken.",
        answers=forward_log_det(lambda case, alpha: np.exp(alpha.sum(axis=1))),
    ),
    Wrong(
        "forward-log-det-all-passes",
        REGION,
        "Adds all alphas of every pass.",
        but(
            MADE_FORWARD,
            ("for i", "log_det = torch.zeros_like(z[:, 0])\nfor i"),
            (_RIGHT_STEP, f"{_RIGHT_STEP}\n    log_det = log_det + {_LOG_DET}"),
            ("\nlog_det = alpha.sum(dim=1)", ""),
        ),
        hint="The log-determinant of forward() adds up the alphas of all variables in every pass, "
        "most of them before their x was known.",
        answers=forward_log_det(_alpha_of_all_passes),
    ),
    Wrong(
        "forward-log-det-first-pass",
        REGION,
        "Takes the log-determinant from the first pass, when x was still zero.",
        but(
            MADE_FORWARD,
            ("for i", "log_det = self.net(x).chunk(2, dim=1)[1].sum(dim=1)\nfor i"),
            ("\nlog_det = alpha.sum(dim=1)", ""),
        ),
        hint="The log-determinant of forward() comes from the alphas of the first pass, when x "
        "was still zero.",
        answers=forward_log_det(
            lambda case, alpha: flow.conditioner(case.weights, 0 * case.z)[1].sum(axis=1)
        ),
    ),
)

PAIRS = (
    Wrong(
        "both-half-alpha",
        REGION,
        "Both directions use exp(alpha / 2).",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "torch.exp(alpha[:, i] / 2)")),
        also={INVERSE: but(MADE_INVERSE, ("torch.exp(-alpha)", "torch.exp(-alpha / 2)"))},
        hint=HALF_ALPHA,
        answers={
            "MADE.forward.x": forward_columns(lambda z, mu, a: mu + z * np.exp(a / 2)),
            "MADE.inverse.z": inverse_z(lambda x, mu, a: (x - mu) * np.exp(-a / 2)),
        },
    ),
    Wrong(
        "both-minus-mu",
        REGION,
        "mu has the wrong sign in both directions.",
        but(MADE_FORWARD, (_RIGHT_STEP, "z[:, i] * torch.exp(alpha[:, i]) - mu[:, i]")),
        also={INVERSE: but(MADE_INVERSE, ("(x - mu)", "(x + mu)"))},
        hint=MINUS_MU,
        answers={
            "MADE.forward.x": forward_columns(lambda z, mu, a: z * np.exp(a) - mu),
            "MADE.inverse.z": inverse_z(lambda x, mu, a: (x + mu) * np.exp(-a)),
        },
    ),
    Wrong(
        "both-swapped-halves",
        REGION,
        "mu and alpha are mixed up in both directions.",
        but(MADE_FORWARD, ("mu, alpha =", "alpha, mu =")),
        also={INVERSE: but(MADE_INVERSE, ("mu, alpha =", "alpha, mu ="))},
        hint=SWAPPED,
        answers={
            "MADE.forward.x": forward_columns(split=swapped),
            "MADE.inverse.z": inverse_z(split=swapped),
        },
    ),
    Wrong(
        "both-condition-on-other-example",
        REGION,
        "In both directions every example gets the mu and alpha of the one before it.",
        but(MADE_FORWARD, ("self.net(x)", "self.net(x.roll(1, dims=0))")),
        also={INVERSE: but(MADE_INVERSE, ("self.net(x)", "self.net(x.roll(1, dims=0))"))},
        hint=PREVIOUS,
        answers={
            "MADE.forward.x": forward_columns(view=previous_example),
            "MADE.inverse.z": inverse_z(view=previous_example),
        },
    ),
    Wrong(
        "both-without-alpha",
        REGION,
        "Both directions only shift, and both log-determinants are still those of alpha.",
        but(MADE_FORWARD, (_RIGHT_STEP, "mu[:, i] + z[:, i]")),
        also={INVERSE: but(MADE_INVERSE, ("(x - mu) * torch.exp(-alpha)", "x - mu"))},
        hint="You shift by mu but never scale: alpha is missing.",
        answers={
            "MADE.forward.x": forward_columns(lambda z, mu, a: mu + z),
            "MADE.inverse.z": inverse_z(lambda x, mu, a: x - mu),
        },
    ),
    Wrong(
        "both-directions-exchanged",
        REGION,
        "forward() leads from data to noise and inverse() from noise to data.",
        """
        mu, alpha = self.net(z).chunk(2, dim=1)
        x = (z - mu) * torch.exp(-alpha)
        log_det = -alpha.sum(dim=1)
        """,
        also={
            INVERSE: """
            z = torch.zeros_like(x)
            for i in range(self.input_size):
                mu, alpha = self.net(z).chunk(2, dim=1)
                z_i = mu[:, i] + x[:, i] * torch.exp(alpha[:, i])
                z = torch.cat([z[:, :i], z_i.unsqueeze(1), z[:, i + 1 :]], dim=1)
            log_det = alpha.sum(dim=1)
            """
        },
        hint="You have exchanged the two directions: forward() must lead from noise to data, "
        "inverse() from data to noise.",
        answers={
            "MADE.forward.x": lambda case: inverse_step(
                case.z, *halves(flow.pre_activations(case.weights, case.z)[-1])
            ),
            "MADE.inverse.z": lambda case: flow.made_forward(case.weights, case.x)[0],
        },
    ),
)

WRONG: tuple[Wrong, ...] = (*CONDITIONING, *MAPPING, *LOG_DET, *PAIRS)
