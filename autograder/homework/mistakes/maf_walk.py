"""Mistakes of 1.3: the pass through the blocks and their log-determinants."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.mistakes.flow_code import LOG_PROBS, MAF_LOG_PROBS, but
from autograder.homework.mistakes.flow_predictions import (
    FlowMistakes,
    Walk,
    log_normal,
    log_probs_of,
    usual,
)
from autograder.homework.oracles import flow
from autograder.homework.problems.flow_parameters import Array
from autograder.homework.strategies import MafCase

_wrong = FlowMistakes(LOG_PROBS)
_BLOCKS = "for block in self.nf:"
_ADD = "total = total + log_det.view(-1)"
_BASE = "self.base_dist.log_prob(z).sum(dim=1)"
_END = "(base + total).mean()"


def _steps(
    case: MafCase,
    blocks: Iterable[flow.TriangularMap],
    step: Callable[[flow.TriangularMap, Array], tuple[Array, Array]],
) -> float:
    """The usual value if `step` replaces a block's inverse and the reversal after it."""
    z, log_det = case.x, np.zeros(case.batch)
    for block in blocks:
        z, own = step(block, z)
        log_det = log_det + own
    return usual(Walk(case, z, log_det))


def _forward(block: flow.TriangularMap, z: Array) -> tuple[Array, Array]:
    """The known map's own forward direction, as the experiment defines it, and the reversal."""
    return ((z - block.shift) / block.scale)[:, ::-1], np.log(block.scale).sum()


def _always_from_x(case: MafCase) -> float:
    """Every layer is given x; the last one, a reversal, leaves z."""
    total = sum((block.inverse(case.x)[1] for block in case.maps), np.zeros(case.batch))
    return usual(Walk(case, case.x[:, ::-1], total))


def _one_variable_at_a_time(block: flow.TriangularMap, z: Array) -> tuple[Array, Array]:
    """Each layer gets one variable at a time, the others at 0."""
    given = [block.inverse(z * (np.arange(z.shape[1]) == i)) for i in range(z.shape[1])]
    nothing = (z.shape[1] - 1) * block.inverse(np.zeros_like(z))[1]
    columns = [column[:, i] for i, (column, _) in enumerate(given)]
    return np.stack(columns, axis=1)[:, ::-1], sum(own for _, own in given) - nothing


def _base_after_every_layer(case: MafCase) -> float:
    """log N added after every layer, reversals included."""
    z, log_det, base = case.x, np.zeros(case.batch), np.zeros(case.batch)
    for block in case.maps:
        z, own = block.inverse(z)
        log_det = log_det + own
        # The layer after it reverses the columns, which leaves their sum as it is.
        base = base + 2 * log_normal(z).sum(axis=1)
        z = z[:, ::-1]
    return float((base + log_det).mean())


def _last_block_only(case: MafCase) -> Array:
    """The log-determinant of the last block."""
    x, log_det = case.x, np.zeros(case.batch)
    for block in case.maps:
        x, log_det = block.inverse(x)
        x = x[:, ::-1]
    return log_det


def _standardised(case: MafCase) -> float:
    """The batch shifted and scaled to mean 0 and standard deviation 1 first."""
    x = case.x
    x = (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)
    return float(flow.maf_log_prob(case.maps, x).mean())


WRONG: tuple[Wrong, ...] = (
    # ---- the pass through the blocks -----------------------------------------------------------
    _wrong(
        "maf-blocks-from-last-to-first",
        "Goes through the layers from last to first, as sample() does.",
        but(MAF_LOG_PROBS, (_BLOCKS, "for block in reversed(self.nf):")),
        hint="log_probs() goes through the layers from last to first. That is the order for "
        "sampling.",
        value=lambda case: _steps(
            case, reversed(case.maps), lambda block, z: block.inverse(z[:, ::-1])
        ),
    ),
    _wrong(
        "maf-calls-forward",
        "Calls forward() of the blocks.",
        but(MAF_LOG_PROBS, ("block.inverse(z)", "block.forward(z)")),
        hint="log_probs() calls forward() of the blocks, which maps noise to data.",
        value=lambda case: _steps(case, case.maps, _forward),
    ),
    _wrong(
        "maf-skips-reversals",
        "Uses the MADE blocks only.",
        but(MAF_LOG_PROBS, (_BLOCKS, "for block in [b for b in self.nf if isinstance(b, MADE)]:")),
        hint="log_probs() skips the layers between the blocks, which reverse the columns.",
        value=lambda case: _steps(case, case.maps, lambda block, z: block.inverse(z)),
    ),
    _wrong(
        "maf-always-from-x",
        "Passes x to every layer instead of the output of the layer before.",
        but(MAF_LOG_PROBS, ("block.inverse(z)", "block.inverse(x)")),
        hint="log_probs() passes x to every layer; each layer needs the output of the layer before "
        "it.",
        value=_always_from_x,
    ),
    _wrong(
        "maf-one-variable-at-a-time",
        "Calls every MADE with one variable at a time, and zeros in place of the others.",
        but(
            MAF_LOG_PROBS,
            (
                "    z, log_det = block.inverse(z)\n    total = total + log_det.view(-1)\n",
                """\
    if isinstance(block, MADE):
        columns = [z * F.one_hot(torch.tensor(i), z.shape[1]) for i in range(z.shape[1])]
        given = [block.inverse(column) for column in columns]
        nothing = block.inverse(torch.zeros_like(z))[1] * (z.shape[1] - 1)
        total = total + sum(log_det for _, log_det in given) - nothing
        z = torch.stack([column[:, i] for i, (column, _) in enumerate(given)], dim=1)
    else:
        z, _ = block.inverse(z)
""",
            ),
        ),
        hint="log_probs() calls each block with one variable at a time, but the variables depend "
        "on each other.",
        value=lambda case: _steps(case, case.maps, _one_variable_at_a_time),
    ),
    _wrong(
        "maf-half-of-the-layers",
        "Counts to n_flows, although nf has two layers for every block.",
        but(
            MAF_LOG_PROBS,
            (_BLOCKS, "for i in range(self.n_flows):"),
            ("block.inverse(z)", "self.nf[i].inverse(z)"),
        ),
        hint="log_probs() uses as many layers as there are blocks. Each block is followed by a "
        "layer that reverses the columns, so there are twice as many layers.",
        # A reversal at the end would leave the base density as it is.
        value=lambda case: flow.maf_log_prob(case.maps[: (case.n_flows + 1) // 2], case.x).mean(),
    ),
    _wrong(
        "maf-last-block-missing",
        "Stops before the last block.",
        but(MAF_LOG_PROBS, (_BLOCKS, "for block in self.nf[:-2]:")),
        hint="log_probs() stops before the last block.",
        value=lambda case: flow.maf_log_prob(case.maps[:-1], case.x).mean(),
    ),
    _wrong(
        "maf-first-block-missing",
        "Starts at the second block.",
        but(MAF_LOG_PROBS, (_BLOCKS, "for block in self.nf[2:]:")),
        hint="log_probs() skips the first block.",
        value=lambda case: flow.maf_log_prob(case.maps[1:], case.x).mean(),
    ),
    _wrong(
        "maf-first-layer-missing",
        "Starts at the second layer, the first reversal.",
        but(MAF_LOG_PROBS, (_BLOCKS, "for block in self.nf[1:]:")),
        hint="log_probs() skips the first layer, a block, but not the reversal after it.",
        value=lambda case: flow.maf_log_prob(case.maps[1:], case.x[:, ::-1]).mean(),
    ),
    _wrong(
        "maf-standardises-batch",
        "Standardises the batch first.",
        but(MAF_LOG_PROBS, ("z = x\n", "z = (x - x.mean(dim=0)) / x.std(dim=0)\n")),
        hint="log_probs() standardises the batch before the first block, so the density of an "
        "example depends on the other examples.",
        value=_standardised,
    ),
    _wrong(
        "maf-base-of-data",
        "Evaluates the base density at x instead of z.",
        but(MAF_LOG_PROBS, ("log_prob(z)", "log_prob(x)")),
        hint="log_probs() evaluates the log base density at the data; it must use the z that the "
        "last layer returns.",
        value=log_probs_of(lambda w: (log_normal(w.case.x).sum(axis=1) + w.log_det).mean()),
    ),
    _wrong(
        "maf-base-after-every-layer",
        "Adds the base density after every layer.",
        but(MAF_LOG_PROBS, (_ADD, f"{_ADD} + {_BASE}"), (_END, "total.mean()")),
        hint="log_probs() adds log p(z) after every layer; it must add it once, for the last z.",
        value=_base_after_every_layer,
    ),
    # ---- log-determinants ----------------------------------------------------------------------
    _wrong(
        "maf-no-log-det",
        "Leaves out the log-determinants.",
        but(MAF_LOG_PROBS, (_END, "base.mean()")),
        hint="log_probs() leaves out the log-determinants.",
        value=log_probs_of(lambda w: w.base.sum(axis=1).mean()),
    ),
    _wrong(
        "maf-minus-log-det",
        "Subtracts the log-determinants.",
        but(MAF_LOG_PROBS, (_END, "(base - total).mean()")),
        hint="log_probs() subtracts the log-determinants; it must add what inverse() returns.",
        value=log_probs_of(lambda w: (w.base.sum(axis=1) - w.log_det).mean()),
    ),
    _wrong(
        "maf-last-log-det",
        "Keeps only the log-determinant of the last MADE block.",
        but(MAF_LOG_PROBS, (_ADD, "total = log_det if isinstance(block, MADE) else total")),
        hint="log_probs() keeps only the log-determinant of the last block; it must add those of "
        "all blocks.",
        value=log_probs_of(lambda w: (w.base.sum(axis=1) + _last_block_only(w.case)).mean()),
    ),
    _wrong(
        "maf-overwrites-log-det",
        "Overwrites the log-determinant, so only the zeros of the last reversal remain.",
        but(MAF_LOG_PROBS, (_ADD, "total = log_det.view(-1)")),
        hint="log_probs() keeps only the log-determinant of the last layer, a reversal, which is "
        "0.",
        value=log_probs_of(lambda w: w.base.sum(axis=1).mean()),
    ),
    _wrong(
        "maf-log-det-summed-over-batch",
        "Averages the base density but sums the log-determinants over the batch.",
        but(MAF_LOG_PROBS, (_END, "base.mean() + total.sum()")),
        hint="log_probs() sums the log-determinants over the batch but averages log p(z).",
        value=log_probs_of(lambda w: w.base.sum(axis=1).mean() + w.log_det.sum()),
    ),
    _wrong(
        "maf-half-log-det",
        "Halves the log-determinants, as if alpha were the logarithm of a variance.",
        but(MAF_LOG_PROBS, (_END, "(base + 0.5 * total).mean()")),
        hint="log_probs() adds only half of the log-determinants.",
        value=log_probs_of(lambda w: (w.base.sum(axis=1) + 0.5 * w.log_det).mean()),
    ),
    _wrong(
        "maf-log-det-per-layer",
        "Divides the log-determinants by the number of blocks.",
        but(MAF_LOG_PROBS, (_END, "(base + total / self.n_flows).mean()")),
        hint="log_probs() averages the log-determinants over the blocks; it must add them.",
        value=log_probs_of(lambda w: (w.base.sum(axis=1) + w.log_det / w.case.n_flows).mean()),
    ),
)
