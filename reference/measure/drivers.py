"""Runs the four trainings of the handout as their user would, with the time they take."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REFERENCE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Training:
    """One training of the handout: its driver, the options, the folder it leaves."""

    script: str
    options: tuple[str, ...]
    folder: str

    @property
    def command(self) -> str:
        """The command that the assignment tells students to type."""
        return " ".join(["python", self.script, *self.options])


TRAININGS = {
    "flow": Training("run_flow.py", (), "maf"),
    "nonsaturating": Training("run_gan.py", (), "out_nonsaturating"),
    "wasserstein_gp": Training(
        "run_gan.py", ("--loss_type", "wasserstein_gp"), "out_wasserstein_gp"
    ),
    "conditional": Training("run_conditional_gan.py", (), "out_nonsaturating_conditional"),
}


@dataclass(frozen=True)
class Outcome:
    """The output of a driver, and the seconds it took."""

    output: str
    wall_s: float
    cpu_s: float


def run_training(training: Training, out_dir: Path, extra: Sequence[str] = ()) -> Outcome:
    """Run one driver on one thread; its progress goes to this process's error stream.

    Args:
        training: which one.
        out_dir: the folder under which the driver makes its own.
        extra: more options, such as --max-steps.

    Raises:
        subprocess.CalledProcessError: the driver did not end well.
    """
    command = [sys.executable, str(REFERENCE / training.script), *training.options]
    command += ["--out-dir", str(out_dir), *extra]
    wall, cpu = time.monotonic(), _cpu_of_children()
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        # Layers this small gain nothing from more threads; and the figures say what one takes.
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return Outcome(done.stdout, time.monotonic() - wall, _cpu_of_children() - cpu)


def _cpu_of_children() -> float:
    times = os.times()
    return times.children_user + times.children_system
