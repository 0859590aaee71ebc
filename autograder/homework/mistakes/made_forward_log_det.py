"""Mistakes of 1.1: the log-determinant and the form of what MADE.forward returns."""

from __future__ import annotations

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.mistakes.flow_code import FORWARD, MADE_FORWARD, but
from autograder.homework.mistakes.flow_predictions import (
    FlowMistakes,
    forward_log_det,
    forward_step,
)
from autograder.homework.oracles import flow
from autograder.homework.problems.flow_parameters import Array
from autograder.homework.strategies import MadeCase

_wrong = FlowMistakes(FORWARD)
_RIGHT_STEP = "mu[:, i] + z[:, i] * torch.exp(alpha[:, i])"
_LOG_DET = "alpha.sum(dim=1)"


def _alpha_of_all_passes(case: MadeCase, alpha: Array) -> Array:
    """The sum of every column's alpha in every pass, while x was still being made."""
    x, total = np.zeros_like(case.z), np.zeros(case.batch)
    for i in range(case.input_size):
        mu, seen = flow.conditioner(case.weights, x)
        x[:, i] = forward_step(case.z, mu, seen)[:, i]
        total = total + seen.sum(axis=1)
    return total


WRONG: tuple[Wrong, ...] = (
    _wrong(
        "forward-log-det-mean",
        "Averages alpha over the variables.",
        but(MADE_FORWARD, (_LOG_DET, "alpha.mean(dim=1)")),
        hint="The log-determinant of forward() is the mean of alpha over the variables; it must be "
        "the sum.",
        log_det=forward_log_det(lambda case, alpha: alpha.mean(axis=1)),
    ),
    _wrong(
        "forward-log-det-last-variable",
        "Keeps only the alpha of the last variable.",
        but(MADE_FORWARD, (_LOG_DET, "alpha[:, i]")),
        hint="The log-determinant of forward() is the alpha of the last variable alone; it must be "
        "the sum over all variables.",
        log_det=forward_log_det(lambda case, alpha: alpha[:, -1]),
    ),
    _wrong(
        "forward-log-det-without-first",
        "Leaves out the first variable, which depends on no other.",
        but(MADE_FORWARD, (_LOG_DET, "alpha[:, 1:].sum(dim=1)")),
        hint="The log-determinant of forward() leaves out the alpha of the first variable.",
        log_det=forward_log_det(lambda case, alpha: alpha[:, 1:].sum(axis=1)),
    ),
    _wrong(
        "forward-log-det-two-variables",
        "Adds the alphas of the first two variables, whatever D is.",
        but(MADE_FORWARD, (_LOG_DET, "alpha[:, 0] + alpha[:, 1]")),
        hint="The log-determinant of forward() adds only two alphas, whatever D is.",
        log_det=forward_log_det(lambda case, alpha: alpha[:, 0] + alpha[:, 1]),
    ),
    _wrong(
        "forward-log-det-over-batch",
        "Sums alpha over the examples instead of the variables.",
        but(MADE_FORWARD, (_LOG_DET, "alpha.sum(dim=0)")),
        hint="The log-determinant of forward() is summed over the examples; it must be summed over "
        "the variables, separately for each example.",
        log_det=forward_log_det(lambda case, alpha: alpha.sum(axis=0)),
    ),
    _wrong(
        "forward-log-det-doubled",
        "Treats alpha as half of the log standard deviation.",
        but(MADE_FORWARD, (_LOG_DET, "2 * alpha.sum(dim=1)")),
        hint="The log-determinant of forward() is twice what it should be.",
        log_det=forward_log_det(lambda case, alpha: 2 * alpha.sum(axis=1)),
    ),
    _wrong(
        "forward-log-det-zero",
        "Returns zeros.",
        but(MADE_FORWARD, (_LOG_DET, "torch.zeros(len(z))")),
        hint="The log-determinant of forward() is always 0.",
        log_det=forward_log_det(lambda case, alpha: 0 * alpha.sum(axis=1)),
    ),
    _wrong(
        "forward-log-det-of-deviations",
        "Adds the standard deviations instead of their logarithms.",
        but(MADE_FORWARD, (_LOG_DET, "torch.exp(alpha).sum(dim=1)")),
        hint="The log-determinant of forward() adds the standard deviations; it must add their "
        "logarithms, the alphas.",
        log_det=forward_log_det(lambda case, alpha: np.exp(alpha).sum(axis=1)),
    ),
    _wrong(
        "forward-log-det-one-number",
        "Sums alpha over all examples and variables.",
        but(MADE_FORWARD, (_LOG_DET, "alpha.sum()")),
        says="returns log_det of shape ()",
    ),
    _wrong(
        "forward-log-det-two-dimensional",
        "Keeps the summed dimension.",
        but(MADE_FORWARD, (_LOG_DET, "alpha.sum(dim=1, keepdim=True)")),
        says="returns log_det of shape (2, 1)",
    ),
    _wrong(
        "forward-log-det-none",
        "Returns no log-determinant.",
        but(MADE_FORWARD, (_LOG_DET, "None")),
        says="must return log_det as a tensor of shape (B,); it returned None",
    ),
    _wrong(
        "forward-returns-x-only",
        "Returns x alone.",
        but(MADE_FORWARD, ("log_det = alpha.sum(dim=1)", "return x")),
        says="must return two tensors, x and log_det; it returned one tensor",
    ),
    _wrong(
        "forward-log-det-no-log",
        "Returns the determinant itself.",
        but(MADE_FORWARD, (_LOG_DET, "torch.exp(alpha).prod(dim=1)")),
        hint="forward() returns the determinant; it must return its logarithm.",
        log_det=forward_log_det(lambda case, alpha: np.exp(alpha.sum(axis=1))),
    ),
    _wrong(
        "forward-log-det-all-passes",
        "Adds all alphas in every pass.",
        but(
            MADE_FORWARD,
            ("for i", "log_det = torch.zeros_like(z[:, 0])\nfor i"),
            (_RIGHT_STEP, f"{_RIGHT_STEP}\n    log_det = log_det + {_LOG_DET}"),
            ("\nlog_det = alpha.sum(dim=1)", ""),
        ),
        hint="The log-determinant of forward() adds the alphas of all variables in every pass; "
        "most of them come from an unfinished x.",
        log_det=forward_log_det(_alpha_of_all_passes),
    ),
    _wrong(
        "forward-log-det-first-pass",
        "Takes the log-determinant from the first pass, when x is still zero.",
        but(
            MADE_FORWARD,
            ("for i", "log_det = self.net(x).chunk(2, dim=1)[1].sum(dim=1)\nfor i"),
            ("\nlog_det = alpha.sum(dim=1)", ""),
        ),
        hint="The log-determinant of forward() uses the alphas of the first pass, when x is still "
        "zero.",
        log_det=forward_log_det(
            lambda case, alpha: flow.conditioner(case.weights, 0 * case.z)[1].sum(axis=1)
        ),
    ),
)
