"""Does a right solution ever lose a point by bad luck? `.venv/bin/python -m benchmarks.luck`.

Grades the reference and every right-but-different solution of the catalogue under many seeds of
`assignment.toml` (other cases, other weights, other draws) and counts lost points. The training run
of 1.3 follows no seed and is left out. With no loss in n gradings, the chance of one is below 3/n
with 95 % confidence.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import replace

from autograder.commands.common import HOMEWORK, REFERENCE, TEMPLATE
from autograder.engine.audit import Case, audit
from autograder.homework.mistakes.cases import TRAINING, all_cases

# The settings' own seed is the audit's; these are as good as any.
_FIRST_SEED = 1000


def under_seeds(cases: Sequence[Case], seeds: int) -> Iterator[Case]:
    """Yield all cases under one seed, then under the next: who stops early has seen every case."""
    for seed in range(_FIRST_SEED, _FIRST_SEED + seeds):
        for case in cases:
            skip = case.skip | {TRAINING}
            yield replace(case, id=f"{case.id}, seed {seed}", skip=skip, seed=seed)


def main() -> None:
    """Grade and print what was lost, and the bound that follows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, metavar="N")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("--only", default="*", metavar="PATTERN")
    options = parser.parse_args()
    solutions = [
        case
        for case in all_cases(REFERENCE, TEMPLATE)
        if case.kind == "right" and case.seed is None and fnmatch.fnmatch(case.id, options.only)
    ]
    cases = list(under_seeds(solutions, options.seeds))
    done = lost = 0
    with contextlib.suppress(KeyboardInterrupt):
        for row in audit(HOMEWORK, cases, TEMPLATE, options.jobs):
            done += 1
            for complaint in row.complaints:
                lost += 1
                print(f"\n{row.case.id}: {complaint}")
            print(f"\r{done} of {len(cases)} gradings", end="", flush=True)
    print(f"\n{done} gradings of {len(solutions)} right solutions: {lost} complaints")
    if not lost and done:
        print(f"chance of a loss: below {3 / done:.1e} with 95 % confidence")


if __name__ == "__main__":
    main()
