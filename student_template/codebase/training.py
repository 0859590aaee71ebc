"""The training loops of the flow and of the GANs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm

from codebase.command_line import DriverError, TrainingDiverged
from codebase.data import Moons
from codebase.figures import save_image_grid
from codebase.flow_network import MAF

FLOW_BATCH_SIZE = 100
GAN_BATCH_SIZE = 64
FIGURE_EVERY = 50  # steps of a GAN
FIGURE_ROWS = 10
FIGURE_COLUMNS = 10  # one for each class of Fashion-MNIST

GanLoss = Callable[..., Tensor]
Batches = DataLoader[tuple[Tensor, ...]]


@dataclass(frozen=True)
class FlowEpoch:
    """Mean negative log-likelihoods in nats per example, after an epoch."""

    epoch: int
    train: float  # mean over the epoch's batches, while the weights were changing
    validation: float
    test: float


def train_flow(
    model: MAF,
    moons: Moons,
    *,
    epochs: int,
    device: torch.device,
    max_steps: int | None = None,
) -> Iterator[FlowEpoch]:
    """Fit the flow by maximum likelihood, yielding after each epoch.

    Args:
        model: the flow; trained in place.
        moons: the data.
        epochs: passes over the training set.
        device: where to train.
        max_steps: stop each epoch after this many batches.

    Raises:
        TrainingDiverged: a loss became NaN or infinite.
    """
    model.to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-6)
    train, validation, test = (
        split.to(device) for split in (moons.train, moons.validation, moons.test)
    )
    for epoch in tqdm(range(1, epochs + 1), desc="epochs", unit="epoch"):
        model.train()
        losses: list[float] = []
        order = torch.randperm(len(train), device=device)
        for rows in islice(order.split(FLOW_BATCH_SIZE), max_steps):
            loss = model.loss(train[rows])
            losses.append(_finite(loss, "the flow's loss", f"epoch {epoch}"))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            yield FlowEpoch(
                epoch=epoch,
                train=sum(losses) / len(losses),
                validation=_finite(model.loss(validation), "validation loss", f"epoch {epoch}"),
                test=_finite(model.loss(test), "test loss", f"epoch {epoch}"),
            )


def gan_batches(*tensors: Tensor) -> Batches:
    """Return shuffled batches of 64 examples, the last incomplete batch dropped.

    Args:
        tensors: images (N, 1, 28, 28), and for the conditional GAN labels (N,).

    Raises:
        DriverError: there are not enough examples for one batch.
    """
    if len(tensors[0]) < GAN_BATCH_SIZE:
        raise DriverError(
            f"the data set has {len(tensors[0])} images, fewer than one batch of {GAN_BATCH_SIZE}; "
            "give the folder of the complete one with --data-dir"
        )
    dataset = TensorDataset(*tensors)
    return DataLoader(dataset, batch_size=GAN_BATCH_SIZE, shuffle=True, drop_last=True)


def train_gan(
    g: nn.Module,
    d: nn.Module,
    *,
    loss_g: GanLoss,
    loss_d: GanLoss,
    batches: Batches,
    figure_inputs: tuple[Tensor, ...],
    folder: Path,
    epochs: int,
    device: torch.device,
    max_steps: int | None = None,
) -> Path:
    """Train a GAN, one step of the discriminator for one step of the generator.

    Images of the same `figure_inputs` are written to `folder`/fake_%04d.png before the first
    step, every 50 steps, and after the last one.

    Args:
        g: the generator; trained in place.
        d: the discriminator or critic; trained in place.
        loss_g: the generator's loss, called as loss_g(g, d, *batch, device=device).
        loss_d: the discriminator's loss, called likewise.
        batches: images, and labels where g and d take labels.
        figure_inputs: what g is called with for the figures.
        folder: where the figures go.
        epochs: passes over the training set.
        device: where to train.
        max_steps: stop each epoch after this many steps.

    Returns:
        The path of the last figure.

    Raises:
        TrainingDiverged: a loss became NaN or infinite.
    """
    g.to(device).train()
    d.to(device).train()
    optimizer_g = torch.optim.Adam(g.parameters(), lr=1e-3, betas=(0.5, 0.999))
    optimizer_d = torch.optim.Adam(d.parameters(), lr=1e-3, betas=(0.5, 0.999))
    figure_inputs = tuple(tensor.to(device) for tensor in figure_inputs)

    step = 0
    figure = _save_fakes(g, figure_inputs, folder, step)
    steps_per_epoch = min(len(batches), max_steps or len(batches))
    with tqdm(total=epochs * steps_per_epoch, desc="steps", unit="step") as progress:
        for _ in range(epochs):
            for batch in islice(batches, steps_per_epoch):
                batch_on_device = [tensor.to(device) for tensor in batch]
                step += 1

                d_loss = loss_d(g, d, *batch_on_device, device=device)
                d_value = _finite(d_loss, "the discriminator's loss", f"step {step}")
                optimizer_d.zero_grad()
                d_loss.backward()
                optimizer_d.step()

                g_loss = loss_g(g, d, *batch_on_device, device=device)
                g_value = _finite(g_loss, "the generator's loss", f"step {step}")
                optimizer_g.zero_grad()
                g_loss.backward()
                optimizer_g.step()

                if step % FIGURE_EVERY == 0:
                    figure = _save_fakes(g, figure_inputs, folder, step)
                progress.set_postfix(d=f"{d_value:.3f}", g=f"{g_value:.3f}", refresh=False)
                progress.update()
    return _save_fakes(g, figure_inputs, folder, step) if step % FIGURE_EVERY else figure


def _save_fakes(g: nn.Module, inputs: tuple[Tensor, ...], folder: Path, step: int) -> Path:
    """Write the generator's images of the given inputs and return the file's path."""
    path = folder / f"fake_{step:04d}.png"
    g.eval()
    with torch.no_grad():
        save_image_grid(g(*inputs), path, columns=FIGURE_COLUMNS)
    g.train()
    return path


def _finite(loss: Tensor, what: str, when: str) -> float:
    """Return a loss as a number.

    Raises:
        TrainingDiverged: it is NaN or infinite.
    """
    value = loss.item()
    if not math.isfinite(value):
        raise TrainingDiverged(
            f"{what} is {value} in {when}, so training stops; look for an exp, log or division "
            "that can overflow, or try another --seed"
        )
    return value
