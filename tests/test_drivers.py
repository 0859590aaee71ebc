"""The drivers: what they write, where they look for data, and how they fail."""

from __future__ import annotations

import argparse
import gzip
import importlib
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import run_conditional_gan
import run_flow
import run_gan
import torch

from codebase import command_line, data, flow_training, gan_training
from codebase.command_line import DriverError, TrainingDiverged
from codebase.flow_network import MAF

REFERENCE = Path(__file__).resolve().parent.parent / "reference"
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


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Debian's package stands in a folder of the test, and nothing can be downloaded."""
    debian = tmp_path / "usr-share"
    monkeypatch.setattr(data, "DEBIAN_FOLDER", debian)

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("Error downloading\nsecond line")

    monkeypatch.setattr("torchvision.datasets.FashionMNIST", refuse)
    return debian


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


# ---- what the drivers write -----------------------------------------------------------------


def test_flow_driver_writes_its_figures_and_reports_likelihoods(tmp_path: Path) -> None:
    """Figures appear every ten epochs; each epoch is reported, and the held-out one last."""
    outcome = run("run_flow.py", "--epochs", "20", "--max-steps", "2", cwd=tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    written = {path.name: path for path in (tmp_path / "maf").iterdir()}
    written.pop("checkpoint.pt")
    assert sorted(written) == [
        "density.png",
        "loss_curve.png",
        "samples_beside_data.png",
        "samples_epoch10.png",
        "samples_epoch20.png",
    ]
    assert all(map(is_png, written.values()))
    lines = outcome.stdout.splitlines()
    assert "log-likelihood; the loss goes to about +1.2" in lines[1]
    assert sum(line.startswith("epoch ") for line in lines) == 20
    assert all(word in lines[2] for word in ("train", "validation", "test"))
    assert lines[-1].startswith("Held-out log-likelihood: -")


@pytest.mark.parametrize(
    ("script", "options", "folder"),
    [
        ("run_gan.py", [], "out_nonsaturating"),
        ("run_gan.py", ["--loss_type", "wasserstein_gp"], "out_wasserstein_gp"),
        ("run_conditional_gan.py", [], "out_nonsaturating_conditional"),
    ],
)
def test_gan_drivers_write_their_figures(
    script: str, options: Sequence[str], folder: str, tmp_path: Path
) -> None:
    """Images appear where the handout says, before the first step and after the last."""
    small = write_images(tmp_path / "small")
    out = tmp_path / "results"
    outcome = run(script, *options, "--data-dir", small, "--out-dir", out, cwd=tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    # 130 images are two batches of 64; the rest is dropped.
    written = {path.name: path for path in (out / folder).iterdir()}
    written.pop("checkpoint.pt")
    assert sorted(written) == ["fake_0000.png", "fake_0002.png", "loss_curve.png"]
    assert all(map(is_png, written.values()))
    assert f"130 images from {small}" in outcome.stdout
    assert "Traceback" not in outcome.stderr


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


def test_gan_figures_appear_every_fifty_steps(tmp_path: Path) -> None:
    """Over several epochs steps are counted through; every fiftieth is drawn, and the last."""
    figure = pixel_training().run(2, tmp_path)
    names = [path.name for path in sorted(tmp_path.glob("*.png"))]
    assert names == [f"fake_{step:04d}.png" for step in (0, 50, 100, 120)]
    assert figure == tmp_path / "fake_0120.png"


def test_conditional_figure_has_one_column_per_class(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The grid is filled row by row, so each row asks for the classes 0 to 9."""
    write_images(elsewhere)
    seen: list[torch.Tensor] = []

    def record(training: gan_training.GanTraining, *_: object, **__: object) -> Path:
        seen.append(training.figure_inputs[1])
        return tmp_path

    monkeypatch.setattr(run_conditional_gan, "train_and_draw", record)
    run_conditional_gan.main(["--out-dir", str(tmp_path)])
    assert seen[0].reshape(10, 10).tolist() == [list(range(10))] * 10


def test_the_same_seed_gives_the_same_figures(tmp_path: Path) -> None:
    """A run is repeated by its seed, and another seed gives another run."""
    drawn = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        options = ["--epochs", "1", "--max-steps", "1", "--seed", seed, "--device", "cpu"]
        run_flow.main([*options, "--out-dir", str(tmp_path / name)])
        drawn.append((tmp_path / name / "maf" / "samples_epoch1.png").read_bytes())
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Torch uses one thread: layers this small gain nothing from more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_flow_comes_near_its_likelihood_in_ten_epochs() -> None:
    """The recipe learns Moons: after ten epochs the held-out loss is near its +1.2."""
    torch.manual_seed(0)
    flow = flow_training.FlowTraining(
        MAF(2, 100, 1, 5), data.make_moons(0), device=torch.device("cpu")
    )
    reports = list(flow.run(10))
    # Seeds scatter between 1.25 and 1.6 here; an untrained flow is above 2.5, and below 1.09
    # lies no honest model.
    assert 1.09 < min(report.test for report in reports) < 1.7


# ---- where the data come from ---------------------------------------------------------------


@pytest.mark.parametrize("gzipped", [True, False], ids=["gzipped", "unpacked"])
@pytest.mark.parametrize("below", ["", "FashionMNIST/raw"])
def test_data_dir_may_have_any_usual_layout(
    below: str, gzipped: bool, elsewhere: Path, tmp_path: Path
) -> None:
    """Four idx files, packed or not, directly or where torchvision leaves them."""
    folder = write_images(tmp_path / "mine" / below, gzipped=gzipped)
    loaded = data.load_fashion_mnist(tmp_path / "mine")
    assert loaded.source == folder
    assert loaded.images.shape == (130, 1, 28, 28)
    assert loaded.images.dtype == torch.float32
    assert loaded.labels.dtype == torch.int64
    assert loaded.labels[:12].tolist() == [*range(10), 0, 1]
    # 0 becomes -1, 51 becomes -0.6, each image alike in all pixels.
    expected = (torch.arange(130) / 127.5 - 1).reshape(130, 1, 1, 1).expand(130, 1, 28, 28)
    torch.testing.assert_close(loaded.images, expected, rtol=0, atol=1e-6)


def test_data_dir_is_preferred_to_debians_package(elsewhere: Path, tmp_path: Path) -> None:
    """Debian's folder serves only where --data-dir holds nothing."""
    write_images(elsewhere, 70)
    assert data.load_fashion_mnist(tmp_path / "none").source == elsewhere
    mine = write_images(tmp_path / "mine", 80)
    assert data.load_fashion_mnist(mine).source == mine


def test_download_is_the_last_resort(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the data nowhere on the machine, torchvision downloads them into --data-dir."""

    def download(root: str, *, train: bool, download: bool) -> None:
        assert train
        assert download
        write_images(Path(root) / "FashionMNIST" / "raw", gzipped=False)

    monkeypatch.setattr("torchvision.datasets.FashionMNIST", download)
    loaded = data.load_fashion_mnist(tmp_path / "mine")
    assert loaded.source == tmp_path / "mine" / "FashionMNIST" / "raw"


def test_moons_are_standardised_and_split() -> None:
    """24,000 / 3,000 / 3,000 points, columns of mean 0 and standard deviation 1."""
    moons = data.make_moons(3)
    assert [len(part) for part in (moons.train, moons.validation, moons.test)] == [
        24_000,
        3_000,
        3_000,
    ]
    points = torch.cat([moons.train, moons.validation, moons.test]).double()
    # Float32 storage alone moves mean and deviation of 30,000 points, by less than 1e-6.
    torch.testing.assert_close(
        points.mean(0), torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-6
    )
    torch.testing.assert_close(
        points.std(0, correction=0), torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-6
    )


# ---- how they fail --------------------------------------------------------------------------


def test_no_data_anywhere_is_one_line_that_says_what_to_do(elsewhere: Path, tmp_path: Path) -> None:
    """With no data and no download the error names the package and the option."""
    with pytest.raises(
        DriverError, match=r"apt install dataset-fashion-mnist.*--data-dir"
    ) as error:
        data.load_fashion_mnist(tmp_path / "none")
    assert "\n" not in str(error.value)


def cut_short(path: Path) -> None:
    """Remove the second half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("gzipped", [True, False], ids=["gzipped", "unpacked"])
@pytest.mark.parametrize("name", [IMAGES, LABELS])
def test_truncated_file_is_named(name: str, gzipped: bool, tmp_path: Path) -> None:
    """A file that a broken download cut short is one line with its name."""
    folder = write_images(tmp_path, gzipped=gzipped)
    path = folder / (f"{name}.gz" if gzipped else name)
    cut_short(path)
    with pytest.raises(DriverError, match=f"{path}.*is damaged: fetch it again") as error:
        data.load_fashion_mnist(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (IMAGES, b"", "does not begin like an idx file"),
        (IMAGES, b"<html>not here</html>", "does not begin like an idx file"),
        (IMAGES, b"\0\0\x08\x03\0\0", "ends within its header"),
        (IMAGES, idx(np.zeros((130, 27, 28))), r"shape \(130, 27, 28\), not \(N, 28, 28\)"),
        (LABELS, idx(np.zeros(129)), r"shape \(129,\) for 130 images"),
        (LABELS, idx(np.full(130, 10)), "holds the label 10; expected 0 to 9"),
    ],
)
def test_wrong_file_is_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    """Whatever else may lie under a data file's name is told apart."""
    write_images(tmp_path, gzipped=False)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DriverError, match=f"{name} .*{message}"):
        data.load_fashion_mnist(tmp_path)


def test_gzip_of_something_else_is_named(tmp_path: Path) -> None:
    """A .gz file that is none is one line too."""
    write_images(tmp_path)
    (tmp_path / f"{LABELS}.gz").write_bytes(b"not gzip")
    with pytest.raises(DriverError, match=rf"{LABELS}\.gz cannot be unpacked"):
        data.load_fashion_mnist(tmp_path)


def test_too_few_images_for_a_batch_are_refused(tmp_path: Path) -> None:
    """An epoch without a single step is an error, not a success."""
    small = write_images(tmp_path / "small", 63)
    with pytest.raises(DriverError, match="has 63 images, fewer than one batch of 64"):
        run_gan.main(["--data-dir", str(small), "--out-dir", str(tmp_path)])


@pytest.mark.parametrize("driver", [run_flow.main, run_gan.main, run_conditional_gan.main])
def test_unwritable_out_dir_is_one_line(
    driver: Callable[[Sequence[str] | None], None], tmp_path: Path
) -> None:
    """A folder that cannot be made is found out before any training."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DriverError, match=r"cannot write figures to .* choose another --out-dir"):
        driver(["--out-dir", str(tmp_path / "file")])


@pytest.mark.parametrize("device", ["no-such-device", "cuda:99"])
def test_unusable_device_is_one_line(device: str) -> None:
    """A device that torch does not have is found out before any training."""
    with pytest.raises(DriverError, match=f"--device {device} cannot be used here") as error:
        run_flow.main(["--device", device])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--loss_type", "minimax"], "invalid choice: 'minimax'"),
        (["--epochs", "0"], "expected a whole number of at least 1, got '0'"),
        (["--max-steps", "many"], "expected a whole number of at least 1, got 'many'"),
        (["--epoch-count", "3"], "unrecognized arguments"),
    ],
)
def test_wrong_options_are_one_line_with_status_2(
    options: Sequence[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong arguments leave one line on the error stream."""
    with pytest.raises(SystemExit, match="2"):
        run_gan.main(options)
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_an_error_ends_the_driver_without_traceback(tmp_path: Path) -> None:
    """As a process: one line on the error stream, status 2."""
    small = write_images(tmp_path / "small")
    cut_short(small / f"{IMAGES}.gz")
    outcome = run("run_gan.py", "--data-dir", small, cwd=tmp_path)
    assert outcome.returncode == 2
    assert outcome.stderr.startswith("run_gan.py: error: ")
    assert outcome.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [(DriverError("wrong"), 2), (TrainingDiverged("wrong"), 1), (KeyboardInterrupt(), 130)],
)
def test_every_expected_end_has_its_status(
    error: BaseException, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Errors, a diverged training and the keyboard end a driver with one line each."""

    def main(_: Sequence[str] | None) -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        command_line.run_driver(main)
    assert ended.value.code == status
    assert capsys.readouterr().err.strip().count("\n") == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_diverged_flow_stops_with_one_line(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A NaN or infinite loss stops the training and says in which epoch."""
    monkeypatch.setattr(MAF, "log_probs", lambda self, x: x.sum() * value)
    flow = flow_training.FlowTraining(
        MAF(2, 8, 1, 1), data.make_moons(0), device=torch.device("cpu")
    )
    with pytest.raises(TrainingDiverged, match=r"the flow's loss is -?(nan|inf) in epoch 1"):
        next(flow.run(1))


def test_options_are_the_same_for_all_drivers() -> None:
    """The shared options parse to the documented defaults."""
    options = command_line.make_parser("A driver.", epochs=7).parse_args([])
    assert options == argparse.Namespace(
        epochs=7,
        seed=0,
        device="auto",
        data_dir=Path("data"),
        out_dir=Path(),
        max_steps=None,
        resume=False,
    )


@pytest.mark.parametrize("name", ["run_flow", "run_gan", "run_conditional_gan"])
def test_help_documents_every_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--help names what the handout and the README rely on."""
    with pytest.raises(SystemExit, match="0"):
        importlib.import_module(name).main(["--help"])
    text = capsys.readouterr().out
    for option in (
        "--epochs",
        "--seed",
        "--device",
        "--data-dir",
        "--out-dir",
        "--max-steps",
        "--resume",
    ):
        assert option in text
