"""The figures that the drivers write: a scatter plot of the flow, a grid of the GANs' images."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor
from torchvision.utils import save_image


def save_scatter(samples: npt.NDArray[np.float32], path: Path, *, title: str) -> None:
    """Write a scatter plot of 2-D samples (N, 2), always on the same axes."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    FigureCanvasAgg(figure)  # no window, no global state
    axes = figure.add_subplot()
    axes.scatter(samples[:, 0], samples[:, 1], s=4)
    axes.set(title=title, xlabel="$x_1$", ylabel="$x_2$", xlim=(-2.5, 2.5), ylim=(-2.5, 2.5))
    axes.set_aspect("equal")
    figure.savefig(path, dpi=120)


def save_image_grid(images: Tensor, path: Path, *, columns: int) -> None:
    """Write images (N, 1, 28, 28) with values from -1 to 1 as a grid, filled row by row."""
    save_image(images, path, nrow=columns, normalize=True, value_range=(-1, 1))
