"""The typed client a check talks to: calls an experiment and checks the form of what came back.

Every array that a method returns has the shape that was asked for and is finite; anything else
has ended the check with a sentence that says what was returned instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.engine.judge.client import Outcome, PendingCall
from autograder.engine.judge.session import Caller
from autograder.engine.judge.verdicts import CheckFailed
from autograder.homework.oracles import flow, gan
from autograder.homework.oracles.flow import Array
from autograder.homework.strategies import N_CLASSES, GanCase, MadeCase, MafCase

FLOW_FILE = "codebase/flow_network.py"
GAN_FILE = "codebase/gan.py"
# Right losses take a second; one that is slow for honest reasons shall not fail for it.
TRAINING_TIMEOUT_S = 40.0
# Nine calls; only advice hangs on it.
DEVICE_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Forward:
    """What MADE.forward gave: x (B, D) and log_det (B,)."""

    x: Array
    log_det_or_failure: Array | CheckFailed

    @property
    def log_det(self) -> Array:
        """(B,); asked for on its own, so that its form costs only the checks that need it.

        Raises:
            CheckFailed: it has not the form of a log-determinant.
        """
        return _unless_failed(self.log_det_or_failure)


@dataclass(frozen=True)
class Inverse:
    """What MADE.inverse gave: z (B, D), log_det (B,), and what was asked for beside it."""

    z: Array
    log_det_or_failure: Array | CheckFailed
    input_after: Array
    jacobian: Array | None
    gradients: Mapping[str, Array]

    @property
    def log_det(self) -> Array:
        """(B,); asked for on its own, so that its form costs only the checks that need it.

        Raises:
            CheckFailed: it has not the form of a log-determinant.
        """
        return _unless_failed(self.log_det_or_failure)


@dataclass(frozen=True)
class LogProbs:
    """What MAF.log_probs gave: a number in nats, and its gradient by parameter name."""

    value: float
    gradients: Mapping[str, Array]


@dataclass(frozen=True)
class Call:
    """One call of a probe network: its input as rows, and its labels."""

    rows: Array
    labels: np.ndarray[Any, np.dtype[np.int64]] | None


@dataclass(frozen=True)
class GanLoss:
    """What a loss function gave, and all that the probe networks were given meanwhile."""

    value: float
    gradients: Mapping[str, Array]
    reached: bool
    g_calls: tuple[Call, ...]
    d_calls: tuple[Call, ...]


class Student:
    """The submission, as far as a check can reach it."""

    def __init__(self, caller: Caller, seed: int) -> None:
        self._caller = caller
        self.seed = seed

    # ---- problem 1 --------------------------------------------------------------------------

    def made_forward(self, case: MadeCase, z: Array | None = None) -> Forward:
        """Return what the student's MADE.forward gives for the case's z (or another one).

        Args:
            case: sizes and weights.
            z: noise in place of the case's own.
        """
        noise = case.z if z is None else z
        reply = self._caller.call(
            "made_forward",
            _made_sizes(case),
            {**made_arrays(case.weights), "z": _float32(noise)},
            seed=case.seed,
            needs=FLOW_FILE,
        )
        form = _Form(reply, "MADE.forward")
        form.pair("x and log_det")
        return Forward(form.array("x", noise.shape, "(B, D)"), form.log_det(len(noise)))

    def made_inverse(
        self,
        case: MadeCase,
        *,
        x: Array | None = None,
        jacobian: bool = False,
        cotangents: tuple[Array, Array] | None = None,
    ) -> Inverse:
        """Return what the student's MADE.inverse gives for the case's x (or another one).

        Args:
            case: sizes and weights.
            x: data in place of the case's own.
            jacobian: whether to ask for dz_i/dx_j, (B, D, D).
            cotangents: z_bar (B, D) and log_det_bar (B,), to ask for the parameters' gradients.
        """
        data = case.x if x is None else x
        arrays = {**made_arrays(case.weights), "x": _float32(data)}
        if cotangents is not None:
            arrays["z_bar"], arrays["log_det_bar"] = (_float32(bar) for bar in cotangents)
        reply = self._caller.call(
            "made_inverse",
            {**_made_sizes(case), "jacobian": jacobian},
            arrays,
            seed=case.seed,
            needs=FLOW_FILE,
        )
        form = _Form(reply, "MADE.inverse")
        form.pair("z and log_det")
        batch, size = data.shape
        return Inverse(
            z=form.array("z", data.shape, "(B, D)"),
            log_det_or_failure=form.log_det(batch),
            input_after=form.array("input_after", data.shape, "(B, D)"),
            jacobian=form.array("jacobian", (batch, size, size), "(B, D, D)") if jacobian else None,
            gradients=form.gradients(),
        )

    def log_probs(self, case: MafCase, blocks: tuple[flow.Block[Any], ...]) -> LogProbs:
        """Return the student's MAF.log_probs of the case's x, with these blocks for its MADEs."""
        reply = self._caller.call(
            "maf_log_probs",
            _maf_sizes(case),
            {**maf_arrays(blocks), "x": _float32(case.x)},
            seed=case.seed,
            needs=FLOW_FILE,
        )
        form = _Form(reply, "MAF.log_probs")
        return LogProbs(form.scalar("log_prob"), form.gradients())

    def log_probs_at_points(
        self, case: MafCase, blocks: tuple[flow.Block[Any], ...], points: Array
    ) -> Array:
        """Return log p (N,) at every one of N points (N, D), each asked for on its own."""
        reply = self._caller.call(
            "maf_log_probs_at_points",
            _maf_sizes(case),
            {**maf_arrays(blocks), "x": _float32(points)},
            seed=case.seed,
            needs=FLOW_FILE,
        )
        return _Form(reply, "MAF.log_probs").array("log_prob", (len(points),), "() per batch")

    # ---- problems 2, 4 and 5 ------------------------------------------------------------------

    def gan_loss(
        self,
        function: str,
        case: GanCase,
        *,
        critic: gan.Critic | gan.LinearCritic | None = None,
        images: bool = True,
        gradient: bool = True,
        seed: int | None = None,
    ) -> GanLoss:
        """Call a loss function of gan.py between the case's probe networks.

        Args:
            function: its name; whether it ends in "_g" or "_d" says which network it trains.
            case: networks, images, labels.
            critic: a discriminator in place of the case's own.
            images: whether to bring back the images that d was given.
            gradient: whether to bring back the gradient.
            seed: of the student's random numbers, in place of the case's.
        """
        form = _Form(
            self._caller.call(
                "gan_loss",
                {
                    "function": function,
                    "conditional": case.conditional,
                    "trains": function[-1],
                    "images": images,
                    "gradient": gradient,
                },
                gan_arrays(case, critic or case.critic),
                seed=case.seed if seed is None else seed,
                needs=GAN_FILE,
            ),
            function,
        )
        return GanLoss(
            value=form.scalar("loss"),
            gradients=form.gradients(),
            reached=form.values.get("reached") is True,
            g_calls=form.calls("g", case.dim_z, case.conditional),
            d_calls=form.calls("d", 784, case.conditional) if images else (),
        )

    def gan_loss_value(self, function: str, case: GanCase, critic: gan.LinearCritic) -> float:
        """Return a loss's value, which may be infinite or NaN."""
        reply = self._caller.call(
            "gan_loss",
            {
                "function": function,
                "conditional": case.conditional,
                "trains": function[-1],
                "images": False,
                "gradient": False,
            },
            gan_arrays(case, critic),
            seed=case.seed,
            needs=GAN_FILE,
        )
        return _Form(reply, function).scalar("loss", finite=False)

    def start_device_use(self) -> PendingCall:
        """Start to run every function on the meta device; `finish_device_use` has the end."""
        case = GanCase(3, 3, 1.0, True, 0)
        arrays = gan_arrays(case, case.critic)
        return self._caller.start(
            "on_meta_device", {}, arrays, seed=0, needs="", timeout_s=DEVICE_TIMEOUT_S
        )

    def finish_device_use(self, pending: PendingCall) -> dict[str, str]:
        """Say of every function how it went: fine, mixed, missing or other."""
        reply = self._caller.finish("on_meta_device", pending)
        return {str(name)[:80]: str(told)[:20] for name, told in reply.values.items()}

    def trained_gan(
        self,
        functions: list[str],
        images: Array,
        labels: np.ndarray[Any, np.dtype[np.int64]],
        weights: Mapping[str, Array],
        recipe: Mapping[str, float],
    ) -> dict[str, Array]:
        """Train the small networks with the student's d loss and g loss; return g's weights.

        Args:
            functions: names of the d loss and of the g loss.
            images: (N, 784).
            labels: (N,); used by the conditional losses only.
            weights: the first weights, named as the experiments know them.
            recipe: batch, steps and learning rates.
        """
        conditional = functions[0].startswith("conditional")
        arrays = {name: _float32(array) for name, array in weights.items()}
        arrays["x_train"] = _float32(images)
        if conditional:
            arrays["labels"] = labels
        reply = self._caller.call(
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
            timeout_s=TRAINING_TIMEOUT_S,
        )
        form = _Form(reply, "The training run")
        return {
            name: form.array(name, array.shape, str(array.shape))
            for name, array in weights.items()
            if name.startswith("g.")
        }


class _Form:
    """Checks the form of a reply and says in a sentence what is wrong with it."""

    def __init__(self, reply: Outcome, function: str) -> None:
        self._reply = reply
        self._function = function
        self.values = reply.values

    def pair(self, names: str) -> None:
        """Refuse a function that did not return two values."""
        if "returned" in self.values:
            raise CheckFailed(
                f"{self._function} must return two tensors, {names}; "
                f"it returned {_kind(self.values['returned'])}."
            )

    def array(self, name: str, shape: tuple[int, ...], meaning: str, finite: bool = True) -> Array:
        """Return a recorded tensor as float64."""
        told = self.values.get(name)
        found = self._reply.arrays.get(name)
        if not isinstance(told, dict) or told.get("kind") != "tensor" or found is None:
            raise CheckFailed(
                f"{self._function} must return {name} as a tensor of shape {meaning}; "
                f"it returned {_kind(told)}."
            )
        if found.shape != shape:
            raise CheckFailed(
                f"{self._function} returns {name} of shape {tuple(found.shape)}, "
                f"expected {tuple(shape)}, that is {meaning}."
            )
        if told.get("dtype") not in ("float32", "float64"):
            raise CheckFailed(
                f"{self._function} returns {name} with dtype {str(told.get('dtype'))[:20]}, "
                "expected float32."
            )
        if finite and not np.isfinite(found).all():
            raise CheckFailed(f"{self._function} returns {name} with NaN or infinite entries.")
        return found.astype(np.float64)

    def log_det(self, batch: int) -> Array | CheckFailed:
        """Return the recorded log_det (B,), or what is wrong with its form."""
        try:
            return self.array("log_det", (batch,), "(B,)")
        except CheckFailed as failure:
            return failure

    def scalar(self, name: str, finite: bool = True) -> float:
        """Return a recorded 0-d tensor as a float."""
        told = self.values.get(name)
        if isinstance(told, dict) and told.get("kind") == "number":
            raise CheckFailed(
                f"{self._function} returns a Python {str(told.get('type'))[:20]}; expected a 0-d "
                "tensor that gradients flow through."
            )
        if isinstance(told, dict) and told.get("kind") == "tensor":
            shape = told.get("shape")
            if shape != []:
                raise CheckFailed(
                    f"{self._function} returns a tensor of shape {_tuple(shape)}; expected one "
                    "number for the whole batch, a 0-d tensor."
                )
        return float(self.array(name, (), "() (one number)", finite))

    def gradients(self) -> dict[str, Array]:
        """Return the recorded gradients by parameter name; NaN in them is the check's to find."""
        return {
            name.removeprefix("grad."): array.astype(np.float64)
            for name, array in self._reply.arrays.items()
            if name.startswith("grad.")
        }

    def calls(self, network: str, width: int, conditional: bool) -> tuple[Call, ...]:
        """Return the recorded calls of a probe network, in their order."""
        unreadable = CheckFailed(f"{self._function}: the record of {network} is not readable.")
        sizes = self.values.get(f"{network}_calls")
        if not isinstance(sizes, list) or not all(type(n) is int and n >= 0 for n in sizes):
            raise unreadable
        if not sizes:
            return ()
        rows = self._reply.arrays.get(f"{network}.input")
        if rows is None or rows.shape != (sum(sizes), width):
            raise unreadable
        if not np.isfinite(rows).all():
            raise CheckFailed(f"{self._function} gives {network} NaN or infinite inputs.")
        ends = np.cumsum(sizes)[:-1]
        parts = np.split(rows.astype(np.float64), ends)
        if not conditional:
            return tuple(Call(part, None) for part in parts)
        labels = self._reply.arrays.get(f"{network}.labels")
        if labels is None or labels.shape != (sum(sizes),) or labels.dtype.kind != "i":
            raise unreadable
        if len(labels) and not 0 <= labels.min() <= labels.max() < N_CLASSES:
            raise unreadable
        return tuple(
            Call(part, label)
            for part, label in zip(parts, np.split(labels.astype(np.int64), ends), strict=True)
        )


def _unless_failed(found: Array | CheckFailed) -> Array:
    if isinstance(found, CheckFailed):
        raise found
    return found


def made_arrays(weights: flow.MadeWeights, block: int = 0) -> dict[str, Array]:
    """Name a MADE's weights as the experiments know them."""
    arrays: dict[str, Array] = {}
    for j, (weight, bias) in enumerate(weights.layers):
        arrays[f"block{block}.weight{j}"] = _float32(weight)
        arrays[f"block{block}.bias{j}"] = _float32(bias)
    return arrays


def maf_arrays(blocks: tuple[flow.Block[Any], ...]) -> dict[str, Array]:
    """Name the parameters of all blocks of a MAF as the experiments know them."""
    arrays: dict[str, Array] = {}
    for k, block in enumerate(blocks):
        if isinstance(block, flow.MadeWeights):
            arrays.update(made_arrays(block, k))
        elif isinstance(block, flow.ElementwiseMap):
            for name in ("scale", "bend", "shift"):
                arrays[f"block{k}.{name}"] = _float32(getattr(block, name))
    return arrays


def gan_arrays(case: GanCase, critic: gan.Critic | gan.LinearCritic) -> dict[str, Any]:
    """Name the parameters of the probe networks as the experiments know them."""
    generator = case.generator
    arrays: dict[str, Any] = {
        "g.weight": _float32(generator.weight),
        "g.bias": _float32(generator.bias),
        "x_real": _float32(case.x_real),
    }
    if case.conditional and generator.label_embedding is not None:
        arrays["g.label_embedding"] = _float32(generator.label_embedding)
        arrays["labels"] = case.labels
    if isinstance(critic, gan.Critic):
        for name in ("w1", "b1", "w2", "b2"):
            arrays[f"d.{name}"] = _float32(getattr(critic, name))
    else:
        classes = 10 if case.conditional else 1
        arrays["d.w2"] = _float32(np.tile(critic.w, (classes, 1)))
        arrays["d.b2"] = _float32(np.full(classes, critic.b))
    return arrays


def _made_sizes(case: MadeCase | MafCase) -> dict[str, int]:
    return {
        "input_size": case.input_size,
        "hidden_size": case.hidden_size,
        "n_hidden": case.n_hidden,
    }


def _maf_sizes(case: MafCase) -> dict[str, int]:
    return {**_made_sizes(case), "n_flows": case.n_flows}


def _float32(values: Any) -> Any:
    return np.asarray(values, dtype=np.float32)


def _tuple(shape: object) -> str:
    if isinstance(shape, list) and all(type(n) is int for n in shape) and len(shape) < 10:
        return str(tuple(shape))
    return "unknown"


def _kind(told: object) -> str:
    if not isinstance(told, dict):
        return "nothing"
    if told.get("kind") == "tensor":
        return f"one tensor of shape {_tuple(told.get('shape'))}"
    name = str(told.get("type"))[:40]
    return "None" if name == "NoneType" else f"a value of type {name}"
