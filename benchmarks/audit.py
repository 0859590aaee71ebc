"""What a case of the audit costs: `.venv/bin/python -m benchmarks.audit --only 'cond-g-*'`.

Runs `python -m autograder audit` with one job in a control group, and prints the CPU seconds of a
case: the kernel's account of all its processes, divided by the cases. It ends with status 1 where
control groups cannot be made.

`--beside CHECKOUT` runs the audit of another checkout, such as a worktree of an earlier commit, at
the same time, since the speed of a machine changes meanwhile; the last line is the ratio. Both use
this project's virtual environment.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.control_groups import NoControlGroups, limited
from benchmarks.timing import timed

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Cost:
    """What an audit cost.

    Args:
        tree: the checkout.
        cases: how many were graded.
        cpu_s: user and system time of all processes.
        wall_s: from start to end.
    """

    tree: Path
    cases: int
    cpu_s: float
    wall_s: float

    @property
    def case_s(self) -> float:
        """CPU seconds a case."""
        return self.cpu_s / self.cases


def measure(tree: Path, only: str) -> Cost:
    """Run the audit of a checkout.

    Raises:
        RuntimeError: it failed, graded nothing, or a case has not the result that it must have.
        NoControlGroups: the kernel's account cannot be read here.
    """
    with tempfile.TemporaryDirectory(prefix="audit-") as name, limited() as group:
        printed = Path(name) / "printed"
        with printed.open("wb") as sink:
            words = [sys.executable, "-m", "autograder", "audit", "--jobs", "1"]
            run = timed(
                [*words, "--only", only, "--out", name], group, cwd=tree, stdout=sink, stderr=sink
            )
        lines = printed.read_text(encoding="utf-8", errors="replace").splitlines()
        cases = sum(line.startswith("[") for line in lines)
        if run.status != 0 or not cases:
            failed = [line for line in lines if ": FAIL" in line] or lines[-2:]
            raise RuntimeError(f"{tree}: status {run.status}, {' / '.join(failed)}")
        return Cost(tree, cases, group.account().cpu_s, run.wall_s)


def main(words: Sequence[str] | None = None) -> int:
    """Measure one checkout or two, and print what they cost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="*", metavar="PATTERN", help="which cases (default: all)")
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="another checkout")
    options = parser.parse_args(words)
    trees = [ROOT, *([options.beside.resolve()] if options.beside is not None else [])]
    try:
        with ThreadPoolExecutor(len(trees)) as pool:
            costs = list(pool.map(partial(measure, only=options.only), trees))
    except (NoControlGroups, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    for cost in costs:
        print(
            f"{cost.tree}: {cost.cases} cases, {cost.case_s:.2f} s of CPU each, "
            f"{cost.wall_s:.0f} s in all"
        )
    if len(costs) > 1:
        print(f"the first takes {costs[0].case_s / costs[1].case_s:.2f} times the CPU of the other")
    return 0


if __name__ == "__main__":
    sys.exit(main())
