"""The measurements: entropy of the moons, scores of images, and what the README says of them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import measure.__main__ as measure
from autograder.homework.oracles.moons import moons, standardised_split
from codebase.command_line import DriverError
from codebase.data import DEBIAN_FOLDER, FashionMnist, load_fashion_mnist
from codebase.network import ConditionalGenerator
from measure.classifier import Classifier, class_probabilities, train_classifier
from measure.drivers import TRAININGS, Training, run_training
from measure.entropy import best_loss, log_density, mean_and_deviation, standardised_entropy
from measure.scores import confusion_matrix, generate, inception_score
from tests.reference.driver_kit import is_png

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ROOT / "docs" / "reference"
README = ROOT / "reference" / "README.md"

# ---- the entropy of the moons ---------------------------------------------------------------


def test_density_of_the_moons_integrates_to_one() -> None:
    """On a grid of another spacing than the entropy's own."""
    first, second = np.arange(-1.5, 2.5, 0.02), np.arange(-1, 1.5, 0.02)
    grid = np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)
    assert float(np.exp(log_density(grid)).sum()) * 0.02**2 == pytest.approx(1, abs=1e-6)


def test_entropy_is_that_of_drawn_points() -> None:
    """The mean of -log p over 30,000 points of another implementation of the moons."""
    points = standardised_split(5)
    losses = [best_loss(part.astype(np.float64)) for part in points]
    sizes = [len(part) for part in points]
    # -log p has a standard deviation of about 0.8 nats: 6 standard errors, false alarm 2e-9.
    error = 6 * 0.8 / math.sqrt(sum(sizes))
    assert float(np.average(losses, weights=sizes)) == pytest.approx(
        standardised_entropy(), abs=error
    )


def test_entropy_is_what_was_measured_before() -> None:
    """40,000 draws had given 1.127 with a standard error of 0.004 nats."""
    assert standardised_entropy() == pytest.approx(1.127, abs=3 * 0.004)


def test_mean_and_deviation_of_the_moons_are_those_of_drawn_points() -> None:
    """The closed forms, against 200,000 points: 6 standard errors are below 0.003."""
    points = moons(200_000, 0.05, np.random.default_rng(1))
    mean, deviation = mean_and_deviation()
    np.testing.assert_allclose(points.mean(axis=0), mean, rtol=0, atol=3e-3)
    np.testing.assert_allclose(points.std(axis=0), deviation, rtol=0, atol=3e-3)


# ---- scores ---------------------------------------------------------------------------------


def test_inception_score_of_known_probabilities() -> None:
    """1 when all images look alike, C when each is certain and classes are equally frequent."""
    certain = torch.eye(10, dtype=torch.float64).repeat(20, 1)
    assert inception_score(certain, parts=4).mean == pytest.approx(10)
    alike = torch.full((40, 10), 0.1, dtype=torch.float64)
    assert inception_score(alike, parts=4).mean == pytest.approx(1)
    one_class = torch.eye(10, dtype=torch.float64)[:1].repeat(40, 1)
    assert inception_score(one_class, parts=4).mean == pytest.approx(1)
    # Two classes, each image 3/4 certain: exp of log 2 minus the entropy of (3/4, 1/4).
    pair = torch.tensor([[0.75, 0.25], [0.25, 0.75]], dtype=torch.float64).repeat(8, 1)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    score = inception_score(pair, parts=2)
    assert score.mean == pytest.approx(2 / math.exp(entropy))
    assert score.deviation == pytest.approx(0, abs=1e-12)


def test_rows_that_cannot_be_cut_are_refused() -> None:
    """Parts of different sizes would not be comparable."""
    with pytest.raises(ValueError, match="7 rows cannot be cut into 2 equal parts"):
        inception_score(torch.full((7, 2), 0.5, dtype=torch.float64), parts=2)


def test_confusion_matrix_counts_rows_as_intended() -> None:
    """Row: intended, column: seen; shares of the row; nothing intended leaves zeros."""
    intended, seen = torch.tensor([0, 0, 0, 0, 2]), torch.tensor([0, 1, 1, 1, 2])
    expected = torch.tensor([[0.25, 0.75, 0], [0, 0, 0], [0, 0, 1]], dtype=torch.float64)
    torch.testing.assert_close(confusion_matrix(intended, seen, 3), expected)


def test_generated_images_follow_their_labels_and_stay_in_range() -> None:
    """Labels are handed on in order across parts, and values are cut off at -1 and 1."""

    class Echo(torch.nn.Module):
        def forward(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return y.float().reshape(-1, 1, 1, 1).expand(-1, 1, 28, 28) / 1000

    labels = torch.arange(2500)
    images = generate(Echo(), 3, 2500, labels)
    assert images.shape == (2500, 1, 28, 28)
    torch.testing.assert_close(images[:, 0, 0, 0], (labels / 1000).clamp(max=1))


def test_scoring_uses_the_generator_in_evaluation_mode() -> None:
    """An image does not depend on the others of its batch."""
    torch.manual_seed(0)
    g, labels = ConditionalGenerator().train(), torch.tensor([1, 2])
    torch.manual_seed(1)
    both = generate(g, g.dim_z, 2, labels)
    torch.manual_seed(1)
    one = generate(g, g.dim_z, 1, labels[:1])
    torch.testing.assert_close(both[:1], one, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def slice_of_data() -> tuple[FashionMnist, FashionMnist]:
    """The first 4,000 training images and the first 1,000 test images.

    Skips every test that asks for them where Debian's package is not installed.
    """
    if not DEBIAN_FOLDER.is_dir():
        pytest.skip(f"Fashion-MNIST is not in {DEBIAN_FOLDER}")
    parts = []
    for train, size in ((True, 4000), (False, 1000)):
        data = load_fashion_mnist(DEBIAN_FOLDER, train=train)
        parts.append(FashionMnist(data.images[:size], data.labels[:size], data.source))
    return parts[0], parts[1]


@pytest.mark.slow
def test_classifier_learns_from_a_slice_of_the_real_data(
    slice_of_data: tuple[FashionMnist, FashionMnist],
) -> None:
    """One epoch on 4,000 images recognises most of 1,000 unseen ones, the same every time."""
    train, test = slice_of_data
    classifier = train_classifier(train, seed=0, epochs=1)
    seen = class_probabilities(classifier, test.images)
    assert float((seen.argmax(dim=1) == test.labels).double().mean()) > 0.7
    torch.testing.assert_close(seen.sum(dim=1), torch.ones(1000, dtype=torch.float64))


def test_test_set_is_another_one_than_the_training_set() -> None:
    """10,000 images under the test set's own name."""
    assert len(load_fashion_mnist(DEBIAN_FOLDER, train=False).images) == 10_000


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nonsaturating", "wasserstein_gp", "conditional"])
def test_gan_drivers_run_on_the_real_data(name: str, tmp_path: Path) -> None:
    """Twelve steps on real images leave a figure, a checkpoint and finite losses."""
    outcome = run_training(TRAININGS[name], tmp_path, ["--max-steps", "12"])
    assert "60000 images" in outcome.output
    assert outcome.cpu_s > 0
    folder = tmp_path / TRAININGS[name].folder
    assert is_png(folder / "fake_0012.png")
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    assert len(state["g_losses"]) == 12
    assert all(map(math.isfinite, state["g_losses"] + state["d_losses"]))


@pytest.mark.slow
def test_the_whole_measurement_runs_on_small_runs(
    tmp_path: Path,
    slice_of_data: tuple[FashionMnist, FashionMnist],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From what the drivers leave to the numbers and figures of the README."""
    import run_conditional_gan
    import run_flow
    import run_gan

    train, test = slice_of_data

    def load(data_dir: Path, *, train: bool = True, parts: object = (train, test)) -> object:
        assert isinstance(parts, tuple)
        return parts[0 if train else 1]

    for module in (run_gan, run_conditional_gan, measure):
        monkeypatch.setattr(module, "load_fashion_mnist", load)
    monkeypatch.setattr(measure, "IMAGES", 200)
    monkeypatch.setattr(measure, "train_classifier", lambda data, seed: Classifier().eval())
    drivers = {"run_flow.py": run_flow, "run_gan.py": run_gan}

    def run_here(training: Training, out_dir: Path, extra: list[str]) -> object:
        driver = drivers.get(training.script, run_conditional_gan)
        limits = ["--max-steps", "2", "--epochs", "1", "--device", "cpu"]
        driver.main([*training.options, "--out-dir", str(out_dir), *limits])
        return type("Outcome", (), {"wall_s": 1.0, "cpu_s": 2.0})

    monkeypatch.setattr(measure, "run_training", run_here)
    out, figures = tmp_path / "runs", tmp_path / "figures"
    measure.main(["--out-dir", str(out), "--figures", str(figures)])
    measured = json.loads((figures / "measurements.json").read_text())
    committed = json.loads((FIGURES / "measurements.json").read_text())
    assert measured.keys() == committed.keys()
    assert measured["images"]["scores"].keys() == committed["images"]["scores"].keys()
    assert measured["runs"]["flow"]["command"] == "python run_flow.py"
    names = {path.name.replace("epoch1.", "epoch50.") for path in figures.iterdir()}
    assert names == {path.name for path in FIGURES.iterdir()}


def test_keeping_runs_that_are_not_there_is_one_line(tmp_path: Path) -> None:
    """--keep-runs without runs is an error that says what to do."""
    with pytest.raises(DriverError, match=r"--keep-runs finds no .*runs\.json"):
        measure.main(["--keep-runs", "--out-dir", str(tmp_path)])


# ---- what the README says -------------------------------------------------------------------


def test_readme_states_what_was_measured() -> None:
    """Every measured number stands in the README as it stands in measurements.json."""
    measured = json.loads((FIGURES / "measurements.json").read_text())
    text = README.read_text(encoding="utf-8")
    flow, images = measured["flow"], measured["images"]
    expected = [f"{value:.3f}" for key, value in flow.items() if "loss" in key or key == "entropy"]
    expected += [f"{100 * images['classifier_test_accuracy']:.1f} %"]
    for score in images["scores"].values():
        expected.append(f"{score['mean']:.2f} ± {score['deviation']:.2f}")
    expected += [f"{100 * images['intended_label_share']['all']:.1f} %"]
    for run in measured["runs"].values():
        expected += [f"`{run['command']}`", f"{run['cpu_s']:.0f} s"]
    assert [number for number in expected if number not in text] == []


def test_measured_runs_are_as_good_as_they_should_be() -> None:
    """The committed numbers reach the levels that are known to be within reach."""
    measured = json.loads((FIGURES / "measurements.json").read_text())
    flow, images = measured["flow"], measured["images"]
    # Below the true density's own loss on the same points would be a leak.
    assert flow["true_density_loss_on_test"] < flow["test_loss_best_epoch"] < 1.25
    assert flow["test_loss_last_epoch"] < 1.35
    scores = {name: score["mean"] for name, score in images["scores"].items()}
    assert scores["nonsaturating"] > 3.6
    assert scores["wasserstein_gp"] > 4.6
    assert scores["conditional"] > 6.5
    assert scores["real test images"] > max(
        scores[name] for name in ("nonsaturating", "wasserstein_gp", "conditional")
    )
    assert images["intended_label_share"]["all"] > 0.87
    assert images["classifier_test_accuracy"] > 0.89


def test_figures_stay_small() -> None:
    """No picture above 300 kB, all together below 2 MB."""
    sizes = [path.stat().st_size for path in FIGURES.iterdir()]
    assert max(sizes) < 300_000
    assert sum(sizes) < 2_000_000
