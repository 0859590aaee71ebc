"""Problem 1: train a masked autoregressive flow on the Moons data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from codebase.command_line import make_parser, run_driver, start_run
from codebase.data import make_moons
from codebase.figures import (
    AXIS_END,
    save_density,
    save_flow_curve,
    save_scatter,
    save_two_scatters,
)
from codebase.flow_network import MAF
from codebase.flow_training import FlowTraining, density_on_grid
from codebase.training import CHECKPOINT

EPOCHS = 50
FIGURE_EVERY = 10  # epochs
FIGURE_SAMPLES = 1000
DENSITY_CELLS = 300  # along each side


def main(argv: Sequence[str] | None = None) -> None:
    """Train, write `maf/samples_epoch{N}.png` every 10 epochs, report the likelihoods."""
    options = make_parser(__doc__, epochs=EPOCHS).parse_args(argv)
    device, folder = start_run(options, "maf")

    training = FlowTraining(
        MAF(input_size=2, hidden_size=100, n_hidden=1, n_flows=5),
        make_moons(options.seed),
        device=device,
        seed=options.seed,
        max_steps=options.max_steps,
    )
    checkpoint = folder / CHECKPOINT
    if options.resume:
        training.resume(checkpoint, options.epochs)
    print(
        "The loss is the negative log-likelihood in nats per example: lower is better.\n"
        "The handout's 'around -1.2 nats' is the log-likelihood; the loss goes to about +1.2."
    )
    try:
        for report in training.run(options.epochs, checkpoint):
            tqdm.write(
                f"epoch {report.epoch:3d}: negative log-likelihood  train {report.train:6.3f}  "
                f"validation {report.validation:6.3f}  test {report.test:6.3f}"
            )
            if report.epoch % FIGURE_EVERY == 0 or report.epoch == options.epochs:
                figure = folder / f"samples_epoch{report.epoch}.png"
                title = f"{FIGURE_SAMPLES} samples after epoch {report.epoch}"
                save_scatter(training.model.sample(device, FIGURE_SAMPLES), figure, title=title)
    finally:  # also when the keyboard stops it
        if training.history:
            _save_last_figures(training, folder)

    print(f"Samples: {figure}")
    print(f"Loss curve, samples next to data, and the learned density: {folder}")
    best = training.best
    print(f"Lowest validation loss: epoch {best.epoch}, with a test loss of {best.test:.3f}")
    print(f"Held-out log-likelihood: {-report.test:.3f} nats per example (loss {report.test:.3f})")


def _save_last_figures(training: FlowTraining, folder: Path) -> None:
    """Write the loss curve, and for the best epoch samples next to data and the density."""
    reports, best = training.history, training.best.epoch
    curves = {
        "training (while the weights change)": [report.train for report in reports],
        "validation": [report.validation for report in reports],
        "test": [report.test for report in reports],
    }
    save_flow_curve(curves, folder / "loss_curve.png", best=best)

    model, device = training.model, training.device
    last_weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.load_state_dict(training.best_weights)
    panels = {
        f"{FIGURE_SAMPLES} test points": training.test[:FIGURE_SAMPLES].cpu().numpy(),
        f"{FIGURE_SAMPLES} samples, weights of epoch {best}": model.sample(device, FIGURE_SAMPLES),
    }
    save_two_scatters(panels, folder / "samples_beside_data.png")
    edges = np.linspace(-AXIS_END, AXIS_END, DENSITY_CELLS + 1)
    density = density_on_grid(model, (edges[:-1] + edges[1:]) / 2, device)
    save_density(density, folder / "density.png", title=f"Learned density, weights of epoch {best}")
    model.load_state_dict(last_weights)


if __name__ == "__main__":
    run_driver(main)
