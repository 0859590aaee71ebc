"""How far does a small GAN move? `.venv/bin/python -m benchmarks.small_gans --seeds 200`.

Trains the small GANs of 2.2.6, 4.2.7 and 5.5.8 with the reference's losses in this process, with
other images, initial weights and draws for every seed. Prints the share of the way to the data that
each pair of losses covered, which a correct solution needs `REQUIRED_SHARE` of.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, cast

import torch

from autograder.engine.judge.caller import Caller
from autograder.engine.judge.calls import Call, Ending, Outcome
from autograder.engine.sandbox.experiment import StudentCode
from autograder.engine.sandbox.experiment import run as run_experiment
from autograder.homework.experiments import EXPERIMENTS
from autograder.homework.student import Student
from autograder.homework.training_runs.gan_training import (
    RECIPE,
    REQUIRED_SHARE,
    share_covered,
    small_problem,
)
from tests.this_homework import REFERENCE, THIS

_LOSSES = ("loss_nonsaturating", "conditional_loss_nonsaturating", "loss_wasserstein_gp")
_FIRST_SEED = 1000


class _CallerHere:
    """Runs a started call at once, in this process."""

    def start(self, call: Call) -> Outcome:
        code = StudentCode(REFERENCE, THIS.code_folder)
        recorder = run_experiment(
            call.experiment, call.arguments, call.arrays, call.seed, code, EXPERIMENTS
        )
        return Outcome(Ending.RETURNED, recorder.values, recorder.arrays)

    def finish(self, pending: Outcome) -> Outcome:
        return pending


def share(seed: int, losses: str) -> float:
    """Train one small GAN with the reference's losses; return the share of the way it moved."""
    torch.set_num_threads(1)
    problem = small_problem(losses.startswith("conditional"), seed)
    student = Student(cast(Caller, _CallerHere()), seed)
    names = (f"{losses}_d", f"{losses}_g")
    pending: Any = student.start_gan_training(
        names, problem.images, problem.labels, problem.weights, RECIPE
    )
    return share_covered(problem, student.finish_gan_training(pending, problem.weights))


def main(words: Sequence[str] | None = None) -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=200, metavar="N")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    options = parser.parse_args(words)
    seeds = range(_FIRST_SEED, _FIRST_SEED + options.seeds)
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        for losses in _LOSSES:
            shares = sorted(pool.map(partial(share, losses=losses), seeds))
            print(
                f"{losses}: {shares[0]:.2f} to {shares[-1]:.2f}, median "
                f"{statistics.median(shares):.2f}; {sum(s < REQUIRED_SHARE for s in shares)} of "
                f"{len(shares)} below the required {REQUIRED_SHARE}",
                flush=True,
            )


if __name__ == "__main__":
    main()
