"""`bundle`: build the zip for Gradescope, after the preflight test."""

from __future__ import annotations

import argparse
import hashlib
import math
import re
import tempfile
import time
from functools import partial
from pathlib import Path

from autograder.commands.common import (
    DONE,
    FOUND_SOMETHING,
    UsageError,
    add_homework,
    add_jobs,
    add_out,
    at_least_one,
    load_homework,
)
from autograder.engine.catalogue.cases import all_cases
from autograder.engine.grading.plan import hash_of_checks, plan_checks
from autograder.engine.homework import Homework
from autograder.engine.release.archive import write_zip
from autograder.engine.release.bundle import collect
from autograder.engine.release.handout import HandoutError, build_handout
from autograder.engine.release.manifest import SecretFileNeeded
from autograder.engine.release.preflight import Preflight, sample

# Measured in the default container (docs/container.md), and a size with room for imports.
_PEAK_MB, _MEMORY_GB = 470, 1


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_out(parser, "dist/autograder.zip", "FILE", "the zip")
    add_homework(parser)
    parser.add_argument(
        "--torch-index",
        default="",
        metavar="ADDRESS",
        help="package index for PyTorch on the platform, such as that of its CPU wheels, which "
        "are several gigabytes smaller (default: pip's own index)",
    )
    parser.add_argument(
        "--sample",
        type=at_least_one,
        default=2,
        metavar="N",
        help="incorrect solutions that the preflight grades for each part (default: 2)",
    )
    add_jobs(parser)
    parser.set_defaults(run=_bundle)


def _bundle(options: argparse.Namespace) -> int:
    if options.out.is_dir():
        raise UsageError(f"--out must name a file, {options.out} is a folder")
    if options.torch_index and not re.fullmatch(r"(https?|file)://\S+", options.torch_index):
        raise UsageError(f"--torch-index {options.torch_index!r} is no address")
    started = time.monotonic()
    homework = load_homework(options, "reference", "template")
    plan_checks(homework)  # report settings that do not match the checks first
    files = collect(homework, options.torch_index)
    preflight = Preflight(
        homework=homework,
        files=files,
        cases=sample(
            all_cases(homework),
            list(homework.part_titles),
            homework.seed,
            options.sample,
        ),
        leaks=partial(_leaks_in_handout, homework),
        jobs=options.jobs,
    )
    stopped = False
    print("Preflight:")
    for result in preflight.results():
        verdict = "STOP" if result.problems else "ok"
        print(f"  {verdict:<4} {result.name} ({result.seconds:.0f} s)", flush=True)
        for sentence in result.problems:
            print("         " + sentence.rstrip().replace("\n", "\n         "))
        stopped |= bool(result.problems)
    if stopped:
        print(f"{options.out} was not written. An existing one is from an earlier run.")
        return FOUND_SOMETHING
    # Stored, not deflated: another version of zlib would give other bytes.
    write_zip(options.out, files, compress=False)
    print(_about(options.out, len(files), homework, time.monotonic() - started))
    print(_next_steps(options.out, homework))
    return DONE


def _leaks_in_handout(homework: Homework) -> list[str]:
    """Build the students' zip; return the leaks in it."""
    with tempfile.TemporaryDirectory(prefix="handout-") as folder:
        try:
            build_handout(homework, Path(folder))
        except (HandoutError, SecretFileNeeded) as error:
            return str(error).splitlines()
    return []


def _about(path: Path, files: int, homework: Homework, seconds: float) -> str:
    data = path.read_bytes()
    return (
        f"\n{path} written after {seconds:.0f} s: {files} files, {len(data) / 1024:.0f} KiB\n"
        f"  sha256 of the zip   {hashlib.sha256(data).hexdigest()}\n"
        f"  hash of the checks  {hash_of_checks(homework)} (checks_sha256 in every "
        "results.json)\n"
        f"  seed                {homework.seed}"
    )


def _next_steps(path: Path, homework: Homework) -> str:
    minutes = math.ceil(homework.platform_timeout_s / 60)
    board = homework.leaderboard
    leaderboard = f"enable the leaderboard ({board.name!r})" if board else "no leaderboard"
    return f"""
Next, on Gradescope:
  1. Create Assignment > Programming Assignment. "Autograder points": {homework.points:g};
     {leaderboard}.
  2. Container: the default (0.5 CPU, 0.75 GB) is enough for small networks, which take
     {_PEAK_MB} MB; {_MEMORY_GB} GB leaves room for packages that submissions import.
     "Autograder timeout": {minutes} minutes.
  3. Configure Autograder: upload {path.name}, base image Ubuntu 22.04, Update Autograder.
     The image builds once; most of the time goes to PyTorch.
  4. Test Autograder with the reference's files: {homework.points:g} points. Then with the
     template's: 0."""
