"""Mistakes of 1.3: base density, reduction over the batch, gradients cut off."""

from __future__ import annotations

import math

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.flow_gradients import flow_gradients
from autograder.homework.mistakes.flow_code import LOG_PROBS, MAF_LOG_PROBS, but
from autograder.homework.mistakes.flow_predictions import (
    FlowMistakes,
    gradient_where,
    log_normal,
    log_probs_of,
    usual,
)
from autograder.homework.oracles import flow
from autograder.homework.problems.flow_parameters import MAP_PARAMETERS, Array
from autograder.homework.strategies import MafCase

_wrong = FlowMistakes(LOG_PROBS)
_BASE = "self.base_dist.log_prob(z).sum(dim=1)"
_END = "(base + total).mean()"
_NO_GRADIENT = "The result of log_probs() is detached: no gradient flows back to the network."


def _with_base(code: str) -> str:
    """log_probs() with another base density."""
    return but(MAF_LOG_PROBS, (_BASE, code))


def _nothing(case: MafCase) -> dict[str, Array]:
    return {}


def _own_log_det_only(case: MafCase) -> dict[str, Array]:
    """The gradient of each block's own log-determinant only."""
    gradients: dict[str, Array] = {}
    x = case.x
    per_row = np.full(case.batch, 1 / case.batch)
    for k, block in enumerate(case.maps):
        _, own = block.inverse_vjp(x, np.zeros_like(x), per_row)
        gradients |= _named(own, k)
        x = block.inverse(x)[0][:, ::-1]
    return gradients


def _base_only(case: MafCase) -> dict[str, Array]:
    """The gradient of the base density alone."""
    gradients: dict[str, Array] = {}
    inputs = [case.x]
    for block in case.maps:
        inputs.append(block.inverse(inputs[-1])[0][:, ::-1])
    bar = -inputs[-1] / case.batch
    for k in reversed(range(case.n_flows)):
        bar, own = case.maps[k].inverse_vjp(inputs[k], bar[:, ::-1], np.zeros(case.batch))
        gradients |= _named(own, k)
    return gradients


def _without_base(case: MafCase) -> dict[str, Array]:
    """The gradient of the log-determinants alone, through all blocks."""
    base = _base_only(case)
    return {
        name: gradient - base[name] for name, gradient in flow_gradients(case.maps, case.x).items()
    }


def _named(gradient: flow.TriangularGradient, block: int) -> dict[str, Array]:
    return {f"block{block}.{key}": getattr(gradient, key) for key in MAP_PARAMETERS}


WRONG: tuple[Wrong, ...] = (
    # ---- reduction over the batch --------------------------------------------------------------
    _wrong(
        "maf-mean-over-everything",
        "Averages the base density over the variables too.",
        _with_base("self.base_dist.log_prob(z).mean(dim=1)"),
        hint="log_probs() averages log p(z) over the variables; it must sum over the variables and "
        "average over the examples.",
        value=log_probs_of(lambda w: (w.base.mean(axis=1) + w.log_det).mean()),
    ),
    _wrong(
        "maf-sum-over-batch",
        "Sums over the batch.",
        but(MAF_LOG_PROBS, (_END, "(base + total).sum()")),
        hint="log_probs() sums over the batch; it must average.",
        value=log_probs_of(lambda w: usual(w) * w.case.batch),
    ),
    _wrong(
        "maf-per-variable",
        "Divides by the number of variables.",
        but(MAF_LOG_PROBS, (_END, "(base + total).mean() / self.input_size")),
        hint="log_probs() also divides by the number of variables; it must average over the "
        "examples only.",
        value=log_probs_of(lambda w: usual(w) / w.case.input_size),
    ),
    _wrong(
        "maf-in-bits",
        "Divides by the logarithm of 2.",
        but(MAF_LOG_PROBS, (_END, "(base + total).mean() / torch.log(torch.tensor(2.0))")),
        hint="log_probs() returns bits; it must return nats.",
        value=log_probs_of(lambda w: usual(w) / math.log(2.0)),
    ),
    _wrong(
        "maf-negated",
        "Returns the loss.",
        but(MAF_LOG_PROBS, (_END, "-(base + total).mean()")),
        hint="log_probs() has the wrong sign: loss() already negates it.",
        value=log_probs_of(lambda w: -usual(w)),
    ),
    _wrong(
        "maf-log-of-mean",
        "Takes the logarithm of the average density.",
        but(MAF_LOG_PROBS, (_END, "(base + total).exp().mean().log()")),
        hint="log_probs() takes the logarithm of the average density; it must average the "
        "logarithms.",
        value=log_probs_of(lambda w: np.log(np.exp(w.base.sum(axis=1) + w.log_det).mean())),
    ),
    _wrong(
        "maf-density-itself",
        "Returns the average density, without the logarithm.",
        but(MAF_LOG_PROBS, (_END, "(base + total).exp().mean()")),
        hint="log_probs() returns the average density; it must return the average of its "
        "logarithm.",
        value=log_probs_of(lambda w: np.exp(w.base.sum(axis=1) + w.log_det).mean()),
    ),
    _wrong(
        "maf-chunks-of-32",
        "Averages the averages of chunks of 32, though the last one may be smaller.",
        """
        values = []
        for z in x.split(32):
            total = torch.zeros(len(z))
            for block in self.nf:
                z, log_det = block.inverse(z)
                total = total + log_det.view(-1)
            values.append((self.base_dist.log_prob(z).sum(dim=1) + total).mean())
        log_prob = torch.stack(values).mean()
        """,
        says="batch 100",
    ),
    _wrong(
        "maf-first-example",
        "Returns the log-likelihood of the first example.",
        but(MAF_LOG_PROBS, (_END, "(base + total)[0]")),
        hint="log_probs() returns the log-likelihood of the first example; it must return the "
        "average over the batch.",
        value=log_probs_of(lambda w: w.base[0].sum() + w.log_det[0]),
    ),
    _wrong(
        "maf-base-of-average",
        "Evaluates the base density at the average of the batch.",
        _with_base("self.base_dist.log_prob(z.mean(dim=0)).sum()"),
        hint="log_probs() evaluates log p(z) at the average z of the batch; it must average log "
        "p(z).",
        value=log_probs_of(lambda w: log_normal(w.z.mean(axis=0)).sum() + w.log_det.mean()),
    ),
    _wrong(
        "maf-vector",
        "Returns one number per example.",
        but(MAF_LOG_PROBS, (_END, "base + total")),
        says="expected one number for the whole batch, a 0-d tensor",
    ),
    _wrong(
        "maf-python-float",
        "Returns a Python float.",
        but(MAF_LOG_PROBS, (_END, "(base + total).mean().item()")),
        says="returns a Python float",
    ),
    _wrong(
        "maf-nothing",
        "Returns None.",
        but(MAF_LOG_PROBS, (_END, "(base + total).mean()\nreturn None")),
        says="it returned None",
    ),
    # ---- base density --------------------------------------------------------------------------
    _wrong(
        "maf-no-constant",
        "Leaves out the normalising constant.",
        _with_base("-0.5 * (z**2).sum(dim=1)"),
        hint="The base density lacks its normalising constant.",
        value=log_probs_of(lambda w: (-0.5 * (w.z**2).sum(axis=1) + w.log_det).mean()),
    ),
    _wrong(
        "maf-one-constant",
        "Subtracts the constant of one variable.",
        _with_base("-0.5 * (z**2).sum(dim=1) - 0.5 * torch.log(torch.tensor(2 * torch.pi))"),
        hint="The base density has the normalising constant of one variable only; every variable "
        "has one.",
        value=log_probs_of(
            lambda w: usual(w) + 0.5 * (w.case.input_size - 1) * math.log(2 * math.pi)
        ),
    ),
    _wrong(
        "maf-constant-of-two-variables",
        "Subtracts the constant of two variables, whatever D is.",
        _with_base("-0.5 * (z**2).sum(dim=1) - torch.log(torch.tensor(2 * torch.pi))"),
        hint="The base density has the normalising constant of two variables, whatever D is.",
        value=log_probs_of(
            lambda w: usual(w) + 0.5 * (w.case.input_size - 2) * math.log(2 * math.pi)
        ),
    ),
    _wrong(
        "maf-constant-added",
        "Adds the normalising constant instead of subtracting it.",
        _with_base("(-0.5 * z**2 + 0.5 * torch.log(torch.tensor(2 * torch.pi))).sum(dim=1)"),
        hint="The normalising constant of the base density has the wrong sign.",
        value=log_probs_of(lambda w: usual(w) + w.case.input_size * math.log(2 * math.pi)),
    ),
    _wrong(
        "maf-constant-to-base-10",
        "Takes the logarithm to base 10 in the normalising constant.",
        _with_base("(-0.5 * z**2 - 0.5 * torch.log10(torch.tensor(2 * torch.pi))).sum(dim=1)"),
        hint="The logarithm in the normalising constant has base 10; it must be the natural "
        "logarithm.",
        value=log_probs_of(
            lambda w: (
                usual(w)
                + 0.5 * w.case.input_size * (math.log(2 * math.pi) - math.log10(2 * math.pi))
            )
        ),
    ),
    _wrong(
        "maf-twice-the-constant",
        "Forgets the square root in the normalising constant.",
        _with_base("(-0.5 * z**2 - torch.log(torch.tensor(2 * torch.pi))).sum(dim=1)"),
        hint="The normalising constant of the base density is twice what it should be.",
        value=log_probs_of(lambda w: usual(w) - 0.5 * w.case.input_size * math.log(2 * math.pi)),
    ),
    _wrong(
        "maf-half-the-constant",
        "Halves the normalising constant once too often.",
        _with_base("(-0.5 * z**2 - 0.25 * torch.log(torch.tensor(2 * torch.pi))).sum(dim=1)"),
        hint="The normalising constant of the base density is half of what it should be.",
        value=log_probs_of(lambda w: usual(w) + 0.25 * w.case.input_size * math.log(2 * math.pi)),
    ),
    _wrong(
        "maf-square-not-halved",
        "Forgets the factor 1/2 of the square.",
        _with_base("(-(z**2) - 0.5 * torch.log(torch.tensor(2 * torch.pi))).sum(dim=1)"),
        hint="The log base density lacks the factor 1/2 of the square.",
        value=log_probs_of(lambda w: usual(w) - 0.5 * (w.z**2).sum(axis=1).mean()),
    ),
    # ---- gradients -----------------------------------------------------------------------------
    _wrong(
        "maf-detached",
        "Detaches the result.",
        but(MAF_LOG_PROBS, (_END, "(base + total).mean().detach()")),
        hint=_NO_GRADIENT,
        gradient=gradient_where(_nothing),
    ),
    _wrong(
        "maf-new-leaf",
        "Makes a new tensor from the value, with its own gradient.",
        but(
            MAF_LOG_PROBS, (_END, "torch.tensor((base + total).mean().item(), requires_grad=True)")
        ),
        hint=_NO_GRADIENT,
        gradient=gradient_where(_nothing),
    ),
    _wrong(
        "maf-detaches-between-layers",
        "Detaches z before every layer.",
        but(MAF_LOG_PROBS, ("block.inverse(z)", "block.inverse(z.detach())")),
        hint="The value of log_probs() is correct, but no gradient flows from a layer back to the "
        "layer before it.",
        gradient=gradient_where(_own_log_det_only),
    ),
    _wrong(
        "maf-base-detached",
        "Detaches z before the base density.",
        _with_base("self.base_dist.log_prob(z.detach()).sum(dim=1)"),
        hint="The value of log_probs() is correct, but no gradient flows through the base density.",
        gradient=gradient_where(_without_base),
    ),
    _wrong(
        "maf-log-det-detached",
        "Detaches the log-determinants.",
        but(MAF_LOG_PROBS, ("log_det.view(-1)", "log_det.detach().view(-1)")),
        hint="The value of log_probs() is correct, but no gradient flows through the "
        "log-determinants.",
        gradient=gradient_where(_base_only),
    ),
)
