"""Problem 1: train a masked autoregressive flow on the Moons data set."""

from __future__ import annotations

from collections.abc import Sequence

from tqdm import tqdm

from codebase.command_line import make_parser, run_driver, start_run
from codebase.data import make_moons
from codebase.figures import save_scatter
from codebase.flow_network import MAF
from codebase.training import train_flow

EPOCHS = 50
FIGURE_EVERY = 10  # epochs
FIGURE_SAMPLES = 1000


def main(argv: Sequence[str] | None = None) -> None:
    """Train, write `maf/samples_epoch{N}.png` every 10 epochs, report the likelihoods."""
    options = make_parser(__doc__, epochs=EPOCHS).parse_args(argv)
    device, folder = start_run(options, "maf")

    model = MAF(input_size=2, hidden_size=100, n_hidden=1, n_flows=5)
    print(
        "The loss is the negative log-likelihood in nats per example: lower is better.\n"
        "The handout's 'around -1.2 nats' is the log-likelihood; the loss goes to about +1.2."
    )
    for report in train_flow(
        model,
        make_moons(options.seed),
        epochs=options.epochs,
        device=device,
        max_steps=options.max_steps,
    ):
        tqdm.write(
            f"epoch {report.epoch:3d}: negative log-likelihood  train {report.train:6.3f}  "
            f"validation {report.validation:6.3f}  test {report.test:6.3f}"
        )
        if report.epoch % FIGURE_EVERY == 0 or report.epoch == options.epochs:
            figure = folder / f"samples_epoch{report.epoch}.png"
            title = f"{FIGURE_SAMPLES} samples after epoch {report.epoch}"
            save_scatter(model.sample(device, FIGURE_SAMPLES), figure, title=title)

    print(f"Samples: {figure}")
    print(f"Held-out log-likelihood: {-report.test:.3f} nats per example (loss {report.test:.3f})")


if __name__ == "__main__":
    run_driver(main)
