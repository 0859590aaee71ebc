"""Typed calls of the student's functions: run an experiment and check the form of its reply.

Every array that a method returns has the expected shape and is finite. Any other reply ends the
check with a sentence on what was returned instead.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from autograder.engine.judge.calls import Call, Caller, Outcome, PendingCall, import_of
from autograder.engine.judge.exceptions import CheckFailed
from autograder.engine.judge.reply import split_reply
from autograder.homework.kept_replies import KeptReplies
from autograder.homework.problems.arrays import (
    Block,
    GanProblem,
    MadeProblem,
    MafProblem,
    float32,
    gan_arrays,
    made_arrays,
    made_sizes,
    maf_arrays,
    maf_sizes,
)
from autograder.homework.problems.gan_case import GanCase
from autograder.homework.problems.probe_networks import Array, Critic, LinearCritic
from autograder.homework.reply import Form, NetworkCall

FLOW_FILE = "codebase/flow_network.py"
GAN_FILE = "codebase/gan.py"
# Correct losses take a second; one that is slow for honest reasons, 0.2 s a call, must not fail.
TRAINING_TIMEOUT_S = 80.0
# One call evaluates the grid's points one by one.
GRID_TIMEOUT_S = 30.0
# Real, fake and mixed images, each given to a network a few times: rows per image of the batch.
_MOST_ROWS = 16
# For nine calls; only advice depends on it.
DEVICE_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class _WithLogDet:
    """A log-determinant (B,) or what is wrong with its form."""

    log_det_or_failure: Array | CheckFailed

    @property
    def log_det(self) -> Array:
        """(B,). Its form is only checked here, so it costs only the checks that use it.

        Raises:
            CheckFailed: it has not the form of a log-determinant.
        """
        if isinstance(self.log_det_or_failure, CheckFailed):
            raise self.log_det_or_failure
        return self.log_det_or_failure


@dataclass(frozen=True)
class Forward(_WithLogDet):
    """The return values of MADE.forward: x (B, D) and log_det (B,)."""

    x: Array


@dataclass(frozen=True)
class Inverse(_WithLogDet):
    """The return values of MADE.inverse, z (B, D) and log_det (B,), and requested derivatives."""

    z: Array
    input_after: Array
    jacobian: Array | None
    gradients: Mapping[str, Array]


@dataclass(frozen=True)
class LogProbs:
    """The value of MAF.log_probs, in nats, and its gradient by parameter name."""

    value: float
    gradients: Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class LossRecord:
    """The result of one call of a loss, and the inputs of the probe networks during it.

    Args:
        value: the loss.
        gradients: by parameter of the network that it trains.
        reached: whether any gradient arrived there.
        next_random: the numbers that torch would have drawn next.
        g_calls: the calls of g, in order.
        d_calls: the calls of d, in order.
    """

    value: float
    gradients: Mapping[str, Array]
    reached: bool
    next_random: tuple[float, ...]
    g_calls: tuple[NetworkCall, ...]
    d_calls: tuple[NetworkCall, ...]


class Student:
    """The submission, as checks see it.

    Args:
        caller: calls experiments for this check.
        seed: the assignment's.
        kept: replies to earlier checks of the submission.
    """

    def __init__(self, caller: Caller, seed: int, kept: KeptReplies | None = None) -> None:
        self._caller = caller
        self.seed = seed
        self._kept = kept or KeptReplies()

    def unseen(self) -> AbstractContextManager[None]:
        """Hide what the submission prints in calls that only explain a failure."""
        return self._caller.unseen()

    def import_file(self, file: str) -> None:
        """Import a file of the submission, such as "codebase/gan.py"; raises as its calls do."""
        self._caller.call(import_of(file))

    def _reply(self, function: str, call: Call, question: Hashable) -> Outcome:
        """Call a function, unless the same question (None: one of its own) was asked before."""
        if question is None:
            return self._caller.call(call)
        ask = partial(self._caller.call, call)
        return self._kept.answer(function, question, ask, lambda reply: reply)

    # ---- problem 1 --------------------------------------------------------------------------

    def made_forward(self, case: MadeProblem, z: Array | None = None) -> Forward:
        """Call the student's MADE.forward.

        Args:
            case: sizes and weights.
            z: noise; the case's own by default.
        """
        noise = case.z if z is None else z
        call = Call(
            "made_forward",
            made_sizes(case),
            {**made_arrays(case.weights), "z": float32(noise)},
            seed=case.seed,
            needs=FLOW_FILE,
        )
        form = Form(
            self._reply("MADE.forward", call, (case,) if z is None else None), "MADE.forward"
        )
        form.several(("x", "log_det"))
        x = form.array("x", noise.shape, "(B, D)")
        return Forward(log_det_or_failure=form.log_det(len(noise)), x=x)

    def made_inverse(
        self,
        case: MadeProblem,
        *,
        x: Array | None = None,
        jacobian: bool = False,
        cotangents: tuple[Array, Array] | None = None,
    ) -> Inverse:
        """Call the student's MADE.inverse.

        Args:
            case: sizes and weights.
            x: data; the case's own by default.
            jacobian: whether to compute dz_i/dx_j, (B, D, D).
            cotangents: z_bar (B, D) and log_det_bar (B,), to compute the parameters' gradients.
        """
        data = case.x if x is None else x
        arrays = {**made_arrays(case.weights), "x": float32(data)}
        if cotangents is not None:
            arrays["z_bar"], arrays["log_det_bar"] = (float32(bar) for bar in cotangents)
        call = Call(
            "made_inverse",
            {**made_sizes(case), "jacobian": jacobian},
            arrays,
            seed=case.seed,
            needs=FLOW_FILE,
        )
        question = (case, jacobian) if x is None and cotangents is None else None
        form = Form(self._reply("MADE.inverse", call, question), "MADE.inverse")
        form.several(("z", "log_det"))
        batch, size = data.shape
        return Inverse(
            z=form.array("z", data.shape, "(B, D)"),
            log_det_or_failure=form.log_det(batch),
            input_after=form.array("input_after", data.shape, "(B, D)"),
            jacobian=form.array("jacobian", (batch, size, size), "(B, D, D)") if jacobian else None,
            gradients=form.gradients(),
        )

    def log_probs(self, case: MafProblem, blocks: Sequence[Block]) -> LogProbs:
        """Call the student's MAF.log_probs on the case's x, with these blocks for its MADEs."""
        call = Call(
            "maf_log_probs",
            maf_sizes(case),
            {**maf_arrays(blocks), "x": float32(case.x)},
            seed=case.seed,
            needs=FLOW_FILE,
        )
        form = Form(self._reply("MAF.log_probs", call, (case, tuple(blocks))), "MAF.log_probs")
        return LogProbs(form.scalar("log_prob"), form.gradients())

    def log_probs_at_points(
        self, case: MafProblem, blocks: Sequence[Block], points: Array
    ) -> Array:
        """Return log p (N,) at N points (N, D), from one call of MAF.log_probs per point."""
        reply = self._caller.call(
            Call(
                "maf_log_probs_at_points",
                maf_sizes(case),
                {**maf_arrays(blocks), "x": float32(points)},
                seed=case.seed,
                needs=FLOW_FILE,
                functions=["maf_log_probs"],
                timeout_s=GRID_TIMEOUT_S,
            )
        )
        return Form(reply, "MAF.log_probs").array("log_prob", (len(points),), "() per batch")

    # ---- problems 2, 4 and 5 ------------------------------------------------------------------

    def gan_loss(self, function: str, case: GanProblem, *, images: bool = True) -> LossRecord:
        """Call a loss function of gan.py between the case's probe networks.

        Args:
            function: its name; the end, "_g" or "_d", says which network it trains.
            case: networks, images, labels.
            images: whether to record the images that d was given.
        """
        call = _call_of_loss(function, case, case.critic, [case.seed], images=images, gradient=True)

        def read(reply: Outcome) -> LossRecord:
            return _loss_record(function, case, *split_reply(reply, 1), images=images)

        ask = partial(self._caller.call, call)
        return self._kept.answer(function, (case, images), ask, read)

    def gan_losses(
        self, function: str, case: GanProblem, seeds: Sequence[int], *, images: bool
    ) -> list[LossRecord]:
        """Call a loss once with every seed of its random numbers, without gradients.

        All calls are one request, with the time limit of one call.
        """
        call = _call_of_loss(function, case, case.critic, seeds, images=images, gradient=False)
        replies = split_reply(self._caller.call(call), len(seeds))
        return [_loss_record(function, case, reply, images=images) for reply in replies]

    def gan_loss_value(self, function: str, case: GanProblem, critic: LinearCritic) -> float:
        """Return a loss's value with another critic; it may be infinite or NaN."""
        call = _call_of_loss(function, case, critic, [case.seed], images=False, gradient=False)
        (reply,) = split_reply(self._caller.call(call), 1)
        return Form(reply, function).scalar("loss", finite=False)

    def start_device_use(self, functions: Sequence[str]) -> PendingCall:
        """Start to run these functions on a simulated GPU."""
        case = GanCase(3, 3, 1.0, True, 0)
        arrays = gan_arrays(case, case.critic)
        arguments = {"functions": list(functions)}
        return self._caller.start(
            Call(
                "on_simulated_gpu", arguments, arrays, seed=0, needs="", timeout_s=DEVICE_TIMEOUT_S
            )
        )

    def finish_device_use(self, pending: PendingCall) -> dict[str, str]:
        """Return the outcome of every function: fine, mixed, missing or other."""
        reply = self._caller.finish(pending)
        return {str(name)[:80]: str(outcome)[:20] for name, outcome in reply.values.items()}

    def start_gan_training(
        self,
        functions: tuple[str, str],
        images: Array,
        labels: np.ndarray[Any, np.dtype[np.int64]],
        weights: Mapping[str, Array],
        recipe: Mapping[str, float],
    ) -> PendingCall:
        """Start to train the small networks.

        Args:
            functions: names of the d loss and of the g loss.
            images: (N, 784).
            labels: (N,); used by the conditional losses only.
            weights: the initial weights, under the experiments' names.
            recipe: batch, steps and learning rates.
        """
        conditional = functions[0].startswith("conditional")
        arrays = {name: float32(array) for name, array in weights.items()}
        arrays["x_train"] = float32(images)
        if conditional:
            arrays["labels"] = labels
        return self._caller.start(
            Call(
                "train_gan",
                {
                    **recipe,
                    "d_function": functions[0],
                    "g_function": functions[1],
                    "conditional": conditional,
                    "order_seed": self.seed,
                },
                arrays,
                seed=self.seed,
                needs=GAN_FILE,
                functions=functions,
                timeout_s=TRAINING_TIMEOUT_S,
            )
        )

    def finish_gan_training(
        self, pending: PendingCall, weights: Mapping[str, Array]
    ) -> dict[str, Array]:
        """Return the trained generator's weights, of the shapes that were sent."""
        form = Form(self._caller.finish(pending), "The training run")
        return {
            name: form.array(name, array.shape, str(array.shape))
            for name, array in weights.items()
            if name.startswith("g.")
        }


def _call_of_loss(
    function: str,
    case: GanProblem,
    critic: Critic | LinearCritic,
    seeds: Sequence[int],
    *,
    images: bool,
    gradient: bool,
) -> Call:
    return Call(
        "gan_losses",
        {
            "function": function,
            "seeds": list(seeds),
            "conditional": case.conditional,
            "trains": function[-1],
            "images": images,
            "gradient": gradient,
        },
        gan_arrays(case, critic),
        seed=case.seed,
        needs=GAN_FILE,
        functions=[function],
        times=len(seeds),
    )


def _loss_record(function: str, case: GanProblem, reply: Outcome, *, images: bool) -> LossRecord:
    form = Form(reply, function)
    most_rows = _MOST_ROWS * (len(case.x_real) + 1)
    return LossRecord(
        value=form.scalar("loss"),
        gradients=form.gradients(),
        reached=form.values.get("reached") is True,
        next_random=form.numbers("next_random"),
        g_calls=form.calls("g", case.dim_z, case.conditional, most_rows),
        d_calls=form.calls("d", 784, case.conditional, most_rows) if images else (),
    )
