"""Mistakes of 1.3: base density, reduction over the batch, gradients cut off."""

from __future__ import annotations

import math

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.flow_gradients import flow_gradients
from autograder.homework.mistakes.flow_code import LOG_PROBS, MAF_LOG_PROBS, but
from autograder.homework.mistakes.flow_predictions import (
    gradient_where,
    log_normal,
    log_probs_of,
    usual,
)
from autograder.homework.oracles import flow
from autograder.homework.problems.flow_parameters import MAP_PARAMETERS, Array
from autograder.homework.strategies import MafCase

_BASE = "self.base_dist.log_prob(z).sum(dim=1)"
_END = "(base + total).mean()"

NO_GRADIENT = "The result of log_probs() is detached: no gradient flows back to the network."


def _nothing(case: MafCase) -> dict[str, Array]:
    return {}


def _own_log_det_only(case: MafCase) -> dict[str, Array]:
    """Every block gets the gradient of its own log-determinant and nothing else."""
    found: dict[str, Array] = {}
    x = case.x
    per_row = np.full(case.batch, 1 / case.batch)
    for k, block in enumerate(case.maps):
        _, own = block.inverse_vjp(x, np.zeros_like(x), per_row)
        found |= _named(own, k)
        x = block.inverse(x)[0][:, ::-1]
    return found


def _base_only(case: MafCase) -> dict[str, Array]:
    """The gradient of the base density alone."""
    found: dict[str, Array] = {}
    inputs = [case.x]
    for block in case.maps:
        inputs.append(block.inverse(inputs[-1])[0][:, ::-1])
    bar = -inputs[-1] / case.batch
    for k in reversed(range(case.n_flows)):
        bar, own = case.maps[k].inverse_vjp(inputs[k], bar[:, ::-1], np.zeros(case.batch))
        found |= _named(own, k)
    return found


def _without_base(case: MafCase) -> dict[str, Array]:
    """The gradient of the log-determinants alone, through all blocks."""
    base = _base_only(case)
    return {
        name: all_of_it - base[name]
        for name, all_of_it in flow_gradients(case.maps, case.x).items()
    }


def _named(gradient: flow.TriangularGradient, block: int) -> dict[str, Array]:
    return {f"block{block}.{key}": getattr(gradient, key) for key in MAP_PARAMETERS}


REDUCTION = (
    Wrong(
        "maf-mean-over-everything",
        LOG_PROBS,
        "Averages the base density over the variables too.",
        but(MAF_LOG_PROBS, (_BASE, "self.base_dist.log_prob(z).mean(dim=1)")),
        hint="log_probs() averages log p(z) over the variables; it must sum over the variables and "
        "average over the examples.",
        answers={"MAF.log_probs": log_probs_of(lambda w: (w.base.mean(axis=1) + w.log_det).mean())},
    ),
    Wrong(
        "maf-sum-over-batch",
        LOG_PROBS,
        "Sums over the batch.",
        but(MAF_LOG_PROBS, (_END, "(base + total).sum()")),
        hint="log_probs() sums over the batch; it must average.",
        answers={"MAF.log_probs": log_probs_of(lambda w: usual(w) * w.case.batch)},
    ),
    Wrong(
        "maf-per-variable",
        LOG_PROBS,
        "Divides by the number of variables.",
        but(MAF_LOG_PROBS, (_END, "(base + total).mean() / self.input_size")),
        hint="log_probs() also divides by the number of variables; it must average over the "
        "examples only.",
        answers={"MAF.log_probs": log_probs_of(lambda w: usual(w) / w.case.input_size)},
    ),
    Wrong(
        "maf-in-bits",
        LOG_PROBS,
        "Divides by the logarithm of 2.",
        but(MAF_LOG_PROBS, (_END, "(base + total).mean() / torch.log(torch.tensor(2.0))")),
        hint="log_probs() returns bits; it must return nats.",
        answers={"MAF.log_probs": log_probs_of(lambda w: usual(w) / math.log(2.0))},
    ),
    Wrong(
        "maf-negated",
        LOG_PROBS,
        "Returns the loss.",
        but(MAF_LOG_PROBS, (_END, "-(base + total).mean()")),
        hint="log_probs() has the wrong sign: loss() already negates it.",
        answers={"MAF.log_probs": log_probs_of(lambda w: -usual(w))},
    ),
    Wrong(
        "maf-log-of-mean",
        LOG_PROBS,
        "Takes the logarithm of the average density.",
        but(MAF_LOG_PROBS, (_END, "(base + total).exp().mean().log()")),
        hint="log_probs() takes the logarithm of the average density; it must average the "
        "logarithms.",
        answers={
            "MAF.log_probs": log_probs_of(
                lambda w: np.log(np.exp(w.base.sum(axis=1) + w.log_det).mean())
            )
        },
    ),
    Wrong(
        "maf-density-itself",
        LOG_PROBS,
        "Returns the average density, without the logarithm.",
        but(MAF_LOG_PROBS, (_END, "(base + total).exp().mean()")),
        hint="log_probs() returns the average density; it must return the average of its "
        "logarithm.",
        answers={
            "MAF.log_probs": log_probs_of(lambda w: np.exp(w.base.sum(axis=1) + w.log_det).mean())
        },
    ),
    Wrong(
        "maf-chunks-of-32",
        LOG_PROBS,
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
        says="batch=100",
    ),
    Wrong(
        "maf-first-example",
        LOG_PROBS,
        "Returns the log-likelihood of the first example.",
        but(MAF_LOG_PROBS, (_END, "(base + total)[0]")),
        hint="log_probs() returns the log-likelihood of the first example; it must return the "
        "average over the batch.",
        answers={"MAF.log_probs": log_probs_of(lambda w: w.base[0].sum() + w.log_det[0])},
    ),
    Wrong(
        "maf-base-of-average",
        LOG_PROBS,
        "Evaluates the base density at the average of the batch.",
        but(MAF_LOG_PROBS, (_BASE, "self.base_dist.log_prob(z.mean(dim=0)).sum()")),
        hint="log_probs() evaluates log p(z) at the average z of the batch; it must average log "
        "p(z).",
        answers={
            "MAF.log_probs": log_probs_of(
                lambda w: log_normal(w.z.mean(axis=0)).sum() + w.log_det.mean()
            )
        },
    ),
    Wrong(
        "maf-vector",
        LOG_PROBS,
        "Returns one number per example.",
        but(MAF_LOG_PROBS, (_END, "base + total")),
        says="expected one number for the whole batch, a 0-d tensor",
    ),
    Wrong(
        "maf-python-float",
        LOG_PROBS,
        "Returns a Python float.",
        but(MAF_LOG_PROBS, (_END, "(base + total).mean().item()")),
        says="returns a Python float",
    ),
    Wrong(
        "maf-nothing",
        LOG_PROBS,
        "Returns None.",
        but(MAF_LOG_PROBS, (_END, "(base + total).mean()\nreturn None")),
        says="it returned None",
    ),
)

BASE = (
    Wrong(
        "maf-no-constant",
        LOG_PROBS,
        "Leaves out the normalising constant.",
        but(MAF_LOG_PROBS, (_BASE, "-0.5 * (z**2).sum(dim=1)")),
        hint="The base density lacks its normalising constant.",
        answers={
            "MAF.log_probs": log_probs_of(
                lambda w: (-0.5 * (w.z**2).sum(axis=1) + w.log_det).mean()
            )
        },
    ),
    Wrong(
        "maf-one-constant",
        LOG_PROBS,
        "Subtracts the constant of one variable.",
        but(
            MAF_LOG_PROBS,
            (_BASE, "-0.5 * (z**2).sum(dim=1) - 0.5 * torch.log(torch.tensor(2 * torch.pi))"),
        ),
        hint="The base density has the normalising constant of one variable only; every variable "
        "has one.",
        answers={
            "MAF.log_probs": log_probs_of(
                lambda w: usual(w) + 0.5 * (w.case.input_size - 1) * math.log(2 * math.pi)
            )
        },
    ),
    Wrong(
        "maf-constant-of-two-variables",
        LOG_PROBS,
        "Subtracts the constant of two variables, whatever D is.",
        but(
            MAF_LOG_PROBS,
            (_BASE, "-0.5 * (z**2).sum(dim=1) - torch.log(torch.tensor(2 * torch.pi))"),
        ),
        hint="The base density has the normalising constant of two variables, whatever D is.",
        answers={
            "MAF.log_probs": log_probs_of(
                lambda w: usual(w) + 0.5 * (w.case.input_size - 2) * math.log(2 * math.pi)
            )
        },
    ),
    Wrong(
        "maf-constant-added",
        LOG_PROBS,
        "Adds the normalising constant instead of subtracting it.",
        but(
            MAF_LOG_PROBS,
            (_BASE, "(-0.5 * z**2 + 0.5 * torch.log(torch.tensor(2 * torch.pi))).sum(dim=1)"),
        ),
        hint="The normalising constant of the base density has the wrong sign.",
        answers={
            "MAF.log_probs": log_probs_of(
                lambda w: usual(w) + w.case.input_size * math.log(2 * math.pi)
            )
        },
    ),
    Wrong(
        "maf-constant-to-base-10",
        LOG_PROBS,
        "Takes the logarithm to base 10 in the normalising constant.",
        but(
            MAF_LOG_PROBS,
            (_BASE, "(-0.5 * z**2 - 0.5 * torch.log10(torch.tensor(2 * torch.pi))).sum(dim=1)"),
        ),
        hint="The logarithm in the normalising constant has base 10; it must be the natural "
        "logarithm.",
        answers={
            "MAF.log_probs": log_probs_of(
                lambda w: (
                    usual(w)
                    + 0.5 * w.case.input_size * (math.log(2 * math.pi) - math.log10(2 * math.pi))
                )
            )
        },
    ),
    Wrong(
        "maf-twice-the-constant",
        LOG_PROBS,
        "Forgets the square root in the normalising constant.",
        but(
            MAF_LOG_PROBS,
            (
                _BASE,
                "(-0.5 * z**2 - torch.log(torch.tensor(2 * torch.pi))).sum(dim=1)",
            ),
        ),
        hint="The normalising constant of the base density is twice what it should be.",
        answers={
            "MAF.log_probs": log_probs_of(
                lambda w: usual(w) - 0.5 * w.case.input_size * math.log(2 * math.pi)
            )
        },
    ),
    Wrong(
        "maf-half-the-constant",
        LOG_PROBS,
        "Halves the normalising constant once too often.",
        but(
            MAF_LOG_PROBS,
            (
                _BASE,
                "(-0.5 * z**2 - 0.25 * torch.log(torch.tensor(2 * torch.pi))).sum(dim=1)",
            ),
        ),
        hint="The normalising constant of the base density is half of what it should be.",
        answers={
            "MAF.log_probs": log_probs_of(
                lambda w: usual(w) + 0.25 * w.case.input_size * math.log(2 * math.pi)
            )
        },
    ),
    Wrong(
        "maf-square-not-halved",
        LOG_PROBS,
        "Forgets the factor 1/2 of the square.",
        but(
            MAF_LOG_PROBS,
            (_BASE, "(-(z**2) - 0.5 * torch.log(torch.tensor(2 * torch.pi))).sum(dim=1)"),
        ),
        hint="The log base density lacks the factor 1/2 of the square.",
        answers={
            "MAF.log_probs": log_probs_of(lambda w: usual(w) - 0.5 * (w.z**2).sum(axis=1).mean())
        },
    ),
)

GRADIENTS = (
    Wrong(
        "maf-detached",
        LOG_PROBS,
        "Detaches the result.",
        but(MAF_LOG_PROBS, (_END, "(base + total).mean().detach()")),
        hint=NO_GRADIENT,
        answers={"MAF.log_probs.gradient": gradient_where(_nothing)},
    ),
    Wrong(
        "maf-new-leaf",
        LOG_PROBS,
        "Makes a new tensor from the value, with its own gradient.",
        but(
            MAF_LOG_PROBS, (_END, "torch.tensor((base + total).mean().item(), requires_grad=True)")
        ),
        hint=NO_GRADIENT,
        answers={"MAF.log_probs.gradient": gradient_where(_nothing)},
    ),
    Wrong(
        "maf-detaches-between-layers",
        LOG_PROBS,
        "Detaches z before every layer.",
        but(MAF_LOG_PROBS, ("block.inverse(z)", "block.inverse(z.detach())")),
        hint="The value of log_probs() is correct, but no gradient flows from a layer back to the "
        "layer before it.",
        answers={"MAF.log_probs.gradient": gradient_where(_own_log_det_only)},
    ),
    Wrong(
        "maf-base-detached",
        LOG_PROBS,
        "Detaches z before the base density.",
        but(MAF_LOG_PROBS, (_BASE, "self.base_dist.log_prob(z.detach()).sum(dim=1)")),
        hint="The value of log_probs() is correct, but no gradient flows through the base density.",
        answers={"MAF.log_probs.gradient": gradient_where(_without_base)},
    ),
    Wrong(
        "maf-log-det-detached",
        LOG_PROBS,
        "Detaches the log-determinants.",
        but(MAF_LOG_PROBS, ("log_det.view(-1)", "log_det.detach().view(-1)")),
        hint="The value of log_probs() is correct, but no gradient flows through the "
        "log-determinants.",
        answers={"MAF.log_probs.gradient": gradient_where(_base_only)},
    ),
)

WRONG: tuple[Wrong, ...] = (*REDUCTION, *BASE, *GRADIENTS)
