"""The drivers: what they write, and where they look for data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import run_conditional_gan
import run_flow
import torch

from codebase import data, flow_training, gan_training
from codebase.command_line import DriverError
from codebase.flow_network import MAF
from tests.reference.driver_kit import is_png, pixel_training, run, write_images


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Debian's package stands in a folder of the test, and nothing can be downloaded."""
    debian = tmp_path / "usr-share"
    monkeypatch.setattr(data, "DEBIAN_FOLDER", debian)

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("Error downloading\nsecond line")

    monkeypatch.setattr("torchvision.datasets.FashionMNIST", refuse)
    return debian


# ---- what the drivers write -----------------------------------------------------------------


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_nothing_is_downloaded_into_the_packages_folder(elsewhere: Path) -> None:
    """It belongs to the system; and the text names it once."""
    with pytest.raises(DriverError, match=r"is not in \S*; either 'apt install") as error:
        data.load_fashion_mnist(elsewhere)
    assert str(error.value).count(str(elsewhere)) == 1


def test_no_data_anywhere_is_one_line_that_says_what_to_do(elsewhere: Path, tmp_path: Path) -> None:
    """With no data and no download the error names the package and the option."""
    with pytest.raises(
        DriverError, match=r"apt install dataset-fashion-mnist.*--data-dir"
    ) as error:
        data.load_fashion_mnist(tmp_path / "none")
    assert "\n" not in str(error.value)
