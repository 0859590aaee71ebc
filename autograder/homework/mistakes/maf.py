"""Mistakes of 1.3: MAF.log_probs."""

from __future__ import annotations

import math

import numpy as np

from autograder.homework.mistakes.entries import Wrong
from autograder.homework.mistakes.flow_code import MAF_LOG_PROBS, but
from autograder.homework.mistakes.flow_predictions import (
    Walk,
    gradient_where,
    log_normal,
    log_probs_of,
    usual,
)
from autograder.homework.oracles import flow
from autograder.homework.oracles.flow import Array
from autograder.homework.strategies import MafCase

REGION = "1.3 MAF.log_probs"

_BLOCKS = "for block in self.nf:"
_CALL = "z, log_det = block.inverse(z)"
_ADD = "total = total + log_det.view(-1)"
_BASE = "self.base_dist.log_prob(z).sum(dim=1)"
_END = "(base + total).mean()"

NO_GRADIENT = (
    "The value of log_probs() is right, but it is cut off from the network: no gradient flows "
    "back from it."
)


# ---- other ways through the blocks ---------------------------------------------------------------


def _backwards(case: MafCase) -> float:
    """The layers from last to first, each in its inverse direction."""
    z, log_det = case.x, np.zeros(case.batch)
    for block in reversed(case.maps):
        z, own = block.inverse(z[:, ::-1])
        log_det = log_det + own
    return usual(Walk(case, z, log_det))


def _forward(case: MafCase) -> float:
    """The known maps' own forward direction, as the experiment defines it."""
    z, log_det = case.x, np.zeros(case.batch)
    for block in case.maps:
        z = ((z - block.shift) / block.scale)[:, ::-1]
        log_det = log_det + np.log(block.scale).sum()
    return usual(Walk(case, z, log_det))


def _without_reversal(case: MafCase) -> float:
    """The MADE blocks only."""
    z, log_det = case.x, np.zeros(case.batch)
    for block in case.maps:
        z, own = block.inverse(z)
        log_det = log_det + own
    return usual(Walk(case, z, log_det))


def _always_from_x(case: MafCase) -> float:
    """Every layer is given x; the last one, a reversal, leaves z."""
    total = sum((block.inverse(case.x)[1] for block in case.maps), np.zeros(case.batch))
    return usual(Walk(case, case.x[:, ::-1], total))


def _first_layers(case: MafCase) -> float:
    """As many layers as there are blocks, though every block is followed by a reversal."""
    z, log_det = case.x, np.zeros(case.batch)
    for i in range(case.n_flows):
        if i % 2:
            z = z[:, ::-1]
        else:
            z, own = case.maps[i // 2].inverse(z)
            log_det = log_det + own
    return usual(Walk(case, z, log_det))


def _base_after_every_layer(case: MafCase) -> float:
    """log N added up after every layer, those of reversals included."""
    z, log_det, base = case.x, np.zeros(case.batch), np.zeros(case.batch)
    for block in case.maps:
        z, own = block.inverse(z)
        log_det = log_det + own
        # The layer after it reverses the columns, which leaves their sum as it is.
        base = base + 2 * log_normal(z).sum(axis=1)
        z = z[:, ::-1]
    return float((base + log_det).mean())


def _last_block_only(case: MafCase) -> Array:
    return case.maps[-1].inverse(_before_last(case))[1]


def _before_last(case: MafCase) -> Array:
    x = case.x
    for block in case.maps[:-1]:
        x = block.inverse(x)[0][:, ::-1]
    return x


def _standardised(case: MafCase) -> float:
    """The batch shifted and scaled to mean 0 and standard deviation 1 first."""
    x = case.x
    x = (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)
    return float(flow.maf_log_prob(case.maps, x).mean())


# ---- cut gradients -------------------------------------------------------------------------------


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


def _named(gradient: flow.ElementwiseGradient, block: int) -> dict[str, Array]:
    return {f"block{block}.{key}": getattr(gradient, key) for key in ("scale", "bend", "shift")}


WALK = (
    Wrong(
        "maf-blocks-from-last-to-first",
        REGION,
        "Walks the layers from last to first, as sample() does.",
        but(MAF_LOG_PROBS, (_BLOCKS, "for block in reversed(self.nf):")),
        hint="log_probs() walks the layers from last to first; that is the way of sampling.",
        answers={"MAF.log_probs": _backwards},
    ),
    Wrong(
        "maf-calls-forward",
        REGION,
        "Calls forward() of the blocks.",
        but(MAF_LOG_PROBS, ("block.inverse(z)", "block.forward(z)")),
        hint="log_probs() calls forward() of the blocks, which leads from noise to data.",
        answers={"MAF.log_probs": _forward},
    ),
    Wrong(
        "maf-skips-reversals",
        REGION,
        "Walks the MADE blocks only.",
        but(
            MAF_LOG_PROBS,
            (_BLOCKS, "for block in [b for b in self.nf if isinstance(b, MADE)]:"),
        ),
        hint="log_probs() leaves out the layers that reverse the columns between the blocks.",
        answers={"MAF.log_probs": _without_reversal},
    ),
    Wrong(
        "maf-always-from-x",
        REGION,
        "Gives x to every layer instead of what the layer before made of it.",
        but(MAF_LOG_PROBS, ("block.inverse(z)", "block.inverse(x)")),
        hint="log_probs() gives every layer x itself, not what the layer before made of it.",
        answers={"MAF.log_probs": _always_from_x},
    ),
    Wrong(
        "maf-half-of-the-layers",
        REGION,
        "Counts to n_flows, though nf holds two layers for every block.",
        but(
            MAF_LOG_PROBS,
            (_BLOCKS, "for i in range(self.n_flows):"),
            ("block.inverse(z)", "self.nf[i].inverse(z)"),
        ),
        hint="log_probs() walks as many layers as there are blocks; every block is followed by a "
        "layer that reverses the columns, so there are twice as many.",
        answers={"MAF.log_probs": _first_layers},
    ),
    Wrong(
        "maf-standardises-batch",
        REGION,
        "Standardises the batch first.",
        but(MAF_LOG_PROBS, ("z = x\n", "z = (x - x.mean(dim=0)) / x.std(dim=0)\n")),
        hint="log_probs() standardises the batch before the first block, so that an example's "
        "density depends on the others.",
        answers={"MAF.log_probs": _standardised},
    ),
    Wrong(
        "maf-base-of-data",
        REGION,
        "Takes the base density at x instead of z.",
        but(MAF_LOG_PROBS, ("log_prob(z)", "log_prob(x)")),
        hint="log_probs() takes the base density at the data; it is that of the noise at the end "
        "of the walk.",
        answers={
            "MAF.log_probs": log_probs_of(
                lambda w: (log_normal(w.case.x).sum(axis=1) + w.log_det).mean()
            )
        },
    ),
    Wrong(
        "maf-base-after-every-layer",
        REGION,
        "Adds the base density after every layer.",
        but(
            MAF_LOG_PROBS,
            (_ADD, f"{_ADD} + {_BASE}"),
            (_END, "total.mean()"),
        ),
        hint="log_probs() adds the base density after every layer; it belongs to the last z alone.",
        answers={"MAF.log_probs": _base_after_every_layer},
    ),
)

LOG_DETERMINANT = (
    Wrong(
        "maf-no-log-det",
        REGION,
        "Leaves the log-determinants out.",
        but(MAF_LOG_PROBS, (_END, "base.mean()")),
        hint="log_probs() leaves out the log-determinants.",
        answers={"MAF.log_probs": log_probs_of(lambda w: w.base.sum(axis=1).mean())},
    ),
    Wrong(
        "maf-minus-log-det",
        REGION,
        "Subtracts the log-determinants.",
        but(MAF_LOG_PROBS, (_END, "(base - total).mean()")),
        hint="log_probs() subtracts the log-determinants; what inverse() returns is to be added.",
        answers={"MAF.log_probs": log_probs_of(lambda w: (w.base.sum(axis=1) - w.log_det).mean())},
    ),
    Wrong(
        "maf-last-log-det",
        REGION,
        "Keeps the log-determinant of the last MADE block only.",
        but(MAF_LOG_PROBS, (_ADD, "total = log_det if isinstance(block, MADE) else total")),
        hint="log_probs() keeps the last block's log-determinant only; those of all blocks add up.",
        answers={
            "MAF.log_probs": log_probs_of(
                lambda w: (w.base.sum(axis=1) + _last_block_only(w.case)).mean()
            )
        },
    ),
    Wrong(
        "maf-overwrites-log-det",
        REGION,
        "Overwrites the log-determinant, so that the last reversal's zeros are left.",
        but(MAF_LOG_PROBS, (_ADD, "total = log_det.view(-1)")),
        hint="log_probs() leaves out the log-determinants.",
        answers={"MAF.log_probs": log_probs_of(lambda w: w.base.sum(axis=1).mean())},
    ),
    Wrong(
        "maf-log-det-summed-over-batch",
        REGION,
        "Averages the base density but sums the log-determinants over the batch.",
        but(MAF_LOG_PROBS, (_END, "base.mean() + total.sum()")),
        hint="log_probs() sums the log-determinants over the batch but averages the base density.",
        answers={
            "MAF.log_probs": log_probs_of(lambda w: w.base.sum(axis=1).mean() + w.log_det.sum())
        },
    ),
    Wrong(
        "maf-log-det-per-layer",
        REGION,
        "Divides the log-determinants by the number of blocks.",
        but(MAF_LOG_PROBS, (_END, "(base + total / self.n_flows).mean()")),
        hint="log_probs() averages the log-determinants over the blocks; they add up.",
        answers={
            "MAF.log_probs": log_probs_of(
                lambda w: (w.base.sum(axis=1) + w.log_det / w.case.n_flows).mean()
            )
        },
    ),
)

REDUCTION = (
    Wrong(
        "maf-mean-over-everything",
        REGION,
        "Averages the base density over the variables too.",
        but(MAF_LOG_PROBS, (_BASE, "self.base_dist.log_prob(z).mean(dim=1)")),
        hint="log_probs() averages the base density over the variables; theirs add up to that of "
        "an example.",
        answers={"MAF.log_probs": log_probs_of(lambda w: (w.base.mean(axis=1) + w.log_det).mean())},
    ),
    Wrong(
        "maf-sum-over-batch",
        REGION,
        "Sums over the batch.",
        but(MAF_LOG_PROBS, (_END, "(base + total).sum()")),
        hint="log_probs() sums over the batch; it must average.",
        answers={"MAF.log_probs": log_probs_of(lambda w: usual(w) * w.case.batch)},
    ),
    Wrong(
        "maf-per-variable",
        REGION,
        "Divides by the number of variables.",
        but(MAF_LOG_PROBS, (_END, "(base + total).mean() / self.input_size")),
        hint="log_probs() gives nats for every variable; it must give nats for every example.",
        answers={"MAF.log_probs": log_probs_of(lambda w: usual(w) / w.case.input_size)},
    ),
    Wrong(
        "maf-in-bits",
        REGION,
        "Divides by the logarithm of 2.",
        but(MAF_LOG_PROBS, (_END, "(base + total).mean() / torch.log(torch.tensor(2.0))")),
        hint="log_probs() gives bits; it must give nats.",
        answers={"MAF.log_probs": log_probs_of(lambda w: usual(w) / math.log(2.0))},
    ),
    Wrong(
        "maf-negated",
        REGION,
        "Returns the loss.",
        but(MAF_LOG_PROBS, (_END, "-(base + total).mean()")),
        hint="log_probs() has the wrong sign: loss() negates it already.",
        answers={"MAF.log_probs": log_probs_of(lambda w: -usual(w))},
    ),
    Wrong(
        "maf-log-of-mean",
        REGION,
        "Takes the logarithm of the average density.",
        but(MAF_LOG_PROBS, (_END, "(base + total).exp().mean().log()")),
        hint="log_probs() takes the logarithm of the average density, not the average of the "
        "logarithms.",
        answers={
            "MAF.log_probs": log_probs_of(
                lambda w: np.log(np.exp(w.base.sum(axis=1) + w.log_det).mean())
            )
        },
    ),
    Wrong(
        "maf-first-example",
        REGION,
        "Returns the first example's.",
        but(MAF_LOG_PROBS, (_END, "(base + total)[0]")),
        hint="log_probs() returns the first example's log-likelihood, not the batch's average.",
        answers={"MAF.log_probs": log_probs_of(lambda w: w.base[0].sum() + w.log_det[0])},
    ),
    Wrong(
        "maf-base-of-average",
        REGION,
        "Takes the base density at the average of the batch.",
        but(MAF_LOG_PROBS, (_BASE, "self.base_dist.log_prob(z.mean(dim=0)).sum()")),
        hint="log_probs() takes the base density at the batch's average z, not the average of the "
        "densities' logarithms.",
        answers={
            "MAF.log_probs": log_probs_of(
                lambda w: log_normal(w.z.mean(axis=0)).sum() + w.log_det.mean()
            )
        },
    ),
    Wrong(
        "maf-vector",
        REGION,
        "Returns one number per example.",
        but(MAF_LOG_PROBS, (_END, "base + total")),
        says="expected one number for the whole batch, a 0-d tensor",
    ),
    Wrong(
        "maf-python-float",
        REGION,
        "Returns a Python float.",
        but(MAF_LOG_PROBS, (_END, "(base + total).mean().item()")),
        says="returns a Python float",
    ),
    Wrong(
        "maf-nothing",
        REGION,
        "Forgets to return.",
        but(MAF_LOG_PROBS, (_END, "(base + total).mean()\nreturn None")),
        says="it returned None",
    ),
)

BASE = (
    Wrong(
        "maf-no-constant",
        REGION,
        "Leaves the normalising constant out.",
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
        REGION,
        "Subtracts the constant of one variable.",
        but(
            MAF_LOG_PROBS,
            (_BASE, "-0.5 * (z**2).sum(dim=1) - 0.5 * torch.log(torch.tensor(2 * torch.pi))"),
        ),
        hint="The normalising constant of the base density is that of one variable; every "
        "variable has one.",
        answers={
            "MAF.log_probs": log_probs_of(
                lambda w: usual(w) + 0.5 * (w.case.input_size - 1) * math.log(2 * math.pi)
            )
        },
    ),
    Wrong(
        "maf-constant-of-two-variables",
        REGION,
        "Subtracts the constant of two variables whatever D is.",
        but(
            MAF_LOG_PROBS,
            (_BASE, "-0.5 * (z**2).sum(dim=1) - torch.log(torch.tensor(2 * torch.pi))"),
        ),
        hint="The normalising constant of the base density is that of two variables whatever D is.",
        answers={
            "MAF.log_probs": log_probs_of(
                lambda w: usual(w) + 0.5 * (w.case.input_size - 2) * math.log(2 * math.pi)
            )
        },
    ),
    Wrong(
        "maf-twice-the-constant",
        REGION,
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
        REGION,
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
        REGION,
        "Forgets the half before the square.",
        but(
            MAF_LOG_PROBS,
            (_BASE, "(-(z**2) - 0.5 * torch.log(torch.tensor(2 * torch.pi))).sum(dim=1)"),
        ),
        hint="The base density lacks the half before the square.",
        answers={
            "MAF.log_probs": log_probs_of(lambda w: usual(w) - 0.5 * (w.z**2).sum(axis=1).mean())
        },
    ),
)

GRADIENTS = (
    Wrong(
        "maf-detached",
        REGION,
        "Detaches the result.",
        but(MAF_LOG_PROBS, (_END, "(base + total).mean().detach()")),
        hint=NO_GRADIENT,
        answers={"MAF.log_probs.gradient": gradient_where(_nothing)},
    ),
    Wrong(
        "maf-new-leaf",
        REGION,
        "Makes a new tensor of the value, with a gradient of its own.",
        but(
            MAF_LOG_PROBS, (_END, "torch.tensor((base + total).mean().item(), requires_grad=True)")
        ),
        hint=NO_GRADIENT,
        answers={"MAF.log_probs.gradient": gradient_where(_nothing)},
    ),
    Wrong(
        "maf-detaches-between-layers",
        REGION,
        "Detaches z before every layer.",
        but(MAF_LOG_PROBS, ("block.inverse(z)", "block.inverse(z.detach())")),
        hint="The value of log_probs() is right, but no gradient flows from a layer back to the "
        "layer before it.",
        answers={"MAF.log_probs.gradient": gradient_where(_own_log_det_only)},
    ),
    Wrong(
        "maf-log-det-detached",
        REGION,
        "Detaches the log-determinants.",
        but(MAF_LOG_PROBS, ("log_det.view(-1)", "log_det.detach().view(-1)")),
        hint="The value of log_probs() is right, but no gradient flows through the "
        "log-determinants.",
        answers={"MAF.log_probs.gradient": gradient_where(_base_only)},
    ),
)

WRONG: tuple[Wrong, ...] = (*WALK, *LOG_DETERMINANT, *REDUCTION, *BASE, *GRADIENTS)
