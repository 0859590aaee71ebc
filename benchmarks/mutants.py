"""Is any small change of a right solution seen? `.venv/bin/python -m benchmarks.mutants`.

cosmic-ray (`pip install cosmic-ray`), which knows nothing of this homework, changes the solution
regions of the reference by one operator, number or keyword at a time. Every mutant is graded; one
that loses points is killed. Survivors are printed as a difference, for a person to say whether they
are equivalent. The training run is asked only about mutants that survive all else.
"""

from __future__ import annotations

import argparse
import difflib
import re
import time
from collections.abc import Iterator
from dataclasses import replace

from cosmic_ray.mutating import MutationVisitor
from cosmic_ray.plugins import get_operator, operator_names

from autograder.engine.catalogue.audit import Case, audit
from autograder.engine.catalogue.cases import touched
from autograder.engine.catalogue.solutions import Wrong
from autograder.engine.grading.ledger import Verdict
from autograder.engine.grading.plan import plan_checks
from autograder.homework.catalogue import CATALOGUE
from tests.this_homework import THIS, reference_files


def mutants() -> Iterator[Case]:
    """Yield every mutant whose change lies in a solution region."""
    texts, plan = reference_files(), plan_checks(THIS)
    for name, text in texts.items():
        regions = _regions_by_line(text)
        for operator in sorted(operator_names()):
            for occurrence, mutated in enumerate(_mutations(text, operator)):
                changed = _first_difference(text, mutated)
                region = regions.get(changed)
                if region is None:
                    continue
                short = operator.partition("/")[2]
                yield Case(
                    id=f"{name.partition('/')[2]}:{changed}:{short}:{occurrence}",
                    kind="wrong",
                    sentence="\n".join(_difference(text, mutated)),
                    files={**texts, name: mutated},
                    parts=frozenset({region.partition(" ")[0]}),
                    **touched(CATALOGUE, plan, Wrong("mutant", region, "", "")),
                )


def _mutations(text: str, name: str) -> Iterator[str]:
    operator = get_operator(name)
    try:
        made = operator()
    except TypeError:  # it wants arguments: the names of variables to replace
        return
    occurrence = 0
    while (mutated := MutationVisitor.mutate_code(text, made, occurrence)) is not None:
        yield mutated
        occurrence += 1


def _regions_by_line(text: str) -> dict[int, str]:
    regions, region = {}, None
    for number, line in enumerate(text.splitlines()):
        if begin := re.search(r"# BEGIN SOLUTION (.+)", line):
            region = begin[1]
        elif "# END SOLUTION" in line:
            region = None
        elif region is not None:
            regions[number] = region
    return regions


def _first_difference(text: str, mutated: str) -> int:
    pairs = zip(text.splitlines(), mutated.splitlines(), strict=False)
    return next((i for i, (one, other) in enumerate(pairs) if one != other), -1)


def _difference(text: str, mutated: str) -> list[str]:
    lines = difflib.unified_diff(text.splitlines(), mutated.splitlines(), n=0, lineterm="")
    return [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def survivors(cases: list[Case], jobs: int) -> Iterator[Case]:
    """Grade; print how far it is; yield the mutants that lose no point."""
    for done, row in enumerate(audit(THIS, cases, jobs), 1):
        print(f"\r{done} of {len(cases)} mutants", end="", flush=True)
        trouble = [e for e in row.entries.values() if e.verdict is Verdict.GRADER_ERROR]
        if trouble:
            print(f"\n{row.case.id}: {trouble[0].feedback}\n{row.case.sentence}")
        if all(entry.share == 1 for entry in row.entries.values()):
            yield row.case
    print()


def main() -> None:
    """Grade all mutants and print the survivors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth mutant")
    options = parser.parse_args()
    started = time.monotonic()
    cases = list_of_mutants()[:: options.every]
    left = list(survivors(cases, options.jobs))
    left = list(survivors([replace(case, skip=frozenset()) for case in left], options.jobs))
    for case in left:
        print(f"\nsurvived: {case.id}\n{case.sentence}")
    print(
        f"\n{len(cases)} mutants: {len(cases) - len(left)} killed, {len(left)} survived; "
        f"{time.monotonic() - started:.0f} s"
    )


def list_of_mutants() -> list[Case]:
    """Return all mutants, the same text once."""
    unique = {tuple(case.files.values()): case for case in mutants()}
    return list(unique.values())


if __name__ == "__main__":
    main()
