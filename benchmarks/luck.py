"""Does a right solution ever lose a point by bad luck? `.venv/bin/python -m benchmarks.luck`.

Grades the reference and every right-but-different solution of the catalogue under many seeds of
`assignment.toml` (other cases, other weights, other draws) and counts lost points. The training run
of 1.3 follows no seed and is left out. With no loss in n gradings, the chance of one is below 3/n
with 95 % confidence.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import fnmatch
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from autograder.commands.common import HOMEWORK, REFERENCE, TEMPLATE
from autograder.engine.assignment import load_assignment
from autograder.engine.audit import Case
from autograder.engine.inventory import plan_checks
from autograder.engine.judges import WarmJudges
from autograder.engine.supervisor import Request, grade
from autograder.engine.worker.confine import die_with_parent
from autograder.engine.worker.launch import ZygoteHolder
from autograder.homework.mistakes.cases import all_cases

_TRAINING = "1.3.4"
# The settings' own seed comes first; the others are as good as any.
_FIRST_SEED = 1000
_SEEDS_AT_A_TIME = 5


@dataclass(frozen=True)
class Shared:
    """What all gradings of one process share."""

    folder: Path
    zygote: ZygoteHolder
    judges: WarmJudges


_SHARED: list[Shared] = []


def _start() -> None:
    die_with_parent()
    folder = Path(tempfile.mkdtemp(prefix="luck-"))
    folder.chmod(0o711)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "workers").mkdir(mode=0o711)
    zygote = ZygoteHolder(HOMEWORK, folder / "workers", folder / "log")
    _SHARED.append(Shared(folder, zygote, WarmJudges(HOMEWORK)))


def lost_points(case: Case, parts: frozenset[str], seeds: range) -> list[str]:
    """Grade one right solution under every seed; return a line for every point lost."""
    shared = _SHARED[0]
    for path, text in case.files.items():
        (shared.folder / "submission" / path).parent.mkdir(parents=True, exist_ok=True)
        (shared.folder / "submission" / path).write_text(text, encoding="utf-8")
    return [line for seed in seeds for line in _one_grading(case, parts, seed, shared)]


def _one_grading(case: Case, parts: frozenset[str], seed: int, shared: Shared) -> Iterator[str]:
    folder = shared.folder
    given = load_assignment(HOMEWORK)
    config = folder / "assignment.toml"
    text = (given.folder / "assignment.toml").read_text(encoding="utf-8")
    config.write_text(text.replace(f"seed = {given.seed}", f"seed = {seed}"), encoding="utf-8")
    assignment = load_assignment(HOMEWORK, config)
    wanted = [
        check
        for check in plan_checks(assignment)
        if check.part in parts and check.points and check.number != _TRAINING
    ]
    report = grade(
        Request(
            submission=folder / "submission",
            results=folder / "results.json",
            assignment=assignment,
            config=config,
            pristine=TEMPLATE,
            only=tuple(check.check_id for check in wanted),
        ),
        shared.zygote,
        shared.judges,
    )
    for check in wanted:
        entry = report.entries[check.check_id]
        if entry.share < 1:
            yield f"{case.id}, seed {seed}: {check.number} {entry.verdict.value}: {entry.feedback}"


def main() -> None:
    """Grade and print what was lost, and the bound that follows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, metavar="N")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("--only", default="*", metavar="PATTERN")
    options = parser.parse_args()
    all_parts = frozenset(load_assignment(HOMEWORK).part_titles)
    cases = [
        case
        for case in all_cases(REFERENCE, TEMPLATE)
        if case.kind == "right" and fnmatch.fnmatch(case.id, options.only)
    ]
    done, lost = 0, []
    with ProcessPoolExecutor(
        options.jobs, mp_context=get_context("spawn"), initializer=_start
    ) as pool:
        # A few seeds of every case at a time: whoever stops it early has seen all cases.
        futures = {
            pool.submit(lost_points, case, case.edits or all_parts, block): len(block)
            for block in _blocks(options.seeds)
            for case in cases
        }
        with contextlib.suppress(KeyboardInterrupt):
            for future in as_completed(futures):
                done += futures[future]
                for line in future.result():
                    lost.append(line)
                    print(line)
                print(f"\r{done} of {len(cases) * options.seeds} gradings", end="", flush=True)
        pool.shutdown(cancel_futures=True)
    print(f"\n{done} gradings of {len(cases)} right solutions: points lost in {len(lost)} checks")
    if not lost and done:
        print(f"chance of a loss: below {3 / done:.1e} with 95 % confidence")


def _blocks(seeds: int) -> Iterator[range]:
    for first in range(0, seeds, _SEEDS_AT_A_TIME):
        last = min(first + _SEEDS_AT_A_TIME, seeds)
        yield range(_FIRST_SEED + first, _FIRST_SEED + last)


if __name__ == "__main__":
    main()
