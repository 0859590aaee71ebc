"""How long a grading takes and how much memory: `.venv/bin/python benchmarks/grading.py`.

Grades a submission (default: the reference) several times through `run_autograder`, as a user
would, and prints wall time, CPU time and the greatest sum of PSS over all processes of the
grading (memory that several processes share counts once). PSS needs Linux.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
_SAMPLE_S = 0.1


@dataclass(frozen=True)
class Measurement:
    """One grading: seconds of wall time and CPU, and bytes."""

    wall_s: float
    cpu_s: float
    peak_pss_bytes: int


def measure(submission: Path, *, with_memory: bool) -> Measurement:
    """Grade once. Reading PSS costs time itself, so the two are measured in different runs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [ROOT / "run_autograder", submission, "--results", Path(folder) / "results.json"],
            stdout=subprocess.DEVNULL,
        )
        peak = 0
        while with_memory and process.poll() is None:
            peak = max(peak, _pss(process.pid))
            time.sleep(_SAMPLE_S)
        if process.wait() != 0:
            raise SystemExit(f"run_autograder ended with status {process.returncode}")
    wall_s = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measurement(wall_s, cpu_s, peak)


def _pss(pid: int) -> int:
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            try:
                total += process.memory_full_info().pss
            except psutil.Error:
                continue  # it ended while we looked
    except psutil.Error:
        return 0
    return total


def main() -> None:
    """Measure and print medians with the range."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("submission", nargs="?", type=Path, default=ROOT / "reference")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    measure(options.submission, with_memory=False)  # fills the caches
    runs = [measure(options.submission, with_memory=False) for _ in range(options.runs)]
    memory = measure(options.submission, with_memory=True).peak_pss_bytes
    for name, values in (
        ("wall", [run.wall_s for run in runs]),
        ("CPU", [run.cpu_s for run in runs]),
    ):
        print(
            f"{name:5} {statistics.median(values):6.2f} s "
            f"(least {min(values):.2f}, most {max(values):.2f}, {len(values)} runs)"
        )
    print(f"peak  {memory / 2**20:6.0f} MiB (sum of PSS over all processes)")


if __name__ == "__main__":
    main()
