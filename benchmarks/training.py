"""How steady is the flow's training run? `.venv/bin/python -m benchmarks.training --runs 200`.

`--known-blocks` measures the run with known maps in place of the MADE blocks. `--make-start`
makes the weights that one of the two runs starts from, before they are disturbed, and nothing else.

Trains the reference's flow as check 1.3.4 does, with another order of the batches every time, which
is what a right solution with other rounding comes to: chaos makes another run of it. Prints the
held-out log-likelihoods, how many lie below what full points ask for, and what follows for a right
solution that may try several orders.
"""

from __future__ import annotations

import argparse
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context

import numpy as np
import torch

from autograder.engine.sandbox import frames
from autograder.engine.sandbox.experiment import Recorder, StudentCode
from autograder.homework.experiments.training import train_flow
from autograder.homework.oracles.moons import standardised_split
from autograder.homework.problems.arrays import maf_arrays
from autograder.homework.training_runs import start
from autograder.homework.training_runs.flow_training import (
    KNOWN,
    KNOWN_RECIPE,
    ORDERS,
    OWN,
    RECIPE,
    SEED,
    Setup,
    held_out_mean,
    weights_of,
)
from tests.this_homework import REFERENCE, THIS

# The grading's own orders are among the first right solutions of the audit; these are others.
_FIRST_ORDER = 10_000
_START_SEED = 4
# Two trainings, one after the other, with the seeds of their orders.
_START_RECIPES = (
    ({"batch": 400, "epochs": 100, "peak_learning_rate": 1.5e-2, "average_decay": 0.99}, 4),
    ({"batch": 800, "epochs": 150, "peak_learning_rate": 8e-3, "average_decay": 0.99}, 5),
)
_START_RECIPES_OF_MAPS = (
    ({"batch": 400, "epochs": 60, "peak_learning_rate": 3e-2, "average_decay": 0.99}, 4),
    ({"batch": 800, "epochs": 100, "peak_learning_rate": 1e-2, "average_decay": 0.99}, 5),
)


def trained(setup: Setup, order_seed: int) -> Recorder:
    """Train the reference's flow once."""
    torch.set_num_threads(1)
    arrays: dict[str, frames.Array] = dict(maf_arrays(setup.blocks))
    arrays["x_train"] = standardised_split(SEED)[0]
    recorder = Recorder()
    train_flow(
        StudentCode(REFERENCE, THIS.code_folder),
        {**setup.recipe, "order_seed": order_seed},
        {name: torch.from_numpy(array.copy()) for name, array in arrays.items()},
        recorder,
    )
    return recorder


def run(order_seed: int, known: bool) -> tuple[float | None, float]:
    """Train once; return the held-out log-likelihood, None when given up, and CPU seconds."""
    setup = KNOWN if known else OWN
    started = time.process_time()
    recorder = trained(setup, order_seed)
    seconds = time.process_time() - started
    if "gave_up_at_step" in recorder.values:
        return None, seconds
    held_out = standardised_split(SEED)[2]
    return held_out_mean(weights_of(recorder.arrays, setup.blocks), held_out), seconds


def make_start(known: bool) -> None:
    """Train a flow for long and write its weights to where a grading reads them."""
    rng = np.random.default_rng(_START_SEED)
    setup = Setup(KNOWN_RECIPE, start.random_maps(rng), ())
    recipes, place = _START_RECIPES_OF_MAPS, start.TRAINED_MAPS
    if not known:
        setup = Setup(RECIPE, start.random_weights(rng), ())
        recipes, place = _START_RECIPES, start.TRAINED
    for changes, order_seed in recipes:
        recorder = trained(replace(setup, recipe={**setup.recipe, **changes}), order_seed)
        setup = replace(setup, blocks=weights_of(recorder.arrays, setup.blocks))
    np.savez_compressed(place, allow_pickle=False, **recorder.arrays)
    reached = held_out_mean(setup.blocks, standardised_split(SEED)[2])
    print(f"{place}: {reached:.3f} nats per held-out point")


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100, metavar="N")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("--known-blocks", action="store_true")
    parser.add_argument("--make-start", action="store_true")
    options = parser.parse_args()
    if options.make_start:
        make_start(options.known_blocks)
        return
    enough = THIS.sections["training"]["full_log_likelihood"]
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        one = partial(run, known=options.known_blocks)
        ended = list(pool.map(one, range(_FIRST_ORDER, _FIRST_ORDER + options.runs)))
    reached = sorted(value for value, _ in ended if value is not None)
    below = sum(value < enough for value in reached) + len(ended) - len(reached)
    print(
        f"{len(ended)} runs, {statistics.mean(s for _, s in ended):.2f} s CPU each: mean "
        f"{statistics.mean(reached):.3f} nats, standard deviation {statistics.stdev(reached):.3f}, "
        f"worst {', '.join(f'{value:.3f}' for value in reached[:3])}; "
        f"{len(ended) - len(reached)} given up"
    )
    share = (below or 3) / len(ended)  # none in n: below 3/n with 95 % confidence
    at_most = "" if below else " at most, with 95 % confidence"
    print(
        f"{below} below the {enough:g} nats of full points: {share:.1e}{at_most}; all "
        f"{len(ORDERS)} orders that a right solution may try: {share ** len(ORDERS):.1e}{at_most}"
    )


if __name__ == "__main__":
    main()
