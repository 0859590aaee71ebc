"""How long a grading takes and how much memory: `.venv/bin/python -m benchmarks.grading`.

Grades a submission (default: the reference) several times through `run_autograder`, as a user
would, in turn with `python -c "import torch"`, which is the unit: no machine can grade with less.
Prints wall time, CPU time, the ratios, and the greatest sum of PSS over all processes of the
grading (memory that several processes share counts once). PSS needs Linux.

`--limit-cpu 0.5 --limit-memory 768M` measures inside a control group with these limits, as in the
platform's default container, and prints the peak by the kernel's account too. It needs root.
`--by-process` prints which processes of a grading use its CPU time.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.by_process import KINDS, cpu_by_process
from benchmarks.control_groups import Group, NoControlGroups, limited
from benchmarks.timing import IMPORT_TORCH, Timed, timed

ROOT = Path(__file__).resolve().parents[1]
_SAMPLE_S = 0.1
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


def grade(submission: Path, group: Group | None) -> Timed:
    """Grade once.

    Raises:
        RuntimeError: run_autograder failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        command: list[str | Path] = [ROOT / "run_autograder", submission, "--results", results]
        took = timed(command, group, stdout=subprocess.DEVNULL)
    if took.status != 0:
        raise RuntimeError(f"run_autograder ended with status {took.status}")
    return took


def peak_pss(submission: Path) -> int:
    """Grade once more; return the greatest sum of PSS, in bytes. Reading it costs time itself."""
    peak = 0
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [ROOT / "run_autograder", submission, "--results", Path(folder) / "results.json"],
            stdout=subprocess.DEVNULL,
        )
        while process.poll() is None:
            peak = max(peak, _pss(process.pid))
            time.sleep(_SAMPLE_S)
    if process.returncode != 0:
        raise RuntimeError(f"run_autograder ended with status {process.returncode}")
    return peak


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


def print_times(submission: Path, runs: int, cpu: float | None, memory: int | None) -> None:
    """Print the times of gradings and of imports in turn, under limits where some are given.

    Raises:
        NoControlGroups: limits are given and cannot be had here.
    """
    imports, gradings, peaks = [], [], []
    for _ in range(runs + 1):  # the first one fills the caches
        with contextlib.ExitStack() as stack:
            is_limited = cpu is not None or memory is not None
            group = stack.enter_context(limited(cpu, memory)) if is_limited else None
            imports.append(timed(IMPORT_TORCH, group))
            gradings.append(grade(submission, group))
            peaks.append(None if group is None else group.account().peak_bytes)
    del imports[0], gradings[0], peaks[0]
    for name, of_grading, of_import in (
        ("wall", [run.wall_s for run in gradings], [run.wall_s for run in imports]),
        ("CPU", [run.cpu_s for run in gradings], [run.cpu_s for run in imports]),
    ):
        ratios = [one / unit for one, unit in zip(of_grading, of_import, strict=True)]
        print(
            f"{name:5} {_median(of_grading, 's')}; import torch {_median(of_import, 's')}; "
            f"ratio {_median(ratios)}; {runs} runs"
        )
    known = [peak for peak in peaks if peak is not None]
    if known:
        print(f"peak  {max(known) / 2**20:6.0f} MiB (the kernel's account, page cache included)")


def print_by_process(submission: Path, runs: int) -> None:
    """Print which processes use the CPU time, in seconds and in imports of torch."""
    imports, gradings = [], []
    for _ in range(runs):
        imports.append(timed(IMPORT_TORCH).cpu_s)
        gradings.append(cpu_by_process(submission))
    unit_s = statistics.median(imports)
    print(f"CPU time by process, medians of {runs} runs; import torch takes {unit_s:.2f} s")
    for kind in KINDS:
        seconds = statistics.median(grading[kind] for grading in gradings)
        print(f"  {kind:<36} {seconds:6.2f} s {seconds / unit_s:6.2f} imports")
    total = statistics.median(sum(grading.values()) for grading in gradings)
    print(f"  {'all':<36} {total:6.2f} s {total / unit_s:6.2f} imports")


def _median(values: Sequence[float], unit: str = "") -> str:
    unit = f" {unit}" if unit else ""
    return f"{statistics.median(values):.2f}{unit} ({min(values):.2f} to {max(values):.2f})"


def size(text: str) -> int:
    """Read a number of bytes, such as 768M (of 1024 K each)."""
    found = re.fullmatch(r"(\d+)([KMG]?)", text, re.IGNORECASE)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write for instance 768M")
    return int(found[1]) * _UNITS[found[2].upper()]


def main() -> int:
    """Measure and print medians with the range; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("submission", nargs="?", type=Path, default=ROOT / "reference")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--limit-cpu", type=float, metavar="N", help="processors, such as 0.5")
    parser.add_argument("--limit-memory", type=size, metavar="SIZE", help="such as 768M")
    parser.add_argument("--by-process", action="store_true", help="where the CPU time goes")
    options = parser.parse_args()
    if options.by_process:
        print_by_process(options.submission, options.runs)
        return 0
    try:
        print_times(options.submission, options.runs, options.limit_cpu, options.limit_memory)
    except NoControlGroups as error:
        print(f"Limits need control groups, which cannot be made here ({error}).")
        return 2
    if options.limit_cpu is None and options.limit_memory is None:
        peak = peak_pss(options.submission)
        print(f"peak  {peak / 2**20:6.0f} MiB (sum of PSS over all processes)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
