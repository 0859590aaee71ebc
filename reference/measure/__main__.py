"""Runs the handout's four trainings in full, measures what came out, writes it all down."""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from codebase.command_line import DriverError, run_driver
from codebase.data import NUM_CLASSES, load_fashion_mnist, make_moons
from codebase.network import ConditionalGenerator, Generator
from codebase.training import CHECKPOINT
from measure.classifier import Classifier, class_probabilities, train_classifier
from measure.drivers import REFERENCE, TRAININGS, run_training
from measure.entropy import best_loss, standardised_entropy
from measure.figures import save_confusion, save_real_images
from measure.scores import confusion_matrix, generate, inception_score

FIGURES = REFERENCE.parent / "docs" / "reference"
RUNS = REFERENCE.parent / "dist" / "reference"
MEASUREMENTS = "measurements.json"
RECORD = "runs.json"  # in the folder of the runs: what the drivers printed and took
IMAGES = 10_000  # that each generator is scored on
SEED = 236  # of the latents, and of the classifier


def main(argv: Sequence[str] | None = None) -> None:
    """Train (or take what an earlier call trained), score, and write figures and numbers."""
    parser = argparse.ArgumentParser(prog="python -m measure", description=__doc__)
    parser.add_argument("--out-dir", type=Path, default=RUNS, help="where the drivers train")
    parser.add_argument(
        "--figures", type=Path, default=FIGURES, help="where figures and measurements.json go"
    )
    parser.add_argument("--data-dir", type=Path, default=Path("data"), help="of Fashion-MNIST")
    parser.add_argument(
        "--keep-runs", action="store_true", help="score what lies in --out-dir, train nothing"
    )
    parser.add_argument("--max-steps", type=int, help="cut every epoch short, for a quick try")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)  # so that the seconds are those of one thread

    extra = ["--data-dir", str(options.data_dir)]
    if options.max_steps:
        extra += ["--max-steps", str(options.max_steps)]
    record = options.out_dir / RECORD
    if not options.keep_runs:
        train_all(options.out_dir, extra)
    elif not record.is_file():
        raise DriverError(f"--keep-runs finds no {record}; leave it out to train")
    measured = {
        "machine": f"Python {platform.python_version()}, torch {torch.__version__}, one thread",
        "runs": json.loads(record.read_text(encoding="utf-8")),
        "flow": measure_flow(options.out_dir),
        "images": measure_images(options.out_dir, options.data_dir, options.figures),
    }
    copy_figures(options.out_dir, options.figures)
    path = options.figures / MEASUREMENTS
    path.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(measured, indent=2))


def train_all(out_dir: Path, extra: Sequence[str]) -> None:
    """Run the four drivers one after the other and keep the time each takes."""
    out_dir.mkdir(parents=True, exist_ok=True)
    runs: dict[str, Any] = {}
    for name, training in TRAININGS.items():
        outcome = run_training(training, out_dir, extra)
        runs[name] = {
            "command": training.command,
            "wall_s": round(outcome.wall_s, 1),
            "cpu_s": round(outcome.cpu_s, 1),
        }
        (out_dir / RECORD).write_text(json.dumps(runs, indent=2) + "\n", encoding="utf-8")


def measure_flow(out_dir: Path) -> dict[str, float]:
    """Return the flow's held-out losses and the best possible ones, in nats."""
    state = _checkpoint(out_dir, "flow")
    history = state["history"]
    best = min(history, key=lambda report: float(report["validation"]))
    test = make_moons(state["settings"]["--seed"]).test.double().numpy()
    return {
        "epochs": len(history),
        "test_loss_last_epoch": round(history[-1]["test"], 4),
        "best_epoch": best["epoch"],
        "test_loss_best_epoch": round(best["test"], 4),
        "entropy": round(standardised_entropy(), 4),
        "true_density_loss_on_test": round(best_loss(test), 4),
    }


def measure_images(out_dir: Path, data_dir: Path, figures: Path) -> dict[str, Any]:
    """Return the classifier's accuracy and the scores of real and generated images."""
    figures.mkdir(parents=True, exist_ok=True)
    train, test = load_fashion_mnist(data_dir), load_fashion_mnist(data_dir, train=False)
    started = time.process_time()
    classifier = train_classifier(train, seed=SEED)
    seconds = time.process_time() - started
    real = class_probabilities(classifier, test.images)
    seen = real.argmax(dim=1)
    results: dict[str, Any] = {
        "classifier_test_accuracy": round(float((seen == test.labels).double().mean()), 4),
        "classifier_cpu_s": round(seconds, 1),
        "scored": IMAGES,
        "scores": {"real test images": _score(real)},
    }
    real_table = confusion_matrix(test.labels, seen, NUM_CLASSES)
    save_confusion(real_table, figures / "confusion_real.png", title="Real test images (%)")
    save_real_images(train, figures / "real_images.png")
    for name in ("nonsaturating", "wasserstein_gp"):
        torch.manual_seed(SEED)
        images = generate(_generator(out_dir, name, Generator()), Generator().dim_z, IMAGES)
        results["scores"][name] = _score(class_probabilities(classifier, images))
    results["scores"]["conditional"], results["intended_label_share"] = _conditional(
        out_dir, classifier, figures
    )
    return results


def _conditional(
    out_dir: Path, classifier: Classifier, figures: Path
) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the conditional generator's score, and how often its labels are recognised."""
    torch.manual_seed(SEED)
    labels = torch.arange(NUM_CLASSES).repeat(IMAGES // NUM_CLASSES)
    network = _generator(out_dir, "conditional", ConditionalGenerator())
    images = generate(network, ConditionalGenerator().dim_z, IMAGES, labels)
    probabilities = class_probabilities(classifier, images)
    table = confusion_matrix(labels, probabilities.argmax(dim=1), NUM_CLASSES)
    save_confusion(table, figures / "confusion.png", title="Conditional GAN, one epoch (%)")
    shares = [round(share, 3) for share in table.diagonal().tolist()]
    return _score(probabilities), {"all": round(sum(shares) / len(shares), 3), "by_label": shares}


def copy_figures(out_dir: Path, figures: Path) -> None:
    """Copy the drivers' last figures to where the README shows them."""
    figures.mkdir(parents=True, exist_ok=True)
    flow = out_dir / TRAININGS["flow"].folder
    last = max(flow.glob("samples_epoch*.png"), key=lambda path: int(path.stem[13:]))
    for path in (last, *(flow / f"{name}.png" for name in ("density", "samples_beside_data"))):
        shutil.copy(path, figures / f"flow_{path.name}")
    for name, training in TRAININGS.items():
        folder = out_dir / training.folder
        shutil.copy(folder / "loss_curve.png", figures / f"{name}_loss_curve.png")
        if name != "flow":
            last = max(folder.glob("fake_*.png"), key=lambda path: int(path.stem[5:]))
            shutil.copy(last, figures / f"{name}_images.png")


def _checkpoint(out_dir: Path, name: str) -> dict[str, Any]:
    path = out_dir / TRAININGS[name].folder / CHECKPOINT
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _generator(out_dir: Path, name: str, network: torch.nn.Module) -> torch.nn.Module:
    network.load_state_dict(_checkpoint(out_dir, name)["g"])
    return network


def _score(probabilities: torch.Tensor) -> dict[str, float]:
    score = inception_score(probabilities)
    return {"mean": round(score.mean, 2), "deviation": round(score.deviation, 2)}


if __name__ == "__main__":
    run_driver(main)
