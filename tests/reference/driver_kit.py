"""Small data, a small training and a driver as its user would run it."""

from __future__ import annotations

import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from codebase import gan_training

REFERENCE = Path(__file__).resolve().parents[2] / "reference"
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def idx(array: np.ndarray) -> bytes:
    """Return an idx file of bytes."""
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim)
    header += struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_images(folder: Path, count: int = 130, *, gzipped: bool = True) -> Path:
    """Write a small data set like Fashion-MNIST; image i is filled with i and has label i % 10."""
    folder.mkdir(parents=True, exist_ok=True)
    values = np.arange(count)
    images = np.broadcast_to(values[:, None, None] % 256, (count, 28, 28))
    for name, array in ((IMAGES, images), (LABELS, values % 10)):
        content = idx(array)
        if gzipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


def run(script: str, *options: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a driver as its user would, from another folder."""
    return subprocess.run(
        [sys.executable, str(REFERENCE / script), *map(str, options)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        # Layers this small gain nothing from threads, and lose much where cores are shared.
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def is_png(path: Path) -> bool:
    """Tell whether a file begins like a PNG."""
    return path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


class Pixel(torch.nn.Module):
    """A generator or discriminator of one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return grey images, whatever was asked."""
        return torch.zeros(len(x), 1, 28, 28) + self.weight


def pixel_training(images: int = 64 * 60, **settings: Any) -> gan_training.GanTraining:
    """Return a GAN training of two weights whose losses depend on the batches and on noise."""
    torch.manual_seed(0)
    shades = torch.arange(float(images)).reshape(-1, 1, 1, 1).expand(-1, 1, 28, 28) / images

    def loss(network: Pixel, x: torch.Tensor) -> torch.Tensor:
        return (network.weight - x.mean() - torch.randn(())).square().sum()

    return gan_training.GanTraining(
        Pixel(),
        Pixel(),
        loss_g=lambda g, d, x, *, device: loss(g, x),
        loss_d=lambda g, d, x, *, device: loss(d, x),
        batches=gan_training.gan_batches(shades),
        figure_inputs=(torch.zeros(100, 1),),
        device=torch.device("cpu"),
        **settings,
    )
