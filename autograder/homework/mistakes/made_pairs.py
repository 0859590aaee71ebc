"""Mistakes of 1.1 and 1.2 together that cancel on the way there and back."""

from __future__ import annotations

import numpy as np

from autograder.engine.catalogue.solutions import Prediction, Wrong
from autograder.homework.mistakes.flow_code import FORWARD, INVERSE, MADE_FORWARD, MADE_INVERSE, but
from autograder.homework.mistakes.flow_predictions import (
    forward_columns,
    halves,
    inverse_step,
    inverse_z,
    previous_example,
    swapped,
)
from autograder.homework.mistakes.made_forward import HALF_ALPHA, MINUS_MU, PREVIOUS, SWAPPED
from autograder.homework.oracles import flow

_RIGHT_STEP = "mu[:, i] + z[:, i] * torch.exp(alpha[:, i])"


def _both(
    id: str, sentence: str, forward: str, inverse: str, *, hint: str, x: Prediction, z: Prediction
) -> Wrong:
    answers = {"MADE.forward.x": x, "MADE.inverse.z": z}
    return Wrong(id, FORWARD, sentence, forward, {INVERSE: inverse}, hint, answers)


WRONG: tuple[Wrong, ...] = (
    _both(
        "both-half-alpha",
        "Both directions use exp(alpha / 2).",
        but(MADE_FORWARD, ("torch.exp(alpha[:, i])", "torch.exp(alpha[:, i] / 2)")),
        but(MADE_INVERSE, ("torch.exp(-alpha)", "torch.exp(-alpha / 2)")),
        hint=HALF_ALPHA,
        x=forward_columns(lambda z, mu, a: mu + z * np.exp(a / 2)),
        z=inverse_z(lambda x, mu, a: (x - mu) * np.exp(-a / 2)),
    ),
    _both(
        "both-minus-mu",
        "mu has the wrong sign in both directions.",
        but(MADE_FORWARD, (_RIGHT_STEP, "z[:, i] * torch.exp(alpha[:, i]) - mu[:, i]")),
        but(MADE_INVERSE, ("(x - mu)", "(x + mu)")),
        hint=MINUS_MU,
        x=forward_columns(lambda z, mu, a: z * np.exp(a) - mu),
        z=inverse_z(lambda x, mu, a: (x + mu) * np.exp(-a)),
    ),
    _both(
        "both-swapped-halves",
        "mu and alpha are swapped in both directions.",
        but(MADE_FORWARD, ("mu, alpha =", "alpha, mu =")),
        but(MADE_INVERSE, ("mu, alpha =", "alpha, mu =")),
        hint=SWAPPED,
        x=forward_columns(split=swapped),
        z=inverse_z(split=swapped),
    ),
    _both(
        "both-condition-on-other-example",
        "In both directions, each example gets the mu and alpha of the previous one.",
        but(MADE_FORWARD, ("self.net(x)", "self.net(x.roll(1, dims=0))")),
        but(MADE_INVERSE, ("self.net(x)", "self.net(x.roll(1, dims=0))")),
        hint=PREVIOUS,
        x=forward_columns(view=previous_example),
        z=inverse_z(view=previous_example),
    ),
    _both(
        "both-without-alpha",
        "Both directions only shift, but both log-determinants still use alpha.",
        but(MADE_FORWARD, (_RIGHT_STEP, "mu[:, i] + z[:, i]")),
        but(MADE_INVERSE, ("(x - mu) * torch.exp(-alpha)", "x - mu")),
        hint="You shift by mu but do not scale: alpha is missing.",
        x=forward_columns(lambda z, mu, a: mu + z),
        z=inverse_z(lambda x, mu, a: x - mu),
    ),
    _both(
        "both-directions-exchanged",
        "forward() maps data to noise and inverse() maps noise to data.",
        """
        mu, alpha = self.net(z).chunk(2, dim=1)
        x = (z - mu) * torch.exp(-alpha)
        log_det = -alpha.sum(dim=1)
        """,
        """
        z = torch.zeros_like(x)
        for i in range(self.input_size):
            mu, alpha = self.net(z).chunk(2, dim=1)
            z_i = mu[:, i] + x[:, i] * torch.exp(alpha[:, i])
            z = torch.cat([z[:, :i], z_i.unsqueeze(1), z[:, i + 1 :]], dim=1)
        log_det = alpha.sum(dim=1)
        """,
        hint="You swapped the two directions: forward() must map noise to data, and inverse() data "
        "to noise.",
        x=lambda case: inverse_step(
            case.z, *halves(flow.pre_activations(case.weights, case.z)[-1])
        ),
        z=lambda case: flow.made_forward(case.weights, case.x)[0],
    ),
)
