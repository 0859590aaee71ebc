"""Mistakes of 1.1: the map of MADE.forward."""

from __future__ import annotations

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.mistakes.flow_code import FORWARD, MADE_FORWARD, but
from autograder.homework.mistakes.flow_predictions import (
    batch_mean,
    first_example,
    forward_columns,
    forward_passes,
    interleaved,
    inverse_step,
    previous_column,
    previous_example,
    same,
    swapped,
)
from autograder.homework.oracles import flow

_SPLIT = "mu, alpha = self.net(x).chunk(2, dim=1)"
_RIGHT_STEP = "mu[:, i] + z[:, i] * torch.exp(alpha[:, i])"
_LOOP = "range(self.input_size)"

# Hints that a mistake of forward() shares with the same one of inverse().
HALF_ALPHA = "alpha is the log standard deviation. You halve it, as if it were the log variance."
DOUBLE_ALPHA = "alpha is the log standard deviation. You double it, so its exp is the variance."
SWAPPED = "You swapped the halves of the network's output: mu is the first half, alpha the second."
INTERLEAVED = (
    "You take mu and alpha from alternating columns of the network's output; mu is the first half, "
    "alpha the second."
)
PREVIOUS = "You compute the mu and alpha of each example from another example of the batch."
MINUS_MU = "mu has the wrong sign."
PREVIOUS_COLUMN = (
    "You take mu and alpha one column too early: each variable gets those of the variable before "
    "it, and the first gets those of the last."
)


def _passes(times: str) -> str:
    """All columns at once, as often as `times` says."""
    return f"""
x = torch.zeros_like(z)
for _ in range({times}):
    mu, alpha = self.net(x).chunk(2, dim=1)
    x = mu + z * torch.exp(alpha)
log_det = alpha.sum(dim=1)
"""


CONDITIONING = (
    Wrong(
        "forward-conditions-on-noise",
        FORWARD,
        "Computes mu and alpha from z instead of from the x computed so far.",
        but(MADE_FORWARD, ("self.net(x)", "self.net(z)")),
        hint="forward() computes mu and alpha from the noise z. They depend on the data: mu_i and "
        "alpha_i on x_1 ... x_{i-1}.",
        answers={"MADE.forward.x": forward_passes(lambda case: 1, start=same)},
    ),
    Wrong(
        "forward-single-pass",
        FORWARD,
        "Runs the network once, on zeros, and computes all variables from that.",
        _passes("1"),
        hint="forward() runs the network only once. x_i depends on x_1 ... x_{i-1}, so compute one "
        "variable at a time and run the network again for each.",
        answers={"MADE.forward.x": forward_passes(lambda case: 1)},
    ),
    Wrong(
        "forward-loops-over-batch",
        FORWARD,
        "Makes one pass for each example instead of one for each variable.",
        _passes("len(z)"),
        hint="The loop in forward() runs over the examples of the batch; it must run over the "
        "variables. The two numbers are equal only by chance.",
        answers={"MADE.forward.x": forward_passes(lambda case: case.batch)},
    ),
    Wrong(
        "forward-two-passes",
        FORWARD,
        "Makes two passes, whatever D is.",
        _passes("2"),
        hint="forward() always makes two passes, which is enough for two variables only.",
        answers={"MADE.forward.x": forward_passes(lambda case: 2)},
    ),
    Wrong(
        "forward-loops-over-layers",
        FORWARD,
        "Makes one pass for each linear layer of the network except the first.",
        _passes("self.n_hidden + 1"),
        hint="The loop in forward() runs over the layers of the network; it must run over the "
        "variables.",
        answers={"MADE.forward.x": forward_passes(lambda case: case.n_hidden + 1)},
    ),
    Wrong(
        "forward-last-variable-first",
        FORWARD,
        "Computes the variables from the last to the first.",
        but(MADE_FORWARD, (_LOOP, "reversed(range(self.input_size))")),
        hint="forward() computes the last variable first. Each variable depends on those before "
        "it, so the first must come first.",
        answers={
            "MADE.forward.x": forward_columns(columns=lambda case: range(case.input_size)[::-1])
        },
    ),
    Wrong(
        "forward-skips-first-variable",
        FORWARD,
        "Leaves the first variable as it is in z, because no variable comes before it.",
        but(
            MADE_FORWARD,
            ("torch.zeros_like(z)", "z.clone()"),
            (_LOOP, "range(1, self.input_size)"),
        ),
        hint="forward() returns the first variable as it is in z. No variable comes before it, but "
        "it has a mu and an alpha too (two constants).",
        answers={
            "MADE.forward.x": forward_columns(
                columns=lambda case: range(1, case.input_size), start=np.copy
            )
        },
    ),
    Wrong(
        "forward-stops-before-last-variable",
        FORWARD,
        "The loop ends one variable too early.",
        but(MADE_FORWARD, (_LOOP, "range(self.input_size - 1)")),
        hint="forward() never computes the last variable: the loop ends one step too early.",
        answers={
            "MADE.forward.x": forward_columns(columns=lambda case: range(case.input_size - 1))
        },
    ),
    Wrong(
        "forward-conditions-on-other-example",
        FORWARD,
        "Each example gets the mu and alpha of the previous example in the batch.",
        but(MADE_FORWARD, ("self.net(x)", "self.net(x.roll(1, dims=0))")),
        hint=PREVIOUS,
        answers={"MADE.forward.x": forward_columns(view=previous_example)},
    ),
    Wrong(
        "forward-conditions-on-batch-average",
        FORWARD,
        "All examples share the mu and alpha of their average.",
        but(MADE_FORWARD, ("self.net(x)", "self.net(x.mean(dim=0, keepdim=True).expand_as(x))")),
        hint="forward() runs the network on the average of the batch, so all examples share one mu "
        "and one alpha. Each example needs its own.",
        answers={"MADE.forward.x": forward_columns(view=batch_mean)},
    ),
    Wrong(
        "forward-leaves-first-variable-zero",
        FORWARD,
        "The loop starts at the second variable, so the first stays zero.",
        but(MADE_FORWARD, (_LOOP, "range(1, self.input_size)")),
        hint="forward() never computes the first variable: the loop starts one step too late.",
        answers={"MADE.forward.x": forward_columns(columns=lambda case: range(1, case.input_size))},
    ),
    Wrong(
        "forward-one-pass-too-few",
        FORWARD,
        "Starts with z in place of x and makes D - 1 passes.",
        """
        x = z
        for _ in range(self.input_size - 1):
            mu, alpha = self.net(x).chunk(2, dim=1)
            x = mu + z * torch.exp(alpha)
        log_det = alpha.sum(dim=1)
        """,
        hint="forward() makes one pass too few. Each pass makes only one more variable correct, so "
        "it needs as many passes as there are variables.",
        answers={"MADE.forward.x": forward_passes(lambda case: case.input_size - 1, start=same)},
    ),
    Wrong(
        "forward-scales-x-again",
        FORWARD,
        "Each pass scales the x of the previous pass instead of z.",
        """
        x = z
        for _ in range(self.input_size):
            mu, alpha = self.net(x).chunk(2, dim=1)
            x = mu + x * torch.exp(alpha)
        log_det = alpha.sum(dim=1)
        """,
        hint="Each pass of forward() scales the result of the previous pass; it must scale the "
        "noise z.",
        answers={
            "MADE.forward.x": forward_passes(
                lambda case: case.input_size, start=same, scales_x=True
            )
        },
    ),
    Wrong(
        "forward-previous-column",
        FORWARD,
        "Uses the mu and alpha of the previous column.",
        but(MADE_FORWARD, (_RIGHT_STEP, "mu[:, i - 1] + z[:, i] * torch.exp(alpha[:, i - 1])")),
        hint=PREVIOUS_COLUMN,
        answers={"MADE.forward.x": forward_columns(split=previous_column)},
    ),
    Wrong(
        "forward-uses-first-example",
        FORWARD,
        "Uses the mu and alpha of the first example for all examples.",
        but(MADE_FORWARD, (_RIGHT_STEP, "mu[0, i] + z[:, i] * torch.exp(alpha[0, i])")),
        hint="forward() uses the mu and alpha of the first example for all examples. Each example "
        "needs its own.",
        answers={"MADE.forward.x": forward_columns(view=first_example)},
    ),
    Wrong(
        "forward-reverses-x",
        FORWARD,
        "Reverses the columns of the result, although the PermuteLayer already does so.",
        but(MADE_FORWARD, ("log_det = ", "x = x.flip(1)\nlog_det = ")),
        hint="forward() returns its columns in reverse order. The layer between the blocks already "
        "does that.",
        answers={
            "MADE.forward.x": lambda case: flow.made_forward(case.weights, case.z)[0][:, ::-1]
        },
    ),
    Wrong(
        "forward-without-noise",
        FORWARD,
        "Returns the means: the noise is multiplied by 0.",
        but(MADE_FORWARD, (_RIGHT_STEP, "mu[:, i] + 0 * z[:, i] * torch.exp(alpha[:, i])")),
        hint="forward() returns mu alone: the noise z has no effect.",
        answers={"MADE.forward.x": forward_columns(lambda z, mu, a: mu)},
    ),
    Wrong(
        "forward-fresh-noise",
        FORWARD,
        "Draws new noise instead of using z.",
        but(MADE_FORWARD, ("z[:, i] *", "torch.randn_like(z[:, i]) *")),
        says="does not change with z",
    ),
)

MAPPING = (
    Wrong(
        "forward-half-alpha",
        FORWARD,
        "Multiplies by exp(alpha / 2).",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "torch.exp(0.5 * alpha[:, i])")),
        hint=HALF_ALPHA,
        answers={"MADE.forward.x": forward_columns(lambda z, mu, a: mu + z * np.exp(a / 2))},
    ),
    Wrong(
        "forward-double-alpha",
        FORWARD,
        "Multiplies by exp(2 alpha).",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "torch.exp(2 * alpha[:, i])")),
        hint=DOUBLE_ALPHA,
        answers={"MADE.forward.x": forward_columns(lambda z, mu, a: mu + z * np.exp(2 * a))},
    ),
    Wrong(
        "forward-no-exp",
        FORWARD,
        "Multiplies by alpha itself.",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "alpha[:, i]")),
        hint="forward() multiplies the noise by alpha itself, but alpha is the logarithm of the "
        "standard deviation.",
        answers={"MADE.forward.x": forward_columns(lambda z, mu, a: mu + z * a)},
    ),
    Wrong(
        "forward-minus-alpha",
        FORWARD,
        "Divides by exp(alpha).",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "torch.exp(-alpha[:, i])")),
        hint="forward() divides the noise by the standard deviation; it must multiply by it.",
        answers={"MADE.forward.x": forward_columns(lambda z, mu, a: mu + z * np.exp(-a))},
    ),
    Wrong(
        "forward-swapped-halves",
        FORWARD,
        "Takes alpha from the first half of the output and mu from the second.",
        but(MADE_FORWARD, ("mu, alpha =", "alpha, mu =")),
        hint=SWAPPED,
        answers={"MADE.forward.x": forward_columns(split=swapped)},
    ),
    Wrong(
        "forward-interleaved",
        FORWARD,
        "Takes mu from the even columns of the output and alpha from the odd ones.",
        but(MADE_FORWARD, (_SPLIT, "out = self.net(x); mu, alpha = out[:, 0::2], out[:, 1::2]")),
        hint=INTERLEAVED,
        answers={"MADE.forward.x": forward_columns(split=interleaved)},
    ),
    Wrong(
        "forward-split-at-two",
        FORWARD,
        "Splits the output after column 2, whatever D is.",
        but(MADE_FORWARD, (_SPLIT, "out = self.net(x); mu, alpha = out[:, :2], out[:, 2:]")),
        says="raised IndexError",
    ),
    Wrong(
        "forward-adds-mu-first",
        FORWARD,
        "Adds mu to the noise and scales both.",
        but(MADE_FORWARD, (_RIGHT_STEP, "(mu[:, i] + z[:, i]) * torch.exp(alpha[:, i])")),
        hint="forward() scales mu together with the noise; it must scale only the noise.",
        answers={"MADE.forward.x": forward_columns(lambda z, mu, a: (mu + z) * np.exp(a))},
    ),
    Wrong(
        "forward-minus-mu",
        FORWARD,
        "Subtracts mu.",
        but(MADE_FORWARD, (_RIGHT_STEP, "z[:, i] * torch.exp(alpha[:, i]) - mu[:, i]")),
        hint=MINUS_MU,
        answers={"MADE.forward.x": forward_columns(lambda z, mu, a: z * np.exp(a) - mu)},
    ),
    Wrong(
        "forward-applies-inverse",
        FORWARD,
        "Loops over the variables but applies the formula of inverse().",
        but(MADE_FORWARD, (_RIGHT_STEP, "(z[:, i] - mu[:, i]) / torch.exp(alpha[:, i])")),
        hint="forward() applies the formula that maps x to z; it must map z to x.",
        answers={"MADE.forward.x": forward_columns(inverse_step)},
    ),
    Wrong(
        "forward-forgets-mu",
        FORWARD,
        "Only scales the noise.",
        but(MADE_FORWARD, (_RIGHT_STEP, "z[:, i] * torch.exp(alpha[:, i])")),
        hint="forward() scales the noise but does not shift it: mu is missing.",
        answers={"MADE.forward.x": forward_columns(lambda z, mu, a: z * np.exp(a))},
    ),
    Wrong(
        "forward-forgets-alpha",
        FORWARD,
        "Only shifts the noise.",
        but(MADE_FORWARD, (_RIGHT_STEP, "mu[:, i] + z[:, i]")),
        hint="forward() shifts the noise but does not scale it: alpha is missing.",
        answers={"MADE.forward.x": forward_columns(lambda z, mu, a: mu + z)},
    ),
    Wrong(
        "forward-softplus",
        FORWARD,
        "Uses softplus(alpha) as the standard deviation.",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "F.softplus(alpha[:, i])")),
        hint="forward() uses the softplus of alpha as the standard deviation; it must use the "
        "exponential.",
        answers={"MADE.forward.x": forward_columns(lambda z, mu, a: mu + z * np.logaddexp(0.0, a))},
    ),
    Wrong(
        "forward-depends-on-the-mode",
        FORWARD,
        "Computes one variable after the other in training mode, and all at once in evaluation "
        "mode.",
        """
        x = torch.zeros_like(z)
        for i in range(self.input_size if self.training else 1):
            mu, alpha = self.net(x).chunk(2, dim=1)
            x = mu + z * torch.exp(alpha)
        log_det = alpha.sum(dim=1)
        """,
        says="in evaluation mode, called for the second time",
    ),
    Wrong(
        "forward-remembers",
        FORWARD,
        "Reuses the mu and alpha of the first call in later calls.",
        """
        if not hasattr(self, "kept"):
            x = torch.zeros_like(z)
            for i in range(self.input_size):
                mu, alpha = self.net(x).chunk(2, dim=1)
                x = mu + z * torch.exp(alpha)
            self.kept = mu, alpha
        mu, alpha = self.kept
        x = mu + z * torch.exp(alpha)
        log_det = alpha.sum(dim=1)
        """,
        says="in evaluation mode, called for the second time",
    ),
    Wrong(
        "forward-squashes-alpha",
        FORWARD,
        "Passes alpha through tanh, as some other flows do.",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "torch.exp(torch.tanh(alpha[:, i]))")),
        hint="forward() bounds alpha with tanh; it must use alpha as it is.",
        answers={"MADE.forward.x": forward_columns(lambda z, mu, a: mu + z * np.exp(np.tanh(a)))},
    ),
    Wrong(
        "forward-alpha-clamped",
        FORWARD,
        "Clamps alpha to [-2, 2], but the alpha of a trained flow goes beyond.",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "torch.exp(alpha[:, i].clamp(-2, 2))")),
        says="does not give x_i = mu_i",
    ),
)

WRONG: tuple[Wrong, ...] = (*CONDITIONING, *MAPPING)
