"""The figures that the drivers write: scatter plots, a density, grids of images, loss curves."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor
from torchvision.utils import save_image

Floats = npt.NDArray[np.float64]

AXIS_END = 2.5  # the flow's figures show the square from -2.5 to 2.5 on both axes
_DPI = 120
_RUNNING_MEAN = 25  # steps
_FEW = 10  # a line of so few values shows each by a dot; one value alone has no line


def save_scatter(samples: npt.NDArray[np.float32], path: Path, *, title: str) -> None:
    """Write a scatter plot of 2-D samples (N, 2), always on the same axes."""
    figure = _figure(5, 5)
    _scatter(figure.add_subplot(), samples, title)
    figure.savefig(path, dpi=_DPI)


def save_two_scatters(panels: Mapping[str, npt.NDArray[np.float32]], path: Path) -> None:
    """Write scatter plots of 2-D points (N, 2) side by side, by their titles."""
    figure = _figure(4.5 * len(panels), 4.7)
    for axes, (title, points) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        _scatter(axes, points, title)
    figure.savefig(path, dpi=_DPI)


def save_density(density: npt.NDArray[np.float64], path: Path, *, title: str) -> None:
    """Write a heat map of a density (N, N) on the square of the scatter plots.

    The first index runs along x_2, the second along x_1.
    """
    figure = _figure(5.6, 5)
    axes = figure.add_subplot()
    extent = (-AXIS_END, AXIS_END, -AXIS_END, AXIS_END)
    image = axes.imshow(density, origin="lower", extent=extent, cmap="magma")
    figure.colorbar(image, ax=axes, label="density", shrink=0.9)
    axes.set(title=title, xlabel="$x_1$", ylabel="$x_2$")
    figure.savefig(path, dpi=_DPI)


def save_flow_curve(losses: Mapping[str, Sequence[float]], path: Path, *, best: int) -> None:
    """Write the flow's loss curves, one value an epoch, with a mark at the epoch `best`."""
    flow_curve(losses, best=best).savefig(path, dpi=_DPI)


def flow_curve(losses: Mapping[str, Sequence[float]], *, best: int) -> Figure:
    """Return the figure that `save_flow_curve` writes."""
    figure = _figure(7, 4)
    axes = figure.add_subplot()
    for name, values in losses.items():
        _line(axes, 1, values, label=name, linewidth=1.3)
    axes.axvline(best, color="0.5", linestyle=":", label=f"lowest validation loss: epoch {best}")
    # The first epochs may be far above the rest; what matters happens below.
    everything = np.concatenate(list(map(np.asarray, losses.values())))
    low, high = float(everything.min()), float(np.quantile(everything, 0.97))
    axes.set_ylim(low - 0.05, max(high, low) + 0.1)
    axes.set(xlabel="epoch", ylabel="negative log-likelihood (nats per example)")
    axes.legend()
    return figure


def save_gan_curve(losses: Mapping[str, Sequence[float]], path: Path, *, title: str) -> None:
    """Write a GAN's loss curves, one value a step, each with its running mean if it has one."""
    gan_curve(losses, title=title).savefig(path, dpi=_DPI)


def gan_curve(losses: Mapping[str, Sequence[float]], *, title: str) -> Figure:
    """Return the figure that `save_gan_curve` writes."""
    figure = _figure(7, 4)
    axes = figure.add_subplot()
    window = np.ones(_RUNNING_MEAN) / _RUNNING_MEAN
    has_mean = max(map(len, losses.values())) > _RUNNING_MEAN
    shown: list[float] = []
    for index, (name, values) in enumerate(losses.items()):
        color = f"C{index}"
        if has_mean:
            _line(axes, 1, values, color=color, alpha=0.3, linewidth=0.7)
            smooth = np.convolve(values, window, mode="valid")
            _line(axes, len(values) - len(smooth) + 1, smooth, color=color, label=name)
        else:
            _line(axes, 1, values, color=color, label=name)
        shown += list(np.quantile(values, (0.01, 0.99)))
    margin = 0.1 * (max(shown) - min(shown)) + 0.05
    axes.set_ylim(min(shown) - margin, max(shown) + margin)
    mean = f", and its mean over {_RUNNING_MEAN} steps" if has_mean else ""
    axes.set(title=title, xlabel="step", ylabel=f"loss{mean}")
    axes.legend()
    return figure


def save_image_grid(images: Tensor, path: Path, *, columns: int) -> None:
    """Write images (N, 1, 28, 28) with values from -1 to 1 as a grid, filled row by row."""
    save_image(images, path, nrow=columns, normalize=True, value_range=(-1, 1))


def _figure(width: float, height: float) -> Figure:
    """Return an empty figure, sizes in inches, that has no window and no global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _line(axes: Axes, first: int, values: Sequence[float] | Floats, **style: Any) -> None:
    """Draw values against the whole numbers from `first` on."""
    marker = "o" if len(values) <= _FEW else None
    axes.plot(range(first, first + len(values)), values, marker=marker, markersize=4, **style)
    # There is no half of a step; a single one needs room on either side.
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if len(values) == 1:
        axes.set_xlim(first - 1, first + 1)


def _scatter(axes: Axes, points: npt.NDArray[np.float32], title: str) -> None:
    axes.scatter(points[:, 0], points[:, 1], s=4)
    ends = (-AXIS_END, AXIS_END)
    axes.set(title=title, xlabel="$x_1$", ylabel="$x_2$", xlim=ends, ylim=ends)
    axes.set_aspect("equal")
