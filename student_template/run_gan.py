"""Problems 2 and 5: train a GAN on Fashion-MNIST, non-saturating or Wasserstein."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from codebase import gan
from codebase.command_line import make_parser, run_driver, start_run
from codebase.data import load_fashion_mnist
from codebase.gan_training import (
    FIGURE_COLUMNS,
    FIGURE_ROWS,
    GanTraining,
    gan_batches,
    train_and_draw,
)
from codebase.network import Discriminator, Generator

EPOCHS = 1
LOSSES = {  # by --loss_type: the generator's loss, the discriminator's loss
    "nonsaturating": (gan.loss_nonsaturating_g, gan.loss_nonsaturating_d),
    "wasserstein_gp": (gan.loss_wasserstein_gp_g, gan.loss_wasserstein_gp_d),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Train, writing `out_{loss_type}/fake_%04d.png` every 50 steps."""
    parser = make_parser(__doc__, epochs=EPOCHS)
    parser.add_argument(
        "--loss_type", choices=list(LOSSES), default="nonsaturating", help="which GAN to train"
    )
    options = parser.parse_args(argv)
    device, folder = start_run(options, f"out_{options.loss_type}")
    data = load_fashion_mnist(options.data_dir)
    print(f"Fashion-MNIST: {len(data.images)} images from {data.source}")

    g, d = Generator(), Discriminator()
    loss_g, loss_d = LOSSES[options.loss_type]
    training = GanTraining(
        g,
        d,
        loss_g=loss_g,
        loss_d=loss_d,
        batches=gan_batches(data.images),
        figure_inputs=(torch.randn(FIGURE_ROWS * FIGURE_COLUMNS, g.dim_z),),
        device=device,
        seed=options.seed,
        max_steps=options.max_steps,
    )
    figure = train_and_draw(training, folder, epochs=options.epochs, resume=options.resume)
    print(f"Generated images: {figure}")


if __name__ == "__main__":
    run_driver(main)
