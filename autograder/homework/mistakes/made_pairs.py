"""Mistakes of 1.1 and 1.2 together that cancel on the way there and back."""

from __future__ import annotations

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
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


WRONG: tuple[Wrong, ...] = (
    Wrong(
        "both-half-alpha",
        FORWARD,
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
        FORWARD,
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
        FORWARD,
        "mu and alpha are swapped in both directions.",
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
        FORWARD,
        "In both directions, each example gets the mu and alpha of the previous one.",
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
        FORWARD,
        "Both directions only shift, but both log-determinants still use alpha.",
        but(MADE_FORWARD, (_RIGHT_STEP, "mu[:, i] + z[:, i]")),
        also={INVERSE: but(MADE_INVERSE, ("(x - mu) * torch.exp(-alpha)", "x - mu"))},
        hint="You shift by mu but do not scale: alpha is missing.",
        answers={
            "MADE.forward.x": forward_columns(lambda z, mu, a: mu + z),
            "MADE.inverse.z": inverse_z(lambda x, mu, a: x - mu),
        },
    ),
    Wrong(
        "both-directions-exchanged",
        FORWARD,
        "forward() maps data to noise and inverse() maps noise to data.",
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
        hint="You swapped the two directions: forward() must map noise to data, and inverse() data "
        "to noise.",
        answers={
            "MADE.forward.x": lambda case: inverse_step(
                case.z, *halves(flow.pre_activations(case.weights, case.z)[-1])
            ),
            "MADE.inverse.z": lambda case: flow.made_forward(case.weights, case.x)[0],
        },
    ),
)
