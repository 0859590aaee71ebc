"""Mistakes of 1.2: the log-determinant of MADE.inverse, and gradients cut off."""

from __future__ import annotations

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.mistakes.flow_code import (
    INVERSE,
    LOG_PROBS,
    MADE_INVERSE,
    MAF_LOG_PROBS,
    but,
)
from autograder.homework.mistakes.flow_predictions import (
    FlowMistakes,
    inverse_jacobian,
    inverse_log_det,
    inverse_step,
    log_normal,
)

_wrong = FlowMistakes(INVERSE)
_NET = "self.net(x)"
_STEP = "(x - mu) * torch.exp(-alpha)"
_LOG_DET = "-alpha.sum(dim=1)"

_LOG_DET_SIGN = (
    "The log-determinant of inverse() has the wrong sign: it is that of the map from z to x."
)

WRONG: tuple[Wrong, ...] = (
    # ---- the log-determinant -------------------------------------------------------------------
    _wrong(
        "inverse-log-det-sign",
        "Returns plus the sum of alpha.",
        but(MADE_INVERSE, (_LOG_DET, "alpha.sum(dim=1)")),
        hint=_LOG_DET_SIGN,
        log_det=inverse_log_det(lambda case, mu, a: a.sum(axis=1)),
    ),
    _wrong(
        "inverse-log-det-mean",
        "Averages alpha over the variables.",
        but(MADE_INVERSE, (_LOG_DET, "-alpha.mean(dim=1)")),
        hint="The log-determinant of inverse() is a mean over the variables; it must be a sum.",
        log_det=inverse_log_det(lambda case, mu, a: -a.mean(axis=1)),
    ),
    _wrong(
        "inverse-log-det-last-variable",
        "Keeps only the alpha of the last variable.",
        but(MADE_INVERSE, (_LOG_DET, "-alpha[:, -1]")),
        hint="The log-determinant of inverse() is that of the last variable alone; it must be "
        "summed over all variables.",
        log_det=inverse_log_det(lambda case, mu, a: -a[:, -1]),
    ),
    _wrong(
        "inverse-log-det-without-first",
        "Leaves out the first variable, which depends on no other.",
        but(MADE_INVERSE, (_LOG_DET, "-alpha[:, 1:].sum(dim=1)")),
        hint="The log-determinant of inverse() leaves out the alpha of the first variable.",
        log_det=inverse_log_det(lambda case, mu, a: -a[:, 1:].sum(axis=1)),
    ),
    _wrong(
        "inverse-log-det-two-variables",
        "Adds the alphas of the first two variables, whatever D is.",
        but(MADE_INVERSE, (_LOG_DET, "-(alpha[:, 0] + alpha[:, 1])")),
        hint="The log-determinant of inverse() adds only two alphas, whatever D is.",
        log_det=inverse_log_det(lambda case, mu, a: -a[:, 0] - a[:, 1]),
    ),
    _wrong(
        "inverse-log-det-absolute",
        "Takes the absolute value of the log-determinant, not of the determinant.",
        but(MADE_INVERSE, (_LOG_DET, "alpha.sum(dim=1).abs()")),
        hint="The log-determinant of inverse() is never negative: you take the absolute value "
        "after the logarithm instead of before it.",
        log_det=inverse_log_det(lambda case, mu, a: abs(a.sum(axis=1))),
    ),
    _wrong(
        "inverse-log-det-no-log",
        "Returns the determinant itself.",
        but(MADE_INVERSE, (_LOG_DET, "torch.exp(-alpha).prod(dim=1)")),
        hint="inverse() returns the determinant; it must return its logarithm.",
        log_det=inverse_log_det(lambda case, mu, a: np.exp(-a.sum(axis=1))),
    ),
    _wrong(
        "inverse-log-det-of-whole-output",
        "Sums the whole output of the network, mu included.",
        but(MADE_INVERSE, (_LOG_DET, "-self.net(x).sum(dim=1)")),
        hint="The log-determinant of inverse() adds the whole output of the network, including mu.",
        log_det=inverse_log_det(lambda case, mu, a: -(mu + a).sum(axis=1)),
    ),
    _wrong(
        "inverse-log-det-shared",
        "Averages the log-determinant over the batch and gives it to every example.",
        but(MADE_INVERSE, (_LOG_DET, "-alpha.sum(dim=1).mean().expand(len(x))")),
        hint="Every example gets the average log-determinant of the batch instead of its own.",
        log_det=inverse_log_det(lambda case, mu, a: np.full(case.batch, -a.sum(axis=1).mean())),
    ),
    _wrong(
        "inverse-log-det-over-batch",
        "Sums alpha over the examples instead of the variables.",
        but(MADE_INVERSE, (_LOG_DET, "-alpha.sum(dim=0)")),
        hint="The log-determinant of inverse() is summed over the examples; it must be summed over "
        "the variables, separately for each example.",
        log_det=inverse_log_det(lambda case, mu, a: -a.sum(axis=0)),
    ),
    _wrong(
        "inverse-log-det-zero",
        "Returns zeros.",
        but(MADE_INVERSE, (_LOG_DET, "torch.zeros(len(x))")),
        hint="The log-determinant of inverse() is always 0.",
        log_det=inverse_log_det(lambda case, mu, a: 0 * a.sum(axis=1)),
    ),
    _wrong(
        "inverse-log-det-doubled",
        "Treats alpha as half of the log standard deviation.",
        but(MADE_INVERSE, (_LOG_DET, "-2 * alpha.sum(dim=1)")),
        hint="The log-determinant of inverse() is twice what it should be.",
        log_det=inverse_log_det(lambda case, mu, a: -2 * a.sum(axis=1)),
    ),
    _wrong(
        "inverse-log-det-of-deviations",
        "Adds the standard deviations instead of their logarithms.",
        but(MADE_INVERSE, (_LOG_DET, "-torch.exp(alpha).sum(dim=1)")),
        hint="The log-determinant of inverse() adds the standard deviations; it must add their "
        "logarithms, the alphas.",
        log_det=inverse_log_det(lambda case, mu, a: -np.exp(a).sum(axis=1)),
    ),
    _wrong(
        "inverse-log-det-logarithm-of-sum",
        "Takes the logarithm of the sum of the standard deviations.",
        but(MADE_INVERSE, (_LOG_DET, "-torch.logsumexp(alpha, dim=1)")),
        hint="The log-determinant of inverse() is the logarithm of a sum; it must be a sum of "
        "logarithms.",
        log_det=inverse_log_det(lambda case, mu, a: -np.log(np.exp(a).sum(axis=1))),
    ),
    _wrong(
        "inverse-log-det-with-base-density",
        "Adds the base density of z, which log_probs() adds again.",
        but(
            MADE_INVERSE,
            (_LOG_DET, f"{_LOG_DET} + torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(dim=1)"),
        ),
        hint="inverse() adds log p(z) to its log-determinant; only log_probs() must add it.",
        log_det=inverse_log_det(
            lambda case, mu, a: log_normal(inverse_step(case.x, mu, a)).sum(axis=1) - a.sum(axis=1)
        ),
    ),
    _wrong(
        "inverse-log-det-one-number",
        "Sums alpha over all examples and variables.",
        but(MADE_INVERSE, (_LOG_DET, "-alpha.sum()")),
        says="returns log_det of shape ()",
    ),
    _wrong(
        "inverse-log-det-per-variable",
        "Does not sum at all.",
        but(MADE_INVERSE, (_LOG_DET, "-alpha")),
        says="returns log_det of shape (2, 2)",
    ),
    _wrong(
        "inverse-log-det-none",
        "Returns no log-determinant.",
        but(MADE_INVERSE, (_LOG_DET, "None")),
        says="must return log_det as a tensor of shape (B,); it returned None",
    ),
    # ---- gradients -----------------------------------------------------------------------------
    _wrong(
        "inverse-log-det-detached",
        "The log-determinant is correct, but detached from the network.",
        but(MADE_INVERSE, (_LOG_DET, "-alpha.detach().sum(dim=1)")),
        says="No gradient flows from log_det",
    ),
    _wrong(
        "inverse-without-gradient",
        "Computes everything under no_grad, as if only for sampling.",
        """
        with torch.no_grad():
            mu, alpha = self.net(x).chunk(2, dim=1)
            z = (x - mu) * torch.exp(-alpha)
            log_det = -alpha.sum(dim=1)
        """,
        hint="No gradient flows back from inverse(): autograd recorded nothing of it.",
        jacobian=inverse_jacobian(through_mu=False, through_alpha=False, at_all=False),
        says="No gradient flows from z",
    ),
    _wrong(
        "inverse-scale-detached",
        "The gradient does not flow through the scale of z.",
        but(MADE_INVERSE, ("torch.exp(-alpha)", "torch.exp(-alpha.detach())")),
        hint="The values of inverse() are correct, but no gradient flows from z through alpha.",
        jacobian=inverse_jacobian(through_mu=True, through_alpha=False),
        says="No gradient flows from z",
    ),
    _wrong(
        "inverse-detaches-x",
        "Detaches x first: this block learns, but the blocks before it do not.",
        but(MADE_INVERSE, ("mu, alpha =", "x = x.detach(); mu, alpha =")),
        hint="inverse() detaches x before it uses it, so no gradient flows back to the blocks "
        "before this one.",
        jacobian=inverse_jacobian(through_mu=False, through_alpha=False, at_all=False),
    ),
    _wrong(
        "inverse-mean-detached",
        "The gradient does not flow through mu.",
        but(MADE_INVERSE, ("(x - mu)", "(x - mu.detach())")),
        hint="The values of inverse() are correct, but no gradient flows from z through mu.",
        jacobian=inverse_jacobian(through_mu=False, through_alpha=True),
        says="No gradient flows from z",
    ),
    _wrong(
        "inverse-network-sees-detached-x",
        "The network gets a detached x: this block learns, but the blocks before it do not.",
        but(MADE_INVERSE, (_NET, "self.net(x.detach())")),
        hint="The values of inverse() are correct, but no gradient flows back through the network "
        "to x. The blocks before this one need it.",
        jacobian=inverse_jacobian(through_mu=False, through_alpha=False),
    ),
    _wrong(
        "inverse-changes-x",
        "Works in place on its input.",
        but(MADE_INVERSE, (_STEP, "x.sub_(mu).mul_(torch.exp(-alpha))")),
        says="changes its input x in place",
    ),
    # ---- log_probs agrees with the student's own inverse(), so that only 1.2 is wrong ----------
    _wrong(
        "inverse-log-det-sign-then-subtracted",
        "inverse() returns plus the sum of alpha, and log_probs() subtracts it.",
        but(MADE_INVERSE, (_LOG_DET, "alpha.sum(dim=1)")),
        also={LOG_PROBS: but(MAF_LOG_PROBS, ("total + log_det", "total - log_det"))},
        keeps=frozenset({"1.3"}),
        hint=_LOG_DET_SIGN,
        log_det=inverse_log_det(lambda case, mu, a: a.sum(axis=1)),
    ),
    _wrong(
        "inverse-log-det-per-variable-then-summed",
        "inverse() returns one log-determinant per variable, and log_probs() adds them up.",
        but(MADE_INVERSE, (_LOG_DET, "-alpha")),
        also={LOG_PROBS: but(MAF_LOG_PROBS, ("log_det.view(-1)", "log_det.sum(dim=1)"))},
        keeps=frozenset({"1.3"}),
        says="returns log_det of shape (2, 2)",
    ),
)
