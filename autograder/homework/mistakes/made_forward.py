"""Mistakes of 1.1: the map of MADE.forward."""

from __future__ import annotations

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.mistakes.flow_code import FORWARD, MADE_FORWARD, but
from autograder.homework.mistakes.flow_predictions import (
    FlowMistakes,
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

_wrong = FlowMistakes(FORWARD)
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
    """Code that computes all columns at once, a number of times."""
    return f"""
x = torch.zeros_like(z)
for _ in range({times}):
    mu, alpha = self.net(x).chunk(2, dim=1)
    x = mu + z * torch.exp(alpha)
log_det = alpha.sum(dim=1)
"""


WRONG: tuple[Wrong, ...] = (
    # ---- what mu and alpha depend on -----------------------------------------------------------
    _wrong(
        "forward-conditions-on-noise",
        "Computes mu and alpha from z instead of from the x computed so far.",
        but(MADE_FORWARD, ("self.net(x)", "self.net(z)")),
        hint="forward() computes mu and alpha from the noise z. They depend on the data: mu_i and "
        "alpha_i on x_1 ... x_{i-1}.",
        x=forward_passes(lambda case: 1, start=same),
    ),
    _wrong(
        "forward-single-pass",
        "Runs the network once, on zeros, and computes all variables from that.",
        _passes("1"),
        hint="forward() runs the network only once. x_i depends on x_1 ... x_{i-1}, so compute one "
        "variable at a time and run the network again for each.",
        x=forward_passes(lambda case: 1),
    ),
    _wrong(
        "forward-loops-over-batch",
        "Makes one pass for each example instead of one for each variable.",
        _passes("len(z)"),
        hint="The loop in forward() runs over the examples of the batch; it must run over the "
        "variables. The two numbers are equal only by chance.",
        x=forward_passes(lambda case: case.batch),
    ),
    _wrong(
        "forward-two-passes",
        "Makes two passes, whatever D is.",
        _passes("2"),
        hint="forward() always makes two passes, which is enough for two variables only.",
        x=forward_passes(lambda case: 2),
    ),
    _wrong(
        "forward-loops-over-layers",
        "Makes one pass for each linear layer of the network except the first.",
        _passes("self.n_hidden + 1"),
        hint="The loop in forward() runs over the layers of the network; it must run over the "
        "variables.",
        x=forward_passes(lambda case: case.n_hidden + 1),
    ),
    _wrong(
        "forward-last-variable-first",
        "Computes the variables from the last to the first.",
        but(MADE_FORWARD, (_LOOP, "reversed(range(self.input_size))")),
        hint="forward() computes the last variable first. Each variable depends on those before "
        "it, so the first must come first.",
        x=forward_columns(columns=lambda case: range(case.input_size)[::-1]),
    ),
    _wrong(
        "forward-skips-first-variable",
        "Leaves the first variable as it is in z, because no variable comes before it.",
        but(
            MADE_FORWARD, ("torch.zeros_like(z)", "z.clone()"), (_LOOP, "range(1, self.input_size)")
        ),
        hint="forward() returns the first variable as it is in z. No variable comes before it, but "
        "it has a mu and an alpha too (two constants).",
        x=forward_columns(columns=lambda case: range(1, case.input_size), start=np.copy),
    ),
    _wrong(
        "forward-stops-before-last-variable",
        "The loop ends one variable too early.",
        but(MADE_FORWARD, (_LOOP, "range(self.input_size - 1)")),
        hint="forward() never computes the last variable: the loop ends one step too early.",
        x=forward_columns(columns=lambda case: range(case.input_size - 1)),
    ),
    _wrong(
        "forward-conditions-on-other-example",
        "Each example gets the mu and alpha of the previous example in the batch.",
        but(MADE_FORWARD, ("self.net(x)", "self.net(x.roll(1, dims=0))")),
        hint=PREVIOUS,
        x=forward_columns(view=previous_example),
    ),
    _wrong(
        "forward-conditions-on-batch-average",
        "All examples share the mu and alpha of their average.",
        but(MADE_FORWARD, ("self.net(x)", "self.net(x.mean(dim=0, keepdim=True).expand_as(x))")),
        hint="forward() runs the network on the average of the batch, so all examples share one mu "
        "and one alpha. Each example needs its own.",
        x=forward_columns(view=batch_mean),
    ),
    _wrong(
        "forward-leaves-first-variable-zero",
        "The loop starts at the second variable, so the first stays zero.",
        but(MADE_FORWARD, (_LOOP, "range(1, self.input_size)")),
        hint="forward() never computes the first variable: the loop starts one step too late.",
        x=forward_columns(columns=lambda case: range(1, case.input_size)),
    ),
    _wrong(
        "forward-one-pass-too-few",
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
        x=forward_passes(lambda case: case.input_size - 1, start=same),
    ),
    _wrong(
        "forward-scales-x-again",
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
        x=forward_passes(lambda case: case.input_size, start=same, scales_x=True),
    ),
    _wrong(
        "forward-previous-column",
        "Uses the mu and alpha of the previous column.",
        but(MADE_FORWARD, (_RIGHT_STEP, "mu[:, i - 1] + z[:, i] * torch.exp(alpha[:, i - 1])")),
        hint=PREVIOUS_COLUMN,
        x=forward_columns(split=previous_column),
    ),
    _wrong(
        "forward-uses-first-example",
        "Uses the mu and alpha of the first example for all examples.",
        but(MADE_FORWARD, (_RIGHT_STEP, "mu[0, i] + z[:, i] * torch.exp(alpha[0, i])")),
        hint="forward() uses the mu and alpha of the first example for all examples. Each example "
        "needs its own.",
        x=forward_columns(view=first_example),
    ),
    _wrong(
        "forward-reverses-x",
        "Reverses the columns of the result, although the PermuteLayer already does so.",
        but(MADE_FORWARD, ("log_det = ", "x = x.flip(1)\nlog_det = ")),
        hint="forward() returns its columns in reverse order. The layer between the blocks already "
        "does that.",
        x=lambda case: flow.made_forward(case.weights, case.z)[0][:, ::-1],
    ),
    _wrong(
        "forward-without-noise",
        "Returns the means: the noise is multiplied by 0.",
        but(MADE_FORWARD, (_RIGHT_STEP, "mu[:, i] + 0 * z[:, i] * torch.exp(alpha[:, i])")),
        hint="forward() returns mu alone: the noise z has no effect.",
        x=forward_columns(lambda z, mu, a: mu),
    ),
    _wrong(
        "forward-fresh-noise",
        "Draws new noise instead of using z.",
        but(MADE_FORWARD, ("z[:, i] *", "torch.randn_like(z[:, i]) *")),
        says="does not change with z",
    ),
    # ---- from mu and alpha to x ----------------------------------------------------------------
    _wrong(
        "forward-half-alpha",
        "Multiplies by exp(alpha / 2).",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "torch.exp(0.5 * alpha[:, i])")),
        hint=HALF_ALPHA,
        x=forward_columns(lambda z, mu, a: mu + z * np.exp(a / 2)),
    ),
    _wrong(
        "forward-double-alpha",
        "Multiplies by exp(2 alpha).",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "torch.exp(2 * alpha[:, i])")),
        hint=DOUBLE_ALPHA,
        x=forward_columns(lambda z, mu, a: mu + z * np.exp(2 * a)),
    ),
    _wrong(
        "forward-no-exp",
        "Multiplies by alpha itself.",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "alpha[:, i]")),
        hint="forward() multiplies the noise by alpha itself, but alpha is the logarithm of the "
        "standard deviation.",
        x=forward_columns(lambda z, mu, a: mu + z * a),
    ),
    _wrong(
        "forward-minus-alpha",
        "Divides by exp(alpha).",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "torch.exp(-alpha[:, i])")),
        hint="forward() divides the noise by the standard deviation; it must multiply by it.",
        x=forward_columns(lambda z, mu, a: mu + z * np.exp(-a)),
    ),
    _wrong(
        "forward-swapped-halves",
        "Takes alpha from the first half of the output and mu from the second.",
        but(MADE_FORWARD, ("mu, alpha =", "alpha, mu =")),
        hint=SWAPPED,
        x=forward_columns(split=swapped),
    ),
    _wrong(
        "forward-interleaved",
        "Takes mu from the even columns of the output and alpha from the odd ones.",
        but(MADE_FORWARD, (_SPLIT, "out = self.net(x); mu, alpha = out[:, 0::2], out[:, 1::2]")),
        hint=INTERLEAVED,
        x=forward_columns(split=interleaved),
    ),
    _wrong(
        "forward-split-at-two",
        "Splits the output after column 2, whatever D is.",
        but(MADE_FORWARD, (_SPLIT, "out = self.net(x); mu, alpha = out[:, :2], out[:, 2:]")),
        says="raised IndexError",
    ),
    _wrong(
        "forward-adds-mu-first",
        "Adds mu to the noise and scales both.",
        but(MADE_FORWARD, (_RIGHT_STEP, "(mu[:, i] + z[:, i]) * torch.exp(alpha[:, i])")),
        hint="forward() scales mu together with the noise; it must scale only the noise.",
        x=forward_columns(lambda z, mu, a: (mu + z) * np.exp(a)),
    ),
    _wrong(
        "forward-minus-mu",
        "Subtracts mu.",
        but(MADE_FORWARD, (_RIGHT_STEP, "z[:, i] * torch.exp(alpha[:, i]) - mu[:, i]")),
        hint=MINUS_MU,
        x=forward_columns(lambda z, mu, a: z * np.exp(a) - mu),
    ),
    _wrong(
        "forward-applies-inverse",
        "Loops over the variables but applies the formula of inverse().",
        but(MADE_FORWARD, (_RIGHT_STEP, "(z[:, i] - mu[:, i]) / torch.exp(alpha[:, i])")),
        hint="forward() applies the formula that maps x to z; it must map z to x.",
        x=forward_columns(inverse_step),
    ),
    _wrong(
        "forward-forgets-mu",
        "Only scales the noise.",
        but(MADE_FORWARD, (_RIGHT_STEP, "z[:, i] * torch.exp(alpha[:, i])")),
        hint="forward() scales the noise but does not shift it: mu is missing.",
        x=forward_columns(lambda z, mu, a: z * np.exp(a)),
    ),
    _wrong(
        "forward-forgets-alpha",
        "Only shifts the noise.",
        but(MADE_FORWARD, (_RIGHT_STEP, "mu[:, i] + z[:, i]")),
        hint="forward() shifts the noise but does not scale it: alpha is missing.",
        x=forward_columns(lambda z, mu, a: mu + z),
    ),
    _wrong(
        "forward-softplus",
        "Uses softplus(alpha) as the standard deviation.",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "F.softplus(alpha[:, i])")),
        hint="forward() uses the softplus of alpha as the standard deviation; it must use the "
        "exponential.",
        x=forward_columns(lambda z, mu, a: mu + z * np.logaddexp(0.0, a)),
    ),
    _wrong(
        "forward-depends-on-the-mode",
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
    _wrong(
        "forward-remembers",
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
    _wrong(
        "forward-squashes-alpha",
        "Passes alpha through tanh, as some other flows do.",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "torch.exp(torch.tanh(alpha[:, i]))")),
        hint="forward() bounds alpha with tanh; it must use alpha as it is.",
        x=forward_columns(lambda z, mu, a: mu + z * np.exp(np.tanh(a))),
    ),
    _wrong(
        "forward-alpha-clamped",
        "Clamps alpha to [-2, 2], but the alpha of a trained flow goes beyond.",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "torch.exp(alpha[:, i].clamp(-2, 2))")),
        says="does not give x_i = mu_i",
    ),
)
