"""The flow's training run, judged by the weights it returns, never by a reported number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from autograder.engine.homework import Homework
from autograder.engine.judge.calls import Call, Caller, PendingCall
from autograder.engine.judge.exceptions import CheckFailed, CheckStopped
from autograder.engine.sandbox import frames
from autograder.homework.oracles import flow
from autograder.homework.oracles.moons import standardised_split
from autograder.homework.problems.arrays import maf_arrays
from autograder.homework.problems.flow_parameters import Array
from autograder.homework.student import FLOW_FILE
from autograder.homework.training_runs import start
from autograder.homework.training_runs.run import Run

# Data, initial weights and order of batches do not follow the assignment's seed. With this one,
# correct solutions are steady (-1.206 nats, deviation 0.006, the worst of 50 orders at -1.219, by
# `python -m benchmarks.training --runs 50`), and it helps nobody to know them.
SEED = 236
# A correct solution that had bad luck ends just below the threshold, or meets NaN: it is run again
# with another order of the batches. One that is further off is not.
# With the first one, the reference reaches -1.20 nats.
ORDERS = (SEED + 6, SEED + 2, SEED + 1, SEED + 5)
_BAD_LUCK = 0.25
# The moons' own density gives about -1.13 nats: no flow can be better.
_IMPOSSIBLE = -1.05
_MAX_WEIGHT = 1e3  # trained ones stay below 20; far above, rounding errors dominate
RECIPE = {
    **start.SIZES,
    "batch": 180,
    "epochs": 1,
    "peak_learning_rate": 6e-3,
    # A second moment with a short memory: with Adam's usual 0.999 the average result is the same,
    # but the spread is more than twice as wide, and some runs end far below.
    "betas": [0.9, 0.95],
    "average_decay": 0.9,
    "clip_norm": 1.0,
}
# The same run with known maps in place of the MADE blocks, and with the same thresholds: correct
# solutions reach -1.201 nats with a deviation of 0.005 (fifty orders, the worst at -1.212, by
# `python -m benchmarks.training --runs 50 --known-blocks`). The catalogue's incorrect log_probs
# reach -1.375 at most, except those that only rescale or shift the correct one or average over
# chunks.
KNOWN_RECIPE = {**RECIPE, "n_flows": start.KNOWN_FLOWS, "peak_learning_rate": 2e-2}


@dataclass(frozen=True)
class Setup:
    """The inputs of a run.

    Args:
        recipe: the arguments of the experiment.
        blocks: the initial weights.
        functions: the student's functions that it runs.
    """

    recipe: Mapping[str, Any]
    blocks: Sequence[flow.MadeWeights | flow.TrainableMap]
    functions: tuple[str, ...]


OWN = Setup(
    RECIPE,
    start.disturbed(start.trained(), np.random.default_rng(SEED)),
    ("train_flow", "maf_log_probs", "made_inverse"),
)
KNOWN = Setup(
    KNOWN_RECIPE,
    start.disturbed_maps(start.trained_maps(), np.random.default_rng(SEED)),
    ("train_flow_with_known_blocks", "maf_log_probs"),
)


def weights_of(
    arrays: Mapping[str, frames.Array], sent: Sequence[flow.MadeWeights | flow.TrainableMap]
) -> list[flow.MadeWeights | flow.TrainableMap]:
    """Read the blocks' weights from a reply.

    Raises:
        CheckFailed: one is missing, has another shape, or is huge.
    """
    weights: dict[str, Array] = {}
    for name, first in maf_arrays(sent).items():
        array = arrays.get(name)
        if array is None or array.shape != first.shape:
            raise CheckFailed(
                "The training run does not return the flow's weights in their original shapes."
            )
        if not np.abs(array).max() <= _MAX_WEIGHT:
            raise CheckFailed(
                f"The training run left weights with absolute values above {_MAX_WEIGHT:g}."
            )
        weights[name] = array.astype(np.float64)
    return [_with_weights(block, k, weights) for k, block in enumerate(sent)]


def _with_weights(
    block: flow.MadeWeights | flow.TrainableMap, k: int, weights: Mapping[str, Array]
) -> flow.MadeWeights | flow.TrainableMap:
    if isinstance(block, flow.MadeWeights):
        layers = range(len(block.layers))
        return flow.MadeWeights(
            tuple((weights[f"block{k}.weight{j}"], weights[f"block{k}.bias{j}"]) for j in layers)
        )
    return flow.TrainableMap(
        **{field.name: weights[f"block{k}.{field.name}"] for field in fields(block)}
    )


def held_out_mean(blocks: Sequence[flow.Invertible], held_out: frames.Array) -> float:
    """Return the mean log p, in nats, of held-out points (N, 2); it may be NaN or infinite."""
    with np.errstate(all="ignore"):
        return float(flow.maf_log_prob(blocks, held_out.astype(np.float64)).mean())


@dataclass(frozen=True)
class Trained:
    """The result of a run.

    Args:
        log_likelihood: the mean log p, in nats, of 3,000 held-out points under the trained weights.
        with_known_blocks: whether known maps replaced the student's MADE blocks.
    """

    log_likelihood: float
    with_known_blocks: bool


class FlowTraining(Run):
    """The run with the student's MADE blocks and, if needed, one with known maps.

    Only the first starts in the background. If it ends badly and MADE.inverse is incorrect, that
    mistake has already cost its points in 1.2: a second run has known maps in place of the blocks,
    so that only log_probs decides.

    Args:
        caller: of a separate worker.
        assignment: the settings.
        inverse_is_right: whether MADE.inverse passed its checks; called when a run has ended.
    """

    def __init__(
        self, caller: Caller, homework: Homework, inverse_is_right: Callable[[], bool]
    ) -> None:
        super().__init__(caller)
        self._timeout_s = homework.sections["training"]["timeout_s"]
        self._enough = homework.sections["training"]["full_log_likelihood"]
        self._inverse_is_right = inverse_is_right
        self._train, _, self._held_out = standardised_split(SEED)

    def _begin(self) -> PendingCall:
        return self._start(OWN, ORDERS[0])

    def _start(self, setup: Setup, order_seed: int) -> PendingCall:
        return self._caller.start(
            Call(
                "train_flow",
                {**setup.recipe, "order_seed": order_seed},
                {**maf_arrays(setup.blocks), "x_train": self._train},
                seed=SEED,
                needs=FLOW_FILE,
                functions=setup.functions,
                timeout_s=self._timeout_s,
            )
        )

    @cached_property
    def result(self) -> Trained:
        """The better of the runs.

        Raises:
            CheckFailed: the last run raised, ended with NaN, or sent something else.
            CheckStopped: it was not attempted, hung or died.
        """
        own: Trained | None = None
        try:
            own = self._reached(OWN, self._take())
        except (CheckFailed, CheckStopped):
            if self._inverse_is_right():
                raise
        if own is not None and (own.log_likelihood >= self._enough or self._inverse_is_right()):
            return own
        self.close()  # the second run needs a fresh worker
        try:
            known = self._reached(KNOWN, self._start(KNOWN, ORDERS[0]))
        except (CheckFailed, CheckStopped):
            if own is None:
                raise
            return own
        if own is not None and own.log_likelihood > known.log_likelihood:
            return own
        return known

    def _reached(self, setup: Setup, pending: PendingCall) -> Trained:
        """Return the best of a run and, after bad luck, of its repetitions."""
        value = self._finish(setup, pending)
        for order in ORDERS[1:]:
            if value is not None and not self._enough - _BAD_LUCK < value < self._enough:
                break
            again = self._finish(setup, self._start(setup, order))
            value = max((v for v in (value, again) if v is not None), default=None)
        if value is None:
            raise CheckFailed(
                "The training run was stopped: it met NaN or infinite values again and again."
            )
        return Trained(value, setup is KNOWN)

    def _finish(self, setup: Setup, pending: PendingCall) -> float | None:
        """Return the log-likelihood that a run reached; None if it gave up."""
        reply = self._caller.finish(pending)
        if reply.values.get("gave_up_at_step") is not None:
            return None
        value = held_out_mean(weights_of(reply.arrays, setup.blocks), self._held_out)
        if not np.isfinite(value):
            raise CheckFailed(
                "The trained flow gives held-out points a likelihood that is not finite."
            )
        if value > _IMPOSSIBLE:
            raise CheckFailed(
                f"The trained flow reaches {value:.3g} nats per held-out point. That is "
                "impossible: the data's own density gives about -1.13."
            )
        return value
