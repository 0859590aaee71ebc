"""Checkpoints: training continues as if it had never stopped, and the keyboard loses little."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import run_flow
import run_gan
import torch
from torch.distributions import Normal
from tqdm import tqdm

from codebase import data, figures, flow_training, gan_training, training
from codebase.command_line import DriverError
from codebase.flow_network import MAF
from tests.reference.driver_kit import REFERENCE, is_png, pixel_training, write_images

CPU = torch.device("cpu")


def flow(seed: int = 0) -> flow_training.FlowTraining:
    """Return a training of a small flow, three steps an epoch."""
    torch.manual_seed(seed)
    return flow_training.FlowTraining(
        MAF(2, 8, 1, 2), data.make_moons(seed), device=CPU, seed=seed, max_steps=3
    )


def test_resumed_flow_is_the_uninterrupted_one(tmp_path: Path) -> None:
    """Stopped after two epochs of five and resumed, weights and reports are equal to the bit."""
    whole = flow()
    list(whole.run(5))
    list(flow().run(2, tmp_path / "checkpoint.pt"))
    second = flow()
    torch.manual_seed(99)  # what the new process did before must not matter
    second.resume(tmp_path / "checkpoint.pt", 5)
    assert [report.epoch for report in second.run(5)] == [3, 4, 5]
    assert second.history == whole.history
    assert second.best == whole.best
    for name, weights in whole.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], weights), name
        assert torch.equal(second.best_weights[name], whole.best_weights[name]), name


def test_random_numbers_drawn_between_epochs_are_in_the_checkpoint(tmp_path: Path) -> None:
    """The driver samples between epochs: its draws count, as they do without a stop."""
    whole = flow()
    for _ in whole.run(3):
        torch.randn(7)
    for _ in flow().run(2, tmp_path / "checkpoint.pt"):
        torch.randn(7)
    second = flow()
    second.resume(tmp_path / "checkpoint.pt", 3)
    list(second.run(3))
    assert second.history == whole.history


@pytest.mark.parametrize("stop", [50, 60, 100])
def test_resumed_gan_is_the_uninterrupted_one(stop: int, tmp_path: Path) -> None:
    """Stopped within an epoch or at its end, the same batches and draws follow.

    Each epoch has 60 steps, so the checkpoints of 50 and 100 lie inside one.
    """
    whole = pixel_training()
    whole.run(2, tmp_path)

    first = pixel_training()

    class Stop(Exception):
        """Stands for the keyboard."""

    take_step = first._train_on

    def until(batch: list[torch.Tensor]) -> None:
        if first.step == stop:
            raise Stop
        take_step(batch)

    first._train_on = until  # type: ignore[method-assign]
    (tmp_path / "part").mkdir()
    if stop == 60:
        first.run(1, tmp_path / "part")
    else:
        with pytest.raises(Stop):
            first.run(2, tmp_path / "part")

    second = pixel_training()
    torch.manual_seed(99)
    second.resume(tmp_path / "part" / training.CHECKPOINT, 2)
    assert second.step == stop
    second.run(2, tmp_path / "part")
    assert second.g_losses == whole.g_losses
    assert second.d_losses == whole.d_losses
    assert torch.equal(second.g(torch.zeros(1)), whole.g(torch.zeros(1)))


@pytest.mark.slow
def test_drivers_resume_where_they_were(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--resume with more --epochs continues with the next epoch."""
    options = ["--max-steps", "1", "--device", "cpu", "--out-dir", str(tmp_path)]
    run_flow.main([*options, "--epochs", "1"])
    capsys.readouterr()
    run_flow.main([*options, "--epochs", "2", "--resume"])
    output = capsys.readouterr().out
    assert "epoch   2:" in output
    assert "epoch   1:" not in output

    small = write_images(tmp_path / "small")
    options = ["--data-dir", str(small), *options]
    run_gan.main([*options, "--epochs", "1"])
    run_gan.main([*options, "--epochs", "2", "--resume"])
    names = sorted(path.name for path in (tmp_path / "out_nonsaturating").glob("fake*"))
    assert names == ["fake_0000.png", "fake_0001.png", "fake_0002.png"]


def test_a_complete_run_says_how_to_go_on(tmp_path: Path) -> None:
    """Resuming what is complete is an error that names --epochs."""
    options = ["--max-steps", "1", "--device", "cpu", "--out-dir", str(tmp_path), "--epochs", "1"]
    run_flow.main(options)
    with pytest.raises(DriverError, match=r"checkpoint\.pt has had its 1 epochs; ask for more"):
        run_flow.main([*options, "--resume"])
    options += ["--data-dir", str(write_images(tmp_path / "small"))]
    run_gan.main(options)
    with pytest.raises(DriverError, match=r"checkpoint\.pt has had its 1 steps; ask for more"):
        run_gan.main([*options, "--resume"])


def test_nothing_to_resume_is_one_line(tmp_path: Path) -> None:
    """--resume without a checkpoint is an error, not a silent start from the beginning."""
    with pytest.raises(DriverError, match=r"--resume finds no .*checkpoint\.pt to go on from"):
        run_flow.main(["--resume", "--out-dir", str(tmp_path)])


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None], ids=["empty", "text", "cut"])
def test_damaged_checkpoint_is_one_line(content: bytes | None, tmp_path: Path) -> None:
    """Another file under the checkpoint's name is recognised."""
    path = tmp_path / "checkpoint.pt"
    list(flow().run(1, path))
    path.write_bytes(path.read_bytes()[:-2000] if content is None else content)
    with pytest.raises(DriverError, match="is no checkpoint or a damaged one") as error:
        flow().resume(path, 2)
    assert "\n" not in str(error.value)


def test_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    """A checkpoint from elsewhere cannot run code when it is read."""

    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "harm",)  # type: ignore[return-value]

    path = tmp_path / "checkpoint.pt"
    torch.save({"settings": {"--seed": 0}, "model": Harmful()}, path)
    with pytest.raises(DriverError, match="is no checkpoint or a damaged one"):
        flow().resume(path, 2)
    assert not (tmp_path / "harm").exists()


def test_another_seed_does_not_go_on_from_a_checkpoint(tmp_path: Path) -> None:
    """Another seed has other data: what was held out then might be trained on now."""
    list(flow().run(1, tmp_path / "checkpoint.pt"))
    with pytest.raises(DriverError, match="was made with --seed 0, not 1; give the same again"):
        flow(seed=1).resume(tmp_path / "checkpoint.pt", 2)


def test_another_epoch_length_does_not_go_on_from_a_checkpoint(tmp_path: Path) -> None:
    """With epochs of another length the place in the epoch would be another one."""
    pixel_training(max_steps=2).run(1, tmp_path)
    with pytest.raises(DriverError, match="was made with steps per epoch 2, not 60"):
        pixel_training().resume(tmp_path / training.CHECKPOINT, 2)


def test_a_checkpoint_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """A full disk or a folder that went away ends training with a line that names the file."""
    with pytest.raises(DriverError, match=r"cannot write .*gone/checkpoint\.pt") as error:
        training.save_checkpoint({}, tmp_path / "gone" / "checkpoint.pt")
    assert "\n" not in str(error.value)


def test_a_failed_write_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file takes the old one's place only when it is complete."""
    path = tmp_path / "checkpoint.pt"
    training.save_checkpoint({"settings": {}, "step": 1}, path)

    def fail(state: object, partial: Path) -> None:
        partial.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(DriverError, match="No space left on device"):
        training.save_checkpoint({"settings": {}, "step": 2}, path)
    assert training.load_checkpoint(path, {})["step"] == 1


@pytest.mark.slow
def test_keyboard_leaves_figures_and_a_checkpoint_to_go_on_from(tmp_path: Path) -> None:
    """Ctrl-C in the middle: one line, status 130, a loss curve, and --resume works."""
    command = [sys.executable, str(REFERENCE / "run_flow.py"), "--out-dir", str(tmp_path)]
    command += ["--epochs", "100000", "--max-steps", "2", "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        deadline = time.monotonic() + 100
        checkpoint = tmp_path / "maf" / training.CHECKPOINT
        while not checkpoint.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=100)
    assert process.returncode == 130
    assert errors.rstrip().splitlines()[-1].startswith("Stopped by the keyboard. All files")
    assert "Traceback" not in errors
    assert is_png(tmp_path / "maf" / "loss_curve.png")
    assert is_png(tmp_path / "maf" / "density.png")
    done = len(training.load_checkpoint(checkpoint, {})["history"])
    options = ["--out-dir", str(tmp_path), "--max-steps", "2", "--device", "cpu"]
    run_flow.main([*options, "--resume", "--epochs", str(done + 1)])


def test_gan_stopped_early_leaves_its_loss_curve(tmp_path: Path) -> None:
    """The curve is written whatever ends the training."""
    gan = pixel_training()
    take_step = gan._train_on

    def three(batch: list[torch.Tensor]) -> None:
        if gan.step == 3:
            raise KeyboardInterrupt
        take_step(batch)

    gan._train_on = three  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        gan_training.train_and_draw(gan, tmp_path, epochs=1, resume=False)
    assert is_png(tmp_path / "loss_curve.png")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_flow_trains_and_resumes_on_a_gpu(tmp_path: Path) -> None:
    """Where there is a GPU, --device cuda trains on it, and a checkpoint continues there."""
    options = ["--max-steps", "1", "--device", "cuda", "--out-dir", str(tmp_path)]
    run_flow.main([*options, "--epochs", "1"])
    run_flow.main([*options, "--epochs", "2", "--resume"])


# ---- the figures ----------------------------------------------------------------------------


def test_density_on_a_grid_is_the_flows_density() -> None:
    """Rows run along x_2, columns along x_1, and each value is exp of the point's log_probs."""
    torch.manual_seed(0)
    model = MAF(2, 16, 1, 3)
    axis = torch.linspace(-2, 2, 5, dtype=torch.float64).numpy()
    density = flow_training.density_on_grid(model, axis, CPU)
    for row in range(5):
        for column in range(5):
            point = torch.tensor([[axis[column], axis[row]]], dtype=torch.float32)
            expected = model.log_probs(point).exp().item()
            assert density[row, column] == pytest.approx(expected, rel=1e-4)


def test_density_of_code_that_cannot_be_mapped_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Right code that vmap cannot handle, such as one with item(), is asked point by point."""
    torch.manual_seed(0)
    model = MAF(2, 8, 1, 1)
    axis = torch.linspace(-1, 1, 3, dtype=torch.float64).numpy()
    expected = flow_training.density_on_grid(model, axis, CPU)
    log_probs = MAF.log_probs

    def unmappable(self: MAF, x: torch.Tensor) -> torch.Tensor:
        assert x.sum().item() < 100
        return log_probs(self, x)

    monkeypatch.setattr(MAF, "log_probs", unmappable)
    assert flow_training.density_on_grid(model, axis, CPU) == pytest.approx(expected, rel=1e-5)


def test_density_that_overflows_is_nil() -> None:
    """Far from the data the noise is infinite, and the density zero rather than NaN."""
    model = MAF(2, 8, 1, 2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(200)
    model.base_dist = Normal(0.0, 1.0, validate_args=False)
    axis = torch.linspace(-50, 50, 9, dtype=torch.float64).numpy()
    with torch.no_grad():
        corners = [model.log_probs(torch.full((1, 2), place)) for place in (-50.0, 50.0)]
    assert any(bool(value.isnan()) for value in corners)  # it does overflow
    density = flow_training.density_on_grid(model, axis, CPU)
    assert not (density != density).any()


@pytest.mark.parametrize("count", [1, 10, 200])
def test_loss_curves_are_drawn_from_the_first_step_on(count: int, tmp_path: Path) -> None:
    """One value is enough, and so are fewer than the running mean takes."""
    figures.save_gan_curve({"d": [1.0] * count, "g": [2.0] * count}, tmp_path / "a.png", title="a")
    figures.save_flow_curve({"test": [1.0] * count}, tmp_path / "b.png", best=1)
    assert is_png(tmp_path / "a.png")
    assert is_png(tmp_path / "b.png")


@pytest.mark.parametrize("count", [1, 2, 20, 26, 200])
def test_loss_curves_show_every_value_and_count_in_whole_steps(count: int) -> None:
    """A single value is a dot, a mean is spoken of where it is drawn, no tick is at 2.5."""
    values = [1.0 + 1 / (i + 1) for i in range(count)]
    gan = figures.gan_curve({"d": values, "g": values}, title="a")
    flow = figures.flow_curve({"training": values, "test": values}, best=1)
    for figure in (gan, flow):
        figure.canvas.draw()
        (axes,) = figure.axes
        low, high = axes.get_xlim()
        assert low < 1 < high
        assert all(tick == round(tick) for tick in axes.get_xticks())
        for line in axes.lines:
            assert len(np.asarray(line.get_xdata())) > 1 or line.get_marker() == "o"
    assert ("mean over 25 steps" in gan.axes[0].get_ylabel()) is (count > 25)
    assert len(gan.axes[0].lines) == (4 if count > 25 else 2)


@pytest.mark.slow
def test_the_flows_bar_counts_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over all epochs, and on from where a checkpoint stopped."""
    bars: list[tqdm[NoReturn]] = []

    def bar(**options: Any) -> tqdm[NoReturn]:
        bars.append(tqdm(**options))
        return bars[-1]

    monkeypatch.setattr(flow_training, "tqdm", bar)
    options = ["--max-steps", "3", "--device", "cpu", "--out-dir", str(tmp_path)]
    run_flow.main([*options, "--epochs", "1"])
    run_flow.main([*options, "--epochs", "3", "--resume"])
    first, second = bars
    assert (first.initial, first.n, first.total, first.unit) == (0, 3, 3, "batch")
    assert (second.initial, second.n, second.total) == (3, 9, 9)
    assert second.desc.startswith("epoch 3 of 3")
