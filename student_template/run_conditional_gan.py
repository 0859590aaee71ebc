"""Problem 4: train a conditional GAN with a projection discriminator on Fashion-MNIST."""

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
from codebase.network import ConditionalDiscriminator, ConditionalGenerator

EPOCHS = 1


def main(argv: Sequence[str] | None = None) -> None:
    """Train, writing `out_nonsaturating_conditional/fake_%04d.png` every 50 steps."""
    options = make_parser(__doc__, epochs=EPOCHS).parse_args(argv)
    device, folder = start_run(options, "out_nonsaturating_conditional")
    data = load_fashion_mnist(options.data_dir)
    print(f"Fashion-MNIST: {len(data.images)} images from {data.source}")

    g, d = ConditionalGenerator(), ConditionalDiscriminator()
    training = GanTraining(
        g,
        d,
        loss_g=gan.conditional_loss_nonsaturating_g,
        loss_d=gan.conditional_loss_nonsaturating_d,
        batches=gan_batches(data.images, data.labels),
        figure_inputs=(
            torch.randn(FIGURE_ROWS * FIGURE_COLUMNS, g.dim_z),
            torch.arange(FIGURE_COLUMNS).repeat(FIGURE_ROWS),  # one column per class
        ),
        device=device,
        seed=options.seed,
        max_steps=options.max_steps,
    )
    figure = train_and_draw(training, folder, epochs=options.epochs, resume=options.resume)
    print(f"Generated images: {figure}, one column per class")


if __name__ == "__main__":
    run_driver(main)
