"""How the drivers fail: one line that says what to do, and a status."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import run_conditional_gan
import run_flow
import run_gan
import torch

from codebase import command_line, data, flow_training
from codebase.command_line import DriverError, TrainingDiverged
from codebase.flow_network import MAF
from tests.reference.driver_kit import IMAGES, LABELS, idx, run, write_images


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
    """Another file under a data file's name is recognised."""
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


@pytest.mark.slow
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
