"""Short training runs with the student's code in our own loop, from weights of the judge."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from autograder.engine.sandbox.experiment import Misuse, Recorder, StudentCode
from autograder.homework.experiments.background import TookTooLong, at_most, lower_priority
from autograder.homework.experiments.batches import explain_by_batch
from autograder.homework.experiments.flow import build_maf
from autograder.homework.experiments.probes import (
    IMAGE,
    StandIn,
    Tensors,
    bits,
    changed_parameters,
    of_label,
    rows_of,
)

_MAX_RESCUES = 20
# A run makes hundreds of calls within 80 s or 150 s; with calls as slow as this it cannot end.
_LONGEST_CALL_S = 6


class FlatAdam:
    """Adam (arXiv:1412.6980) over one flat copy of all parameters.

    torch.optim would first import its compiler, which takes more than a tenth of a whole grading.
    This is its update, with the norm and the average of the weights at little cost.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], betas: tuple[float, float] = (0.9, 0.999)
    ) -> None:
        self.parameters = list(parameters)
        with torch.no_grad():
            self.flat = torch.cat([p.reshape(-1) for p in self.parameters])
        self._gradient = torch.zeros_like(self.flat)
        self._first = torch.zeros_like(self.flat)
        self._second = torch.zeros_like(self.flat)
        self._betas = betas
        self._steps = 0
        self._homes: list[Tensor] = []  # the memory of the parameters' values
        self._views = []
        start = 0
        for parameter in self.parameters:
            end = start + parameter.numel()
            parameter.data = self.flat[start:end].view_as(parameter)
            self._homes.append(parameter.data)
            self._views.append(self._gradient[start:end].view_as(parameter))
            start = end

    def zero_gradient(self) -> None:
        """Set the gradients to zero; new ones accumulate in the flat one."""
        self._gradient.zero_()
        for parameter, view in zip(self.parameters, self._views, strict=True):
            parameter.grad = view

    def gradient_norm(self) -> float:
        """The Euclidean norm of the whole gradient."""
        for parameter, home in zip(self.parameters, self._homes, strict=True):
            if parameter.data_ptr() != home.data_ptr():  # `net.double()` and back moved it
                home.copy_(parameter.data)
                parameter.data = home
        for parameter, view in zip(self.parameters, self._views, strict=True):
            if parameter.grad is not view:  # `net.zero_grad()` within a loss puts None in its place
                with torch.no_grad():
                    view.zero_() if parameter.grad is None else view.copy_(parameter.grad)
        return float(torch.linalg.vector_norm(self._gradient))

    @torch.no_grad()
    def step(self, learning_rate: float, scale: float = 1.0) -> None:
        """Update the parameters with `scale` times the gradient."""
        self._steps += 1
        beta1, beta2 = self._betas
        gradient = self._gradient * scale
        self._first.lerp_(gradient, 1 - beta1)
        self._second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = (self._second / (1 - beta2**self._steps)).sqrt_().add_(1e-8)
        self.flat.addcdiv_(self._first, root, value=-learning_rate / (1 - beta1**self._steps))

    @torch.no_grad()
    def go_back_to(self, weights: Tensor) -> None:
        """Go back to these weights and forget the direction; the step size stays adapted."""
        self.flat.copy_(weights)
        self._first.zero_()


def one_cycle(progress: float, peak: float, warm_up: float = 0.25) -> float:
    """The learning rate at `progress` in [0, 1]: cosine up to `peak`, cosine down to almost 0."""
    if progress < warm_up:
        return peak * (0.04 + 0.96 * (1 - math.cos(math.pi * progress / warm_up)) / 2)
    return peak * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up))) / 2 + 1e-6


def train_flow(
    student: StudentCode, arguments: Mapping[str, Any], tensors: Tensors, recorder: Recorder
) -> None:
    """Minimise -log_probs of the student's MAF on `x_train` (N, 2); record the weights.

    The weights are averaged over the last part of the run and have the names they were sent with.
    If a loss or gradient is not finite, the run continues from the average so far, so that bad luck
    alone cannot end it.
    """
    # With validation, a NaN inside `base_dist.log_prob` would raise instead of being returned.
    torch.distributions.Distribution.set_default_validate_args(False)
    lower_priority(student)
    maf, parameters = build_maf(student, arguments, tensors)
    data = tensors["x_train"]
    batch, epochs = int(arguments["batch"]), int(arguments["epochs"])
    clip = float(arguments["clip_norm"])
    peak, decay = float(arguments["peak_learning_rate"]), float(arguments["average_decay"])
    beta1, beta2 = (float(beta) for beta in arguments["betas"])
    optimiser = FlatAdam(
        (p for p in parameters.values() if isinstance(p, nn.Parameter)), betas=(beta1, beta2)
    )
    average = optimiser.flat.clone()
    generator = torch.Generator().manual_seed(int(arguments["order_seed"]))
    steps_per_epoch = len(data) // batch
    total, done, rescues = epochs * steps_per_epoch, 0, 0
    for _ in range(epochs):
        order = torch.randperm(len(data), generator=generator)
        for i in range(steps_per_epoch):
            optimiser.zero_gradient()
            try:
                with at_most(_LONGEST_CALL_S * student.speed):
                    log_prob = maf.log_probs(data[order[i * batch : (i + 1) * batch]])
            except TookTooLong:
                raise Misuse(f"log_probs did not return within {_LONGEST_CALL_S} s") from None
            if not isinstance(log_prob, Tensor) or log_prob.dim() != 0:
                raise Misuse("log_probs must return a 0-d tensor, the mean over the batch")
            if not log_prob.requires_grad:
                raise Misuse("log_probs returns a value that no gradient flows through")
            (-log_prob).backward()  # type: ignore[no-untyped-call]
            norm = optimiser.gradient_norm()
            if not (math.isfinite(norm) and math.isfinite(log_prob.item())):
                rescues += 1
                if rescues > _MAX_RESCUES:
                    recorder.note("gave_up_at_step", done)
                    return
                optimiser.go_back_to(average)
            else:
                optimiser.step(one_cycle(done / total, peak), min(1.0, clip / (norm + 1e-6)))
                # A short memory at first, a longer one later, so that the start is forgotten.
                average.lerp_(optimiser.flat, 1 - min(decay, (1 + done) / (10 + done)))
            done += 1
    recorder.note("rescues", rescues)
    optimiser.flat.copy_(average)
    for name, parameter in parameters.items():
        recorder.add(name, parameter)


class SmallGenerator(StandIn):
    """A small generator like the homework's: z (and label) to images (B, 1, 28, 28)."""

    def __init__(self, tensors: Tensors, conditional: bool) -> None:
        super().__init__()
        self.layer = _linear(tensors["g.weight"], tensors["g.bias"])
        if conditional:
            self.label_embedding = nn.Parameter(tensors["g.label_embedding"].clone())
            self.num_classes = len(self.label_embedding)
        self.dim_z = self.layer.in_features
        # Whether it was called in evaluation mode, where the homework's would ignore the batch.
        self.evaluated = False

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map z (B, dim_z) to images."""
        self.evaluated = self.evaluated or not self.training
        images: Tensor = self.layer(z)
        if y is not None:
            # Twenty times as fast as an index, backward.
            images = images + nn.functional.embedding(y, self.label_embedding)
        # No view of the layer's rows, since the homework's generator returns none.
        return images.reshape(-1, *IMAGE).clone()

    def weights(self) -> dict[str, Tensor]:
        """Return the parameters under the experiments' names."""
        named = {"g.weight": self.layer.weight, "g.bias": self.layer.bias}
        labelled = hasattr(self, "label_embedding")
        return {**named, **({"g.label_embedding": self.label_embedding} if labelled else {})}


class SmallDiscriminator(StandIn):
    """logits = (w2 leaky_relu(w1 x + b1) + b2)[label]."""

    def __init__(self, tensors: Tensors) -> None:
        super().__init__()
        self.first = _linear(tensors["d.w1"], tensors["d.b1"])
        self.second = _linear(tensors["d.w2"], tensors["d.b2"])

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Map images (B, 1, 28, 28) to logits (B,)."""
        hidden = nn.functional.leaky_relu(self.first(rows_of(x)), 0.2)
        return of_label(self.second(hidden), y)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """A layer of torch, so that code that looks for linear layers finds it."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    layer.weight, layer.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())
    return layer


def _check_side_effects(
    name: str, g: SmallGenerator, parameters: Sequence[nn.Parameter], before: Tensor
) -> None:
    """Check that a loss had no side effects.

    Args:
        name: the loss.
        g: the generator after the call.
        parameters: those of g and d.
        before: their `bits` before the call.

    Raises:
        Misuse: it changed or froze parameters, put g in evaluation mode, or disabled gradients.
    """
    if not torch.is_grad_enabled():
        raise Misuse(
            f"after {name} was called, gradients are switched off for all later code "
            "(torch.is_grad_enabled() is False), so the next loss has none"
        )
    if not torch.equal(before, bits(parameters)):
        raise changed_parameters(name)
    if not all(parameter.requires_grad for parameter in parameters):
        raise Misuse(
            f"after {name} was called, parameters of g or d are frozen "
            "(requires_grad is False), so they learn nothing in the next step"
        )
    if g.evaluated or not g.training:
        raise Misuse(
            f"{name} puts g into evaluation mode (its .training is False), where batch "
            "normalisation uses averages of earlier batches instead of this one"
        )


def train_gan(
    student: StudentCode, arguments: Mapping[str, Any], tensors: Tensors, recorder: Recorder
) -> None:
    """Train two small networks with the student's losses; record the generator's weights."""
    lower_priority(student)
    conditional = bool(arguments["conditional"])
    g, d = SmallGenerator(tensors, conditional), SmallDiscriminator(tensors)
    trained, parameters = g.weights(), [*g.parameters(), *d.parameters()]
    losses: list[tuple[str, Callable[..., Any], FlatAdam, float]] = []
    for role, network in (("d", d), ("g", g)):
        name = str(arguments[f"{role}_function"])
        optimiser = FlatAdam(network.parameters(), betas=(0.5, 0.999))
        learning_rate = float(arguments[f"{role}_learning_rate"])
        losses.append((name, student.attribute("gan", name), optimiser, learning_rate))
    images = tensors["x_train"].reshape(-1, *IMAGE)
    batch, steps = int(arguments["batch"]), int(arguments["steps"])
    generator = torch.Generator().manual_seed(int(arguments["order_seed"]))
    device = torch.device("cpu")

    def call_again(function: Callable[..., Any], size: int) -> object:
        rows = torch.arange(size)
        inputs = [images[rows], tensors["labels"][rows]] if conditional else [images[rows]]
        networks = SmallGenerator(tensors, conditional), SmallDiscriminator(tensors)
        return function(*networks, *inputs, device=device)

    for _ in range(steps):
        rows = torch.randint(len(images), (batch,), generator=generator)
        x_real = images.index_select(0, rows)
        inputs = [x_real, tensors["labels"][rows]] if conditional else [x_real]
        for name, function, optimiser, learning_rate in losses:
            before = bits(parameters)
            try:
                with at_most(_LONGEST_CALL_S * student.speed):
                    loss = function(g, d, *inputs, device=device)
            except TookTooLong:
                raise Misuse(f"{name} did not return within {_LONGEST_CALL_S} s") from None
            except Exception as error:
                call = functools.partial(call_again, function)
                explain_by_batch(student, name, batch, call, error)
                raise
            _check_side_effects(name, g, parameters, before)
            if not isinstance(loss, Tensor) or loss.dim() != 0 or not loss.requires_grad:
                raise Misuse(f"{name} must return a 0-d tensor that gradients flow through")
            # After the call, as in the homework's training loop: it drops gradients of the call.
            optimiser.zero_gradient()
            loss.backward()  # type: ignore[no-untyped-call]
            if math.isfinite(optimiser.gradient_norm()):
                optimiser.step(learning_rate)
    for name, parameter in trained.items():
        recorder.add(name, parameter)
