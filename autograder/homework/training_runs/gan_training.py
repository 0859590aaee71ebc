"""Small GANs trained with the student's losses, judged on the generator's weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autograder.engine.judge.calls import Caller, PendingCall
from autograder.engine.judge.exceptions import CheckFailed
from autograder.homework.problems.probe_networks import Array
from autograder.homework.student import Student
from autograder.homework.training_runs.run import Run

PIXELS = 784
N_CLASSES = 10
DIM_Z = 4
HIDDEN_SIZE = 16
N_IMAGES = 400
STEPS = 50
RECIPE = {"batch": 32, "steps": STEPS, "d_learning_rate": 1e-2, "g_learning_rate": 6e-2}
# The required share of the way from the first mean image to the data's. The reference moved 0.47 to
# 1.56 of the way with 200 seeds for each part (`python -m benchmarks.small_gans --seeds 200`);
# without learning it is about 0.
REQUIRED_SHARE = 0.35


@dataclass(frozen=True, eq=False)
class SmallProblem:
    """Images around one mean (or one per class), and networks that start far from it.

    Args:
        images: (N_IMAGES, 784).
        labels: (N_IMAGES,), int64.
        means: the mean image of every class, (10, 784); all equal when there are no classes.
        weights: the networks' initial parameters, under the experiments' names.
    """

    images: Array
    labels: np.ndarray[tuple[int], np.dtype[np.int64]]
    means: Array
    weights: dict[str, Array]


def small_problem(conditional: bool, seed: int) -> SmallProblem:
    """Draw a problem and the networks' initial weights."""
    rng = np.random.default_rng((seed, int(conditional)))
    classes = N_CLASSES if conditional else 1
    means = 0.5 * np.sign(rng.standard_normal((classes, PIXELS)))
    labels = np.arange(N_IMAGES, dtype=np.int64) % N_CLASSES
    own = labels if conditional else np.zeros_like(labels)
    images = means[own] + 0.2 * rng.standard_normal((N_IMAGES, PIXELS))
    weights = {
        "g.weight": 0.05 * rng.standard_normal((PIXELS, DIM_Z)),
        "g.bias": 0.05 * rng.standard_normal(PIXELS),
        "d.w1": rng.standard_normal((HIDDEN_SIZE, PIXELS)) / np.sqrt(PIXELS),
        "d.b1": np.zeros(HIDDEN_SIZE),
        "d.w2": rng.standard_normal((classes, HIDDEN_SIZE)) / np.sqrt(HIDDEN_SIZE),
        "d.b2": np.zeros(classes),
    }
    if conditional:
        weights["g.label_embedding"] = 0.05 * rng.standard_normal((N_CLASSES, PIXELS))
    return SmallProblem(images, labels, np.resize(means, (N_CLASSES, PIXELS)), weights)


def share_covered(problem: SmallProblem, weights: dict[str, Array]) -> float:
    """The share of the way to the data's mean images that the generator moved; < 0: away from them.

    The movement of the mean image is projected on the straight line from the first to the data's
    one, and averaged over the classes.
    """

    def mean_images(weights: dict[str, Array]) -> Array:
        return weights["g.bias"] + weights.get("g.label_embedding", np.zeros((N_CLASSES, PIXELS)))

    needed = problem.means - mean_images(problem.weights)
    moved = mean_images(weights) - mean_images(problem.weights)
    return float(((moved * needed).sum(axis=1) / (needed**2).sum(axis=1)).mean())


def _movement(share: float, goal: str) -> str:
    """Say how far the generator moved; a share below 0 is a move in the wrong direction."""
    percent = f"{abs(share):.0%}"
    if share < 0 and percent != "0%":
        return f"It moved away from {goal}, by {percent} of its first distance"
    return f"It moved {percent} of the way to {goal}"


class GanTraining(Run):
    """One training with two losses, judged by `check`.

    Args:
        caller: of a separate worker, which ends with the run.
        seed: of the problem and of the initial weights.
        functions: the d loss and the g loss.
    """

    def __init__(self, caller: Caller, seed: int, functions: tuple[str, str]) -> None:
        super().__init__(caller)
        self._student = Student(caller, seed)
        self._functions = functions
        self._conditional = functions[0].startswith("conditional")
        self._problem = small_problem(self._conditional, seed)

    def _begin(self) -> PendingCall:
        problem = self._problem
        return self._student.start_gan_training(
            self._functions, problem.images, problem.labels, problem.weights, RECIPE
        )

    def check(self) -> None:
        """Wait for the run and judge the trained generator.

        Raises:
            CheckFailed: it did not move near the data, or the run raised.
            CheckStopped: it was not attempted, hung or died.
        """
        weights = self._student.finish_gan_training(self._take(), self._problem.weights)
        share = share_covered(self._problem, weights)
        if not share >= REQUIRED_SHARE:
            d, g = self._functions
            goal = "the mean image" + (" of every class" if self._conditional else "")
            raise CheckFailed(
                f"A small GAN trained with {d} and {g} does not learn its data.",
                where=f"{STEPS} training steps on {N_IMAGES} images of shape (1, 28, 28).",
                numbers=f"{_movement(share, goal)}; at least {REQUIRED_SHARE:.0%} is required "
                "(correct losses reach 45% or more).",
            )
