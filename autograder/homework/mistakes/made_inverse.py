"""Mistakes of 1.2: the map of MADE.inverse."""

from __future__ import annotations

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.mistakes.flow_code import INVERSE, MADE_INVERSE, but
from autograder.homework.mistakes.flow_predictions import (
    FlowMistakes,
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

_wrong = FlowMistakes(INVERSE)
_NET = "self.net(x)"
_SPLIT = "mu, alpha = self.net(x).chunk(2, dim=1)"
_STEP = "(x - mu) * torch.exp(-alpha)"


def _made_of_z(case: MadeCase) -> Array:
    """z with the mu and alpha of each column computed from the z so far."""
    z = np.zeros_like(case.x)
    for i in range(case.input_size):
        z[:, i] = inverse_step(case.x, *flow.conditioner(case.weights, z))[:, i]
    return z


def _first_columns(case: MadeCase, columns: int) -> Array:
    """The first columns of the correct z, zeros elsewhere."""
    z = flow.made_inverse(case.weights, case.x)[0]
    return np.where(np.arange(case.input_size) < columns, z, 0.0)


def _without_first_column(case: MadeCase) -> Array:
    """The correct z, with the first column of x."""
    z = flow.made_inverse(case.weights, case.x)[0]
    z[:, 0] = case.x[:, 0]
    return z


WRONG: tuple[Wrong, ...] = (
    # ---- what mu and alpha depend on -----------------------------------------------------------
    _wrong(
        "inverse-conditions-on-noise",
        "Computes one column after the other, as forward() must, and runs the network on z.",
        """
        z = torch.zeros_like(x)
        for i in range(self.input_size):
            mu, alpha = self.net(z).chunk(2, dim=1)
            z_i = (x[:, i] - mu[:, i]) / torch.exp(alpha[:, i])
            z = torch.cat([z[:, :i], z_i.unsqueeze(1), z[:, i + 1 :]], dim=1)
        log_det = -alpha.sum(dim=1)
        """,
        hint="inverse() runs the network on the z computed so far. mu and alpha depend on the data "
        "x, all of which inverse() is given.",
        z=_made_of_z,
    ),
    _wrong(
        "inverse-conditions-on-other-example",
        "Each example gets the mu and alpha of the previous example in the batch.",
        but(MADE_INVERSE, (_NET, "self.net(x.roll(1, dims=0))")),
        hint=PREVIOUS,
        z=inverse_z(view=previous_example),
    ),
    _wrong(
        "inverse-conditions-on-first-example",
        "All examples share the mu and alpha of the first one.",
        but(MADE_INVERSE, (_NET, "self.net(x[:1]).expand(len(x), -1)")),
        hint="inverse() runs the network on the first example only and uses its mu and alpha for "
        "all examples. Each example needs its own.",
        z=inverse_z(view=first_example),
    ),
    _wrong(
        "inverse-reverses-columns",
        "Reverses the columns before the network, although the PermuteLayer already does so.",
        but(MADE_INVERSE, (_NET, "self.net(x.flip(1))")),
        hint="inverse() reverses the columns of x before it runs the network. The layer between "
        "the blocks already does that.",
        z=inverse_z(view=lambda x: x[:, ::-1]),
    ),
    _wrong(
        "inverse-previous-column",
        "Uses the mu and alpha of the previous column.",
        but(MADE_INVERSE, (_SPLIT, f"{_SPLIT}; mu, alpha = mu.roll(1, 1), alpha.roll(1, 1)")),
        hint=PREVIOUS_COLUMN,
        z=inverse_z(split=previous_column),
    ),
    _wrong(
        "inverse-reverses-z",
        "Reverses the columns of the result, although the PermuteLayer already does so.",
        but(MADE_INVERSE, (_STEP, f"({_STEP}).flip(1)")),
        hint="inverse() returns its columns in reverse order. The layer between the blocks already "
        "does that.",
        z=lambda case: flow.made_inverse(case.weights, case.x)[0][:, ::-1],
    ),
    _wrong(
        "inverse-counts-examples",
        "Uses the number of examples as the number of variables.",
        """
        mu, alpha = self.net(x).chunk(2, dim=1)
        n = x.shape[0]
        z = torch.zeros_like(x)
        z[:, :n] = (x[:, :n] - mu[:, :n]) * torch.exp(-alpha[:, :n])
        log_det = -alpha.sum(dim=1)
        """,
        hint="inverse() computes as many variables as there are examples in the batch. The two "
        "numbers are equal only by chance.",
        z=lambda case: _first_columns(case, case.batch),
    ),
    _wrong(
        "inverse-two-columns",
        "Computes only the first two columns, whatever D is.",
        """
        mu, alpha = self.net(x).chunk(2, dim=1)
        z = torch.zeros_like(x)
        z[:, 0] = (x[:, 0] - mu[:, 0]) * torch.exp(-alpha[:, 0])
        z[:, 1] = (x[:, 1] - mu[:, 1]) * torch.exp(-alpha[:, 1])
        log_det = -alpha.sum(dim=1)
        """,
        hint="inverse() computes only two variables, whatever D is; the others stay zero.",
        z=lambda case: _first_columns(case, 2),
    ),
    _wrong(
        "inverse-skips-first-variable",
        "Leaves the first variable as it is in x.",
        but(MADE_INVERSE, (_STEP, f"{_STEP}; z = torch.cat([x[:, :1], z[:, 1:]], dim=1)")),
        hint="inverse() returns the first variable as it is in x. No variable comes before it, but "
        "it has a mu and an alpha too (two constants).",
        z=_without_first_column,
    ),
    _wrong(
        "inverse-split-at-two",
        "Splits the output after column 2, whatever D is.",
        but(MADE_INVERSE, (_SPLIT, "out = self.net(x); mu, alpha = out[:, :2], out[:, 2:]")),
        says="raised RuntimeError",
    ),
    # ---- from mu and alpha to z ----------------------------------------------------------------
    _wrong(
        "inverse-plus-alpha",
        "Multiplies by exp(alpha).",
        but(MADE_INVERSE, ("torch.exp(-alpha)", "torch.exp(alpha)")),
        hint="inverse() multiplies x - mu by the standard deviation; it must divide by it.",
        z=inverse_z(lambda x, mu, a: (x - mu) * np.exp(a)),
    ),
    _wrong(
        "inverse-half-alpha",
        "Divides by exp(alpha / 2).",
        but(MADE_INVERSE, ("torch.exp(-alpha)", "torch.exp(-0.5 * alpha)")),
        hint=HALF_ALPHA,
        z=inverse_z(lambda x, mu, a: (x - mu) * np.exp(-a / 2)),
    ),
    _wrong(
        "inverse-double-alpha",
        "Divides by exp(2 alpha).",
        but(MADE_INVERSE, ("torch.exp(-alpha)", "torch.exp(-2 * alpha)")),
        hint=DOUBLE_ALPHA,
        z=inverse_z(lambda x, mu, a: (x - mu) * np.exp(-2 * a)),
    ),
    _wrong(
        "inverse-scales-first",
        "Divides x by exp(alpha) and then subtracts mu.",
        but(MADE_INVERSE, (_STEP, "x * torch.exp(-alpha) - mu")),
        hint="inverse() scales first and then shifts; it must subtract mu first.",
        z=inverse_z(lambda x, mu, a: x * np.exp(-a) - mu),
    ),
    _wrong(
        "inverse-absolute",
        "Uses the distance from mu, without its sign.",
        but(MADE_INVERSE, ("(x - mu)", "(x - mu).abs()")),
        hint="inverse() loses the sign of x - mu.",
        z=inverse_z(lambda x, mu, a: np.abs(x - mu) * np.exp(-a)),
    ),
    _wrong(
        "inverse-no-exp",
        "Divides by alpha itself.",
        but(MADE_INVERSE, (_STEP, "(x - mu) / alpha")),
        hint="inverse() divides by alpha itself, but alpha is the logarithm of the standard "
        "deviation.",
        z=inverse_z(lambda x, mu, a: (x - mu) / a),
    ),
    _wrong(
        "inverse-swapped-halves",
        "Takes alpha from the first half of the output and mu from the second.",
        but(MADE_INVERSE, ("mu, alpha =", "alpha, mu =")),
        hint=SWAPPED,
        z=inverse_z(split=swapped),
        log_det=inverse_log_det(lambda case, mu, alpha: -mu.sum(axis=1)),
    ),
    _wrong(
        "inverse-interleaved",
        "Takes mu from the even columns of the output and alpha from the odd ones.",
        but(MADE_INVERSE, (_SPLIT, "out = self.net(x); mu, alpha = out[:, 0::2], out[:, 1::2]")),
        hint=INTERLEAVED,
        z=inverse_z(split=interleaved),
    ),
    _wrong(
        "inverse-precedence",
        "Divides only mu by exp(alpha): brackets are missing.",
        but(MADE_INVERSE, (_STEP, "x - mu / torch.exp(alpha)")),
        hint="inverse() divides only mu by the standard deviation; it must divide the difference "
        "of x and mu.",
        z=inverse_z(lambda x, mu, a: x - mu * np.exp(-a)),
    ),
    _wrong(
        "inverse-plus-mu",
        "Adds mu.",
        but(MADE_INVERSE, ("(x - mu)", "(x + mu)")),
        hint=MINUS_MU,
        z=inverse_z(lambda x, mu, a: (x + mu) * np.exp(-a)),
    ),
    _wrong(
        "inverse-forgets-mu",
        "Only scales.",
        but(MADE_INVERSE, ("(x - mu)", "x")),
        hint="inverse() scales x but does not shift it: mu is missing.",
        z=inverse_z(lambda x, mu, a: x * np.exp(-a)),
    ),
    _wrong(
        "inverse-forgets-alpha",
        "Only shifts.",
        but(MADE_INVERSE, (_STEP, "x - mu")),
        hint="You shift by mu but do not scale: alpha is missing.",
        z=inverse_z(lambda x, mu, a: x - mu),
    ),
    _wrong(
        "inverse-applies-forward",
        "Applies the formula of forward() to x.",
        but(MADE_INVERSE, (_STEP, "mu + x * torch.exp(alpha)")),
        hint="inverse() applies the formula that maps z to x; it must map x to z.",
        z=inverse_z(forward_step),
    ),
    _wrong(
        "inverse-softplus",
        "Uses softplus(alpha) as the standard deviation.",
        but(MADE_INVERSE, (_STEP, "(x - mu) / F.softplus(alpha)")),
        hint="inverse() uses the softplus of alpha as the standard deviation; it must use the "
        "exponential.",
        z=inverse_z(lambda x, mu, a: (x - mu) / np.logaddexp(0.0, a)),
    ),
    _wrong(
        "inverse-squashes-alpha",
        "Passes alpha through tanh, as some other flows do.",
        but(MADE_INVERSE, ("torch.exp(-alpha)", "torch.exp(-torch.tanh(alpha))")),
        hint="inverse() bounds alpha with tanh; it must use alpha as it is.",
        z=inverse_z(lambda x, mu, a: (x - mu) * np.exp(-np.tanh(a))),
    ),
    _wrong(
        "inverse-depends-on-the-mode",
        "Halves alpha in evaluation mode.",
        but(MADE_INVERSE, (_SPLIT, f"{_SPLIT}; alpha = alpha * (1.0 if self.training else 0.5)")),
        says="in evaluation mode, called for the second time",
    ),
    _wrong(
        "inverse-first-64-examples",
        "Maps only the first 64 examples of a batch.",
        but(MADE_INVERSE, (_STEP, f"{_STEP}; z = torch.cat([z[:64], x[64:]])")),
        says="batch 300",
    ),
    _wrong(
        "inverse-alpha-clamped",
        "Clamps alpha to [-2, 2], but the alpha of a trained flow goes beyond.",
        but(MADE_INVERSE, ("torch.exp(-alpha)", "torch.exp(-alpha.clamp(-2, 2))")),
        says="does not give z_i = (x_i - mu_i)",
    ),
)
