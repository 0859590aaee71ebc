"""Experiments on problem 1: the student's MADE and MAF with weights from the judge.

Arrays named `block{k}.weight{j}` and `block{k}.bias{j}` are the linear layers of MADE block k, in
order. Gradients come back under the same names with `grad.` before them. With
`arguments["used"]` the network is in evaluation mode and was called before, on other inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from autograder.engine.sandbox.experiment import Misuse, Recorder, StudentCode
from autograder.homework.experiments.probes import Tensors

# The parameters of `known_map` and of `trainable_map`.
_MAP_PARAMETERS = ("scale", "bend", "shift", "lean")
_TRAINABLE_PARAMETERS = ("slope", "inner", "offset", "outer")

Arguments = Mapping[str, Any]


def made_forward(
    student: StudentCode, arguments: Arguments, tensors: Tensors, recorder: Recorder
) -> None:
    """Record `x`, `log_det` = forward(z), and the input after the call (`input_after`)."""
    made = build_made(student, arguments, tensors, 0)
    z = tensors["z"]
    if arguments["used"]:
        made.eval().forward(-z)
    _record_pair(made.forward(z), ("x", "log_det"), recorder)
    recorder.add("input_after", z)


def made_inverse(
    student: StudentCode, arguments: Arguments, tensors: Tensors, recorder: Recorder
) -> None:
    """Record `z`, `log_det` = inverse(x) and `input_after`; on request also derivatives.

    With `arguments["jacobian"]`: `jacobian` (B, D, D), dz_i/dx_j of every example. With the arrays
    `z_bar` (B, D) and `log_det_bar` (B,): the gradients of sum(z_bar * z) + sum(log_det_bar *
    log_det) with respect to every parameter.
    """
    made = build_made(student, arguments, tensors, 0)
    x = tensors["x"]
    wants_jacobian = bool(arguments.get("jacobian"))
    # A copy of the leaf: torch would refuse to change a leaf in place, and there is another check
    # for changed inputs.
    leaf = x.clone().requires_grad_(wants_jacobian)
    given = leaf.clone()
    if arguments["used"]:
        made.eval().inverse(-x)
    returned = made.inverse(given)
    z, log_det = _record_pair(returned, ("z", "log_det"), recorder)
    recorder.add("input_after", given)
    if wants_jacobian and z is not None and z.shape == x.shape:
        rows = [_gradients(z[:, i].sum(), [leaf])[0] for i in range(z.shape[1])]
        recorder.add("jacobian", torch.stack(rows, dim=1))
    if "z_bar" in tensors:
        # Values of another form are left out; they have their own check.
        scalar = torch.zeros(())
        if z is not None and z.shape == x.shape:
            scalar = scalar + (tensors["z_bar"] * z).sum()
        if log_det is not None and log_det.shape == x.shape[:1]:
            scalar = scalar + (tensors["log_det_bar"] * log_det).sum()
        _record_gradients(scalar, block_parameters(made, 0), recorder)


def maf_log_probs(
    student: StudentCode, arguments: Arguments, tensors: Tensors, recorder: Recorder
) -> None:
    """Record `log_prob` = log_probs(x) and its gradient with respect to every parameter."""
    maf, parameters = build_maf(student, arguments, tensors)
    if arguments["used"]:
        maf.eval().log_probs(-tensors["x"])
    log_prob = maf.log_probs(tensors["x"])
    recorder.add("log_prob", log_prob)
    if isinstance(log_prob, Tensor) and log_prob.dim() == 0:
        _record_gradients(log_prob, parameters, recorder)


def maf_log_probs_at_points(
    student: StudentCode, arguments: Arguments, tensors: Tensors, recorder: Recorder
) -> None:
    """Record `log_prob` (N,): for every n, log_probs of a batch with point n twice."""
    maf, _ = build_maf(student, arguments, tensors)
    values = []
    with torch.no_grad():
        for point in tensors["x"]:
            value = maf.log_probs(point.expand(2, -1).clone())
            if not isinstance(value, Tensor) or value.numel() != 1:
                recorder.add("log_prob", value)
                return
            values.append(value.reshape(()))
    recorder.add("log_prob", torch.stack(values))


def build_made(student: StudentCode, arguments: Arguments, tensors: Tensors, block: int) -> Any:
    """Return the student's MADE with the weights of one block."""
    sizes = [int(arguments[key]) for key in ("input_size", "hidden_size", "n_hidden")]
    made = student.attribute("flow_network", "MADE")(*sizes)
    load_weights(made, tensors, block)
    return made


def build_maf(
    student: StudentCode, arguments: Arguments, tensors: Tensors
) -> tuple[Any, dict[str, Tensor]]:
    """Return the student's MAF with the judge's weights, and its parameters by name.

    If the arrays contain `block{k}.scale` and so on, every MADE is replaced by `known_map`; if they
    contain `block{k}.slope` and so on, by `trainable_map`.
    """
    sizes = [int(arguments[key]) for key in ("input_size", "hidden_size", "n_hidden", "n_flows")]
    maf = student.attribute("flow_network", "MAF")(*sizes)
    made_class = student.attribute("flow_network", "MADE")
    places = [i for i, layer in enumerate(maf.nf) if isinstance(layer, made_class)]
    if len(places) != sizes[3]:
        raise Misuse(f"MAF.nf has {len(places)} MADE blocks, expected n_flows = {sizes[3]}")
    parameters: dict[str, Tensor] = {}
    for block, place in enumerate(places):
        if f"block{block}.scale" in tensors:
            names, known = _MAP_PARAMETERS, known_map(made_class, tensors, block)
        elif f"block{block}.slope" in tensors:
            names, known = _TRAINABLE_PARAMETERS, trainable_map(made_class, tensors, block)
        else:
            load_weights(maf.nf[place], tensors, block)
            parameters.update(block_parameters(maf.nf[place], block))
            continue
        maf.nf[place] = known
        parameters.update({f"block{block}.{name}": getattr(known, name) for name in names})
    return maf, parameters


def known_map(made_class: type[nn.Module], tensors: Tensors, block: int) -> nn.Module:
    """Return a stand-in for a MADE whose inverse is known.

    z_i = scale_i x_i + bend_i tanh(x_i) + shift_i + lean_i tanh(x_{i-1}): variables depend on
    others, as in a MADE. It is a subclass of the student's class, so that `isinstance` is still
    true, and reveals nothing about MADE.inverse. Its `forward` is another map altogether, which
    log_probs must not use.
    """

    class KnownMap(made_class):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            nn.Module.__init__(self)
            self.scale = nn.Parameter(tensors[f"block{block}.scale"].clone())
            self.bend = nn.Parameter(tensors[f"block{block}.bend"].clone())
            self.shift = nn.Parameter(tensors[f"block{block}.shift"].clone())
            self.lean = nn.Parameter(tensors[f"block{block}.lean"].clone())
            self.input_size = self.scale.shape[0]

        def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
            bent = torch.tanh(x)
            before = nn.functional.pad(self.lean * bent[:, :-1], (1, 0))
            z = self.scale * x + self.bend * bent + self.shift + before
            slope = self.scale + self.bend * (1 - bent**2)
            return z, torch.log(slope).sum(dim=1)

        def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
            return (z - self.shift) / self.scale, torch.log(self.scale).sum().expand(z.shape[0])

    return KnownMap()


def trainable_map(made_class: type[nn.Module], tensors: Tensors, block: int) -> nn.Module:
    """Return a stand-in for a MADE that can learn a density; like `known_map`, but flexible.

    z_i = softplus(slope_i) x_i + sum_k r_ik tanh(inner_ik . x + offset_ik). A unit sees the
    variables before x_i; the first half of the units also sees x_i, through the weight w_ik. For
    these, r_ik = w_ik outer_ik^2, so that z_i increases with x_i; for the others r_ik = outer_ik.
    """

    class TrainableMap(made_class):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            nn.Module.__init__(self)
            self.slope = nn.Parameter(tensors[f"block{block}.slope"].clone())  # (D,)
            self.inner = nn.Parameter(tensors[f"block{block}.inner"].clone())  # (D, K, D)
            self.offset = nn.Parameter(tensors[f"block{block}.offset"].clone())  # (D, K)
            self.outer = nn.Parameter(tensors[f"block{block}.outer"].clone())  # (D, K)
            self.input_size, units = self.offset.shape
            self.increasing = torch.arange(units) < units // 2  # (K,)
            before = torch.ones(self.input_size, self.input_size).tril(-1)
            own = torch.eye(self.input_size)[:, None, :] * self.increasing[:, None]
            self.sees = before[:, None, :] + own  # (D, K, D)

        def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
            inner = self.inner * self.sees
            own = inner.diagonal(dim1=0, dim2=2).T  # (D, K)
            outer = torch.where(self.increasing, own * self.outer**2, self.outer)
            units = nn.functional.linear(x, inner.flatten(0, 1), self.offset.flatten())
            bent = torch.tanh(units).view(-1, *self.offset.shape)  # (B, D, K)
            least = nn.functional.softplus(self.slope)
            z = least * x + (outer * bent).sum(dim=2)
            steepness = least + (own * outer * (1 - bent**2)).sum(dim=2)
            return z, torch.log(steepness).sum(dim=1)

        def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
            least = nn.functional.softplus(self.slope)
            return z / least, torch.log(least).sum().expand(z.shape[0])

    return TrainableMap()


def load_weights(made: nn.Module, tensors: Tensors, block: int) -> None:
    """Copy one block's weights into a MADE's linear layers.

    Raises:
        Misuse: the layers are not the template's.
    """
    with torch.no_grad():
        for name, parameter in block_parameters(made, block).items():
            if name not in tensors or tensors[name].shape != parameter.shape:
                raise Misuse(
                    "MADE.net does not have the linear layers of the template; leave "
                    "MADE.__init__ as it was given"
                )
            parameter.copy_(tensors[name])


def block_parameters(made: nn.Module, block: int) -> dict[str, Tensor]:
    """Return the parameters of a MADE's linear layers under the judge's names."""
    net = getattr(made, "net", None)
    layers: Iterable[nn.Module] = net.modules() if isinstance(net, nn.Module) else ()
    parameters: dict[str, Tensor] = {}
    for j, layer in enumerate(layer for layer in layers if isinstance(layer, nn.Linear)):
        parameters[f"block{block}.weight{j}"] = layer.weight
        parameters[f"block{block}.bias{j}"] = layer.bias
    if not parameters:
        raise Misuse("MADE.net has no linear layers; leave MADE.__init__ as it was given")
    return parameters


def _record_pair(
    returned: object, names: tuple[str, str], recorder: Recorder
) -> tuple[Tensor | None, Tensor | None]:
    """Record the two values that a MADE returns; return those that are tensors."""
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        recorder.add("returned", returned)
        return None, None
    first, second = returned
    recorder.add(names[0], first)
    recorder.add(names[1], second)
    return (
        first if isinstance(first, Tensor) else None,
        second if isinstance(second, Tensor) else None,
    )


def _record_gradients(scalar: Tensor, parameters: dict[str, Tensor], recorder: Recorder) -> None:
    gradients = _gradients(scalar, list(parameters.values()))
    for name, gradient in zip(parameters, gradients, strict=True):
        recorder.add(f"grad.{name}", gradient)


def _gradients(scalar: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    """Return the gradients; zeros where the scalar does not depend on an input."""
    if not scalar.requires_grad:
        return [torch.zeros_like(tensor) for tensor in inputs]
    gradients = torch.autograd.grad(scalar, inputs, retain_graph=True, allow_unused=True)
    return [
        torch.zeros_like(tensor) if gradient is None else gradient
        for tensor, gradient in zip(inputs, gradients, strict=True)
    ]
