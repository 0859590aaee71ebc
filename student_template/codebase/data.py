"""The two data sets: Moons, which is generated, and Fashion-MNIST, which is read from disk."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from codebase.command_line import DriverError

MOONS_SIZE = 30_000
MOONS_NOISE = 0.05
MOONS_TRAIN, MOONS_VALIDATION = 24_000, 3_000  # what is left, 3,000, is the test set

IMAGE_SIZE = 28
NUM_CLASSES = 10

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # of the package dataset-fashion-mnist
_WHAT_TO_DO = (
    "either 'apt install dataset-fashion-mnist' (Debian, Ubuntu) or give the folder of its four "
    "idx files with --data-dir"
)
_IMAGES_FILE = "-images-idx3-ubyte"  # after "train" or "t10k"
_LABELS_FILE = "-labels-idx1-ubyte"
_IDX_OF_BYTES = 0x08  # the idx format's code for unsigned bytes


@dataclass(frozen=True)
class Moons:
    """Two interleaved half circles, each column of mean 0 and standard deviation 1.

    All three are float32 of shape (N, 2).
    """

    train: Tensor
    validation: Tensor
    test: Tensor


@dataclass(frozen=True)
class FashionMnist:
    """The training set of Fashion-MNIST, or its test set.

    `images` is float32, (N, 1, 28, 28), between -1 and 1; `labels` int64, (N,), 0 to 9;
    `source` the folder they were read from.
    """

    images: Tensor
    labels: Tensor
    source: Path


def make_moons(seed: int) -> Moons:
    """Draw the Moons data set, standardise its columns and split it 24,000 / 3,000 / 3,000."""
    from sklearn import datasets  # here, because the GAN drivers need not wait for it

    points, _ = datasets.make_moons(n_samples=MOONS_SIZE, noise=MOONS_NOISE, random_state=seed)
    points = (points - points.mean(axis=0)) / points.std(axis=0)
    data = torch.tensor(points, dtype=torch.float32)
    rest = data[MOONS_TRAIN:]
    return Moons(data[:MOONS_TRAIN], rest[:MOONS_VALIDATION], rest[MOONS_VALIDATION:])


def load_fashion_mnist(data_dir: Path, *, train: bool = True) -> FashionMnist:
    """Find and read the training set of Fashion-MNIST, or the test set.

    Looked at are, in this order: `data_dir` (the four idx files, gzipped or not, or torchvision's
    `FashionMNIST/raw/` below it), the folder of Debian's package `dataset-fashion-mnist`, and at
    last a download by torchvision into `data_dir`. Nothing is downloaded into the package's folder.

    Raises:
        DriverError: it is nowhere and cannot be downloaded, or a file is damaged.
    """
    part = "train" if train else "t10k"
    found = _find(data_dir, part) or _find(DEBIAN_FOLDER, part)
    if found is None and data_dir == DEBIAN_FOLDER:
        raise DriverError(f"Fashion-MNIST is not in {DEBIAN_FOLDER}; {_WHAT_TO_DO}")
    if found is None:
        _download(data_dir)
        found = _find(data_dir, part)
    if found is None:
        raise DriverError(f"torchvision's download left no {part}{_IMAGES_FILE} below {data_dir}")
    images_path, labels_path = found

    images = _read_idx(images_path)
    labels = _read_idx(labels_path)
    if images.ndim != 3 or images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
        raise _damaged(images_path, f"holds an array of shape {images.shape}, not (N, 28, 28)")
    if labels.shape != images.shape[:1]:
        raise _damaged(
            labels_path, f"holds an array of shape {labels.shape} for {len(images)} images"
        )
    if labels.size and labels.max() >= NUM_CLASSES:
        raise _damaged(labels_path, f"holds the label {labels.max()}; expected 0 to 9")
    # Bytes 0 .. 255 become -1 .. 1; the channel comes second: (N, 1, 28, 28).
    scaled = torch.tensor(images).unsqueeze(1).float().div_(127.5).sub_(1)
    return FashionMnist(scaled, torch.tensor(labels).long(), images_path.parent)


def _find(folder: Path, part: str) -> tuple[Path, Path] | None:
    """Return the paths of the images and the labels of one part in `folder`, or None."""
    for place in (folder, folder / "FashionMNIST" / "raw"):
        images = next(_present(place, part + _IMAGES_FILE), None)
        labels = next(_present(place, part + _LABELS_FILE), None)
        if images and labels:
            return images, labels
    return None


def _present(folder: Path, name: str) -> Iterator[Path]:
    """Yield the unpacked and the gzipped file of that name, where they are."""
    return (path for path in (folder / name, folder / f"{name}.gz") if path.is_file())


def _download(data_dir: Path) -> None:
    """Have torchvision download Fashion-MNIST to `data_dir`/FashionMNIST/raw.

    Raises:
        DriverError: the download failed.
    """
    from torchvision.datasets import FashionMNIST

    try:
        FashionMNIST(str(data_dir), train=True, download=True)
    except (OSError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DriverError(
            f"Fashion-MNIST is neither in {data_dir} nor in {DEBIAN_FOLDER}, and the download "
            f"failed ({reason}); {_WHAT_TO_DO}"
        ) from error


def _read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Read an idx file of bytes, gzipped if its name ends in .gz.

    The format: two zero bytes, the type's code, the number of dimensions; each dimension as four
    bytes, highest first; then the values.

    Raises:
        DriverError: the file cannot be read or is not a complete idx file of bytes.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(path, f"cannot be unpacked ({error})") from error
    except OSError as error:
        raise DriverError(f"cannot read {path} ({error.strerror})") from error
    if len(content) < 4 or content[:3] != bytes([0, 0, _IDX_OF_BYTES]):
        raise _damaged(path, "does not begin like an idx file of bytes")
    header_size = 4 + 4 * content[3]
    if len(content) < header_size:
        raise _damaged(path, "ends within its header")
    shape = tuple(
        int.from_bytes(content[start : start + 4], "big") for start in range(4, header_size, 4)
    )
    values = np.frombuffer(content, dtype=np.uint8, offset=header_size)
    if values.size != np.prod(shape, dtype=np.int64):
        raise _damaged(path, f"holds {values.size} values where shape {shape} was announced")
    array: npt.NDArray[np.uint8] = values.reshape(shape).copy()
    return array


def _damaged(path: Path, what: str) -> DriverError:
    return DriverError(f"{path} {what}; it is damaged: fetch it again or delete it")
