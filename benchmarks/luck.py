"""Does a right solution ever lose a point by bad luck? `.venv/bin/python -m benchmarks.luck`.

Grades the reference and every right-but-different solution of the catalogue under many seeds of
`assignment.toml` (other cases, other weights, other draws) and counts lost points. What follows no
seed is left out: the training run of 1.3, fixed problems and weights, and advice. So are the checks
that never call what a solution writes differently: they see the reference's code, which is graded
under the same seeds itself. With no loss in n gradings, the chance of one is below 3/n with 95 %
confidence.

All 200 seeds take hours. With `--log FILE` each grading is kept as a line, and who runs it again
continues where it stopped; gradings by other checks do not count.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from autograder.engine.catalogue.audit import Case, audit
from autograder.engine.catalogue.cases import all_cases
from autograder.engine.grading.plan import hash_of_checks, plan_checks
from autograder.homework.catalogue import TRAINING
from tests.this_homework import THIS

# The settings' own seed is the audit's; these are as good as any.
_FIRST_SEED = 1000
# In the names of checks that come out the same under every seed.
_SEEDLESS = (
    "fixed_problems",
    "device",
    "regions_only",
    "large_logits",
    "left_unchanged",
    "density_integrates",
)


class Log:
    """The gradings done by these checks: (case, seed) and its complaints, a line of JSON each.

    Args:
        path: the file, made when it is absent; None keeps nothing.
        checks: the hash of the checks.
    """

    def __init__(self, path: Path | None, checks: str) -> None:
        self._path, self._checks = path, checks
        self.done: dict[str, list[str]] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                record = json.loads(line)
                if record["checks"] == checks:
                    self.done[record["case"]] = record["complaints"]

    def add(self, case: str, complaints: Sequence[str]) -> None:
        """Keep a grading."""
        self.done[case] = list(complaints)
        if self._path is not None:
            line = {"checks": self._checks, "case": case, "complaints": list(complaints)}
            with self._path.open("a", encoding="utf-8") as sink:
                sink.write(json.dumps(line) + "\n")


def under_seeds(
    cases: Sequence[Case], seeds: int, seedless: frozenset[str] = frozenset()
) -> Iterator[Case]:
    """Yield all cases under one seed, then under the next: who stops early has seen every case.

    Args:
        cases: right solutions.
        seeds: how many.
        seedless: numbers of checks to leave out.
    """
    for seed in range(_FIRST_SEED, _FIRST_SEED + seeds):
        for case in cases:
            skip = case.skip | seedless | {TRAINING}
            yield replace(case, id=f"{case.id}, seed {seed}", skip=skip, seed=seed)


def main() -> None:
    """Grade and print what was lost, and the bound that follows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, metavar="N")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("--only", default="*", metavar="PATTERN")
    parser.add_argument("--log", type=Path, metavar="FILE")
    options = parser.parse_args()
    homework = THIS
    plan = plan_checks(homework)
    solutions = [
        case
        for case in all_cases(THIS)
        if case.kind == "right" and case.seed is None and fnmatch.fnmatch(case.id, options.only)
    ]
    seedless = frozenset(
        check.number for check in plan if any(piece in check.check_id for piece in _SEEDLESS)
    )
    log = Log(options.log, hash_of_checks(homework))
    wanted = list(under_seeds(solutions, options.seeds, seedless))
    cases = [case for case in wanted if case.id not in log.done]
    with contextlib.suppress(KeyboardInterrupt):
        for row in audit(THIS, cases, options.jobs):
            log.add(row.case.id, row.complaints)
            for complaint in row.complaints:
                print(f"\n{row.case.id}: {complaint}")
            print(f"\r{len(log.done)} of {len(wanted)} gradings", end="", flush=True)
    done, lost = len(log.done), sum(map(len, log.done.values()))
    print(f"\n{done} gradings of {len(solutions)} right solutions: {lost} complaints")
    if not lost and done:
        print(f"chance of a loss: below {3 / done:.1e} with 95 % confidence")


if __name__ == "__main__":
    main()
