"""The figures of the measurements: a confusion matrix, and real images in the drivers' form."""

from __future__ import annotations

from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from codebase.data import NUM_CLASSES, FashionMnist
from codebase.figures import save_image_grid
from codebase.gan_training import FIGURE_ROWS

CLASS_NAMES = (  # of Fashion-MNIST, by label
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def save_confusion(matrix: Tensor, path: Path, *, title: str) -> None:
    """Write a confusion matrix (C, C) of shares, rows intended, columns seen, as a picture."""
    figure = Figure(figsize=(6.4, 6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    image = axes.imshow(matrix.numpy(), cmap="Blues", vmin=0, vmax=1)
    for row, shares in enumerate(matrix.tolist()):
        for column, share in enumerate(shares):
            if share >= 0.01:
                colour = "white" if share > 0.5 else "black"
                text = f"{100 * share:.0f}"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(NUM_CLASSES), CLASS_NAMES, rotation=45, ha="right")
    axes.set_yticks(range(NUM_CLASSES), CLASS_NAMES)
    axes.set(title=title, xlabel="seen by the classifier", ylabel="intended label")
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the row")
    figure.savefig(path, dpi=110)


def save_real_images(data: FashionMnist, path: Path) -> None:
    """Write the first images of each class, one column per class, in the form of the GANs' own."""
    columns = [data.images[data.labels == label][:FIGURE_ROWS] for label in range(NUM_CLASSES)]
    grid = torch.stack(columns, dim=1).flatten(0, 1)  # row by row: (rows * classes, 1, 28, 28)
    save_image_grid(grid, path, columns=NUM_CLASSES)
