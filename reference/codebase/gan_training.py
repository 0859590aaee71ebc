"""Training the GANs of problems 2, 4 and 5."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm

from codebase.command_line import DriverError
from codebase.figures import save_gan_curve, save_image_grid
from codebase.training import (
    CHECKPOINT,
    finite,
    load_checkpoint,
    random_state,
    restore_random_state,
    save_checkpoint,
)

# BEGIN REFERENCE ONLY
# torch leaves backward without annotations.
# mypy: disable-error-code="no-untyped-call"
# END REFERENCE ONLY

BATCH_SIZE = 64
FIGURE_EVERY = 50  # steps; checkpoints are written as often
FIGURE_ROWS = 10
FIGURE_COLUMNS = 10  # one for each class of Fashion-MNIST

GanLoss = Callable[..., Tensor]
Batches = DataLoader[tuple[Tensor, ...]]


def gan_batches(*tensors: Tensor) -> Batches:
    """Return shuffled batches of BATCH_SIZE examples, the last incomplete batch dropped.

    Args:
        tensors: images (N, 1, 28, 28), and for the conditional GAN labels (N,).

    Raises:
        DriverError: there are not enough examples for one batch.
    """
    if len(tensors[0]) < BATCH_SIZE:
        raise DriverError(
            f"the data set has {len(tensors[0])} images, fewer than one batch of {BATCH_SIZE}; "
            "give the folder of the complete one with --data-dir"
        )
    dataset = TensorDataset(*tensors)
    return DataLoader(dataset, batch_size=BATCH_SIZE, shuffle=True, drop_last=True)


class GanTraining:
    """A generator, a discriminator, their optimisers, and the history of their losses.

    `d_losses` and `g_losses` hold one number a step: one step of the discriminator is followed by
    one step of the generator.
    """

    def __init__(
        self,
        g: nn.Module,
        d: nn.Module,
        *,
        loss_g: GanLoss,
        loss_d: GanLoss,
        batches: Batches,
        figure_inputs: tuple[Tensor, ...],
        device: torch.device,
        seed: int = 0,
        max_steps: int | None = None,
    ) -> None:
        """
        Args:
            g: the generator; trained in place.
            d: the discriminator or critic; trained in place.
            loss_g: the generator's loss, called as loss_g(g, d, *batch, device=device).
            loss_d: the discriminator's loss, called likewise.
            batches: images, and labels where g and d take labels.
            figure_inputs: the inputs of g for the figures.
            device: where to train.
            seed: the seed of everything above; a checkpoint can be resumed with the same seed only.
            max_steps: stop each epoch after this many steps.
        """
        self.g, self.d = g.to(device).train(), d.to(device).train()
        self.loss_g, self.loss_d = loss_g, loss_d
        self.batches = batches
        self.figure_inputs = tuple(tensor.to(device) for tensor in figure_inputs)
        self.device = device
        self.optimizer_g = torch.optim.Adam(g.parameters(), lr=1e-3, betas=(0.5, 0.999))
        self.optimizer_d = torch.optim.Adam(d.parameters(), lr=1e-3, betas=(0.5, 0.999))
        self.steps_per_epoch = min(len(batches), max_steps or len(batches))
        self.d_losses: list[float] = []
        self.g_losses: list[float] = []
        self._settings = {"--seed": seed, "steps per epoch": self.steps_per_epoch}
        self._epoch_random: dict[str, Tensor] = {}  # when the epoch in progress began

    @property
    def step(self) -> int:
        """The number of steps taken."""
        return len(self.g_losses)

    def run(self, epochs: int, folder: Path) -> Path:
        """Train up to that many epochs in all.

        Images of the same inputs are written to `folder`/fake_%04d.png before the first step,
        every 50 steps and after the last one, each time with the checkpoint.

        Args:
            epochs: passes over the training set, those before a checkpoint included.
            folder: where figures and checkpoint go.

        Returns:
            The path of the last figure.

        Raises:
            TrainingDiverged: a loss became NaN or infinite.
            DriverError: a checkpoint cannot be written.
        """
        last = epochs * self.steps_per_epoch
        figure = self._save_fakes(folder)
        with tqdm(total=last, initial=self.step, desc="steps", unit="step") as progress:
            while self.step < last:
                for batch in self._rest_of_epoch():
                    self._train_on([tensor.to(self.device) for tensor in batch])
                    if self.step % FIGURE_EVERY == 0 or self.step == last:
                        figure = self._save_fakes(folder)
                        self._save(folder)
                    losses = {"d": f"{self.d_losses[-1]:.3f}", "g": f"{self.g_losses[-1]:.3f}"}
                    progress.set_postfix(losses, refresh=False)
                    progress.update()
        return figure

    def resume(self, checkpoint: Path, epochs: int) -> None:
        """Continue from a checkpoint, as if training had never stopped.

        Raises:
            DriverError: the checkpoint is not there, damaged, of other settings, or complete.
        """
        state = load_checkpoint(checkpoint, self._settings)
        if len(state["g_losses"]) >= epochs * self.steps_per_epoch:
            raise DriverError(
                f"{checkpoint} has had its {len(state['g_losses'])} steps; ask for more with "
                "--epochs, or leave out --resume to start afresh"
            )
        self.g.load_state_dict(state["g"])
        self.d.load_state_dict(state["d"])
        self.optimizer_g.load_state_dict(state["optimizer_g"])
        self.optimizer_d.load_state_dict(state["optimizer_d"])
        self.d_losses, self.g_losses = state["d_losses"], state["g_losses"]
        self._epoch_random = state["epoch_random"]
        restore_random_state(state["random"], self.device)

    def _rest_of_epoch(self) -> islice[tuple[Tensor, ...]]:
        """Return the batches of this epoch that have not been trained on."""
        done = self.step % self.steps_per_epoch
        if not done:
            self._epoch_random = random_state(self.device)
            return islice(self.batches, self.steps_per_epoch)
        # The order of an epoch follows from the random state at its beginning: shuffle again as
        # then, pass over what has been seen, and go on with the numbers of now.
        now = random_state(self.device)
        restore_random_state(self._epoch_random, self.device)
        batches = iter(self.batches)
        for _ in islice(batches, done):
            pass
        restore_random_state(now, self.device)
        return islice(batches, self.steps_per_epoch - done)

    def _train_on(self, batch: list[Tensor]) -> None:
        """Take a step of the discriminator, then one of the generator."""
        when = f"step {self.step + 1}"
        d_loss = self.loss_d(self.g, self.d, *batch, device=self.device)
        d_value = finite(d_loss, "the discriminator's loss", when)
        self.optimizer_d.zero_grad()
        d_loss.backward()
        self.optimizer_d.step()

        g_loss = self.loss_g(self.g, self.d, *batch, device=self.device)
        g_value = finite(g_loss, "the generator's loss", when)
        self.optimizer_g.zero_grad()
        g_loss.backward()
        self.optimizer_g.step()
        self.d_losses.append(d_value)
        self.g_losses.append(g_value)

    def _save_fakes(self, folder: Path) -> Path:
        """Write the generator's images of the figures' inputs and return the file's path."""
        path = folder / f"fake_{self.step:04d}.png"
        self.g.eval()
        with torch.no_grad():
            save_image_grid(self.g(*self.figure_inputs), path, columns=FIGURE_COLUMNS)
        self.g.train()
        return path

    def _save(self, folder: Path) -> None:
        state = {
            "settings": self._settings,
            "g": self.g.state_dict(),
            "d": self.d.state_dict(),
            "optimizer_g": self.optimizer_g.state_dict(),
            "optimizer_d": self.optimizer_d.state_dict(),
            "d_losses": self.d_losses,
            "g_losses": self.g_losses,
            "epoch_random": self._epoch_random,
            "random": random_state(self.device),
        }
        save_checkpoint(state, folder / CHECKPOINT)


def train_and_draw(training: GanTraining, folder: Path, *, epochs: int, resume: bool) -> Path:
    """Train, from the checkpoint in `folder` if `resume`, and leave the loss curve there.

    The curve is also written when training is stopped or diverges.

    Returns:
        The path of the last figure of images.

    Raises:
        TrainingDiverged, DriverError: as `GanTraining.run` and `GanTraining.resume`.
    """
    if resume:
        training.resume(folder / CHECKPOINT, epochs)
    try:
        return training.run(epochs, folder)
    finally:
        if training.step:
            curves = {"discriminator": training.d_losses, "generator": training.g_losses}
            save_gan_curve(curves, folder / "loss_curve.png", title=folder.name)
