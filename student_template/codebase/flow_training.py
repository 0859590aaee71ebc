"""Fitting the flow of problem 1 by maximum likelihood."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.distributions import Normal
from tqdm import tqdm

from codebase.command_line import DriverError
from codebase.data import Moons
from codebase.flow_network import MAF
from codebase.training import (
    finite,
    load_checkpoint,
    random_state,
    restore_random_state,
    save_checkpoint,
)

BATCH_SIZE = 100


@dataclass(frozen=True)
class FlowEpoch:
    """Mean negative log-likelihoods in nats per example, after an epoch."""

    epoch: int
    train: float  # mean over the epoch's batches, while the weights were changing
    validation: float
    test: float


class FlowTraining:
    """A flow, its optimiser, and the history of its losses.

    `history` holds a report of each epoch. `best` is the report with the lowest validation loss
    and `best_weights` the weights it belongs to: the test loss of that epoch is an honest one,
    because the test points had no part in the choice.
    """

    def __init__(
        self,
        model: MAF,
        moons: Moons,
        *,
        device: torch.device,
        seed: int = 0,
        max_steps: int | None = None,
    ) -> None:
        """
        Args:
            model: the flow; trained in place.
            moons: the data.
            device: where to train.
            seed: the seed of model and data; a checkpoint can be resumed with the same seed only.
            max_steps: stop each epoch after this many batches.
        """
        self.model = model.to(device)
        self.device = device
        self.max_steps = max_steps
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-6)
        self.train, self.validation, self.test = (
            split.to(device) for split in (moons.train, moons.validation, moons.test)
        )
        self.history: list[FlowEpoch] = []
        self.best_weights: dict[str, Tensor] = {}
        self._settings = {"--seed": seed}

    @property
    def best(self) -> FlowEpoch:
        """The report of the epoch with the lowest validation loss, the first of equals."""
        return min(self.history, key=lambda report: report.validation)

    def run(self, epochs: int, checkpoint: Path | None = None) -> Iterator[FlowEpoch]:
        """Train up to that many epochs in all, yielding after each.

        Args:
            epochs: passes over the training set, those before a checkpoint included.
            checkpoint: where the state goes after each epoch. It is written when the next epoch
                begins, so that it includes random numbers drawn in between.

        Raises:
            TrainingDiverged: a loss became NaN or infinite.
            DriverError: a checkpoint cannot be written.
        """
        done = len(self.history)
        batches = math.ceil(len(self.train) / BATCH_SIZE)
        steps = min(batches, self.max_steps or batches)
        # Counted in batches: an epoch takes so long that a bar of epochs would seem to stand still.
        with tqdm(total=epochs * steps, initial=done * steps, unit="batch") as progress:
            for epoch in range(done + 1, epochs + 1):
                progress.set_description(f"epoch {epoch} of {epochs}")
                self.history.append(self._epoch(epoch, progress))
                if self.best is self.history[-1]:
                    self.best_weights = copy.deepcopy(self.model.state_dict())
                yield self.history[-1]
                if checkpoint is not None:
                    self._save(checkpoint)

    def resume(self, checkpoint: Path, epochs: int) -> None:
        """Continue from a checkpoint, as if training had never stopped.

        Raises:
            DriverError: the checkpoint is not there, damaged, of other settings, or complete.
        """
        state = load_checkpoint(checkpoint, self._settings)
        if len(state["history"]) >= epochs:
            raise DriverError(
                f"{checkpoint} has had its {len(state['history'])} epochs; ask for more with "
                "--epochs, or leave out --resume to start afresh"
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best_weights = state["best_weights"]
        self.history = [FlowEpoch(**report) for report in state["history"]]
        restore_random_state(state["random"], self.device)

    def _epoch(self, epoch: int, progress: tqdm[NoReturn]) -> FlowEpoch:
        """Pass over the training set once and return the losses."""
        self.model.train()
        losses: list[float] = []
        order = torch.randperm(len(self.train), device=self.device)
        for rows in islice(order.split(BATCH_SIZE), self.max_steps):
            loss = self.model.loss(self.train[rows])
            losses.append(finite(loss, "the flow's loss", f"epoch {epoch}"))
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            progress.update()
        self.model.eval()
        with torch.no_grad():
            validation, test = self.model.loss(self.validation), self.model.loss(self.test)
        return FlowEpoch(
            epoch=epoch,
            train=sum(losses) / len(losses),
            validation=finite(validation, "validation loss", f"epoch {epoch}"),
            test=finite(test, "test loss", f"epoch {epoch}"),
        )

    def _save(self, checkpoint: Path) -> None:
        state = {
            "settings": self._settings,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best_weights": self.best_weights,
            "history": [asdict(report) for report in self.history],
            "random": random_state(self.device),
        }
        save_checkpoint(state, checkpoint)


def density_on_grid(
    model: MAF, axis: npt.NDArray[np.float64], device: torch.device
) -> npt.NDArray[np.float64]:
    """Return the learned density at all points of a square grid.

    `MAF.log_probs` gives the mean over a batch, so it is called with one point at a time.

    Args:
        model: a flow of two variables.
        axis: the N coordinates along either side.
        device: where the model is.

    Returns:
        (N, N), per unit of area; the first index runs along x_2, the second along x_1.
    """
    model = copy.deepcopy(model)
    model.base_dist = Normal(0.0, 1.0, validate_args=False)  # its checks do not work under vmap
    side = torch.tensor(axis, dtype=torch.float32, device=device)
    points = torch.cartesian_prod(side, side).flip(1)

    def at(point: Tensor) -> Tensor:
        return model.log_probs(point.unsqueeze(0))

    with torch.no_grad():
        try:
            logs = torch.func.vmap(at, chunk_size=10_000)(points)
        except (RuntimeError, ValueError):  # right code that vmap cannot map takes a minute
            logs = torch.stack([at(point) for point in points])
    # Far from the data the noise overflows: to infinity, or to NaN in a later block. The density
    # is nil there.
    density = logs.double().exp().nan_to_num(nan=0.0)  # (N * N,)
    grid: npt.NDArray[np.float64] = density.reshape(len(axis), -1).cpu().numpy()
    return grid
