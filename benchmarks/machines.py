"""The same verdict on every machine: `.venv/bin/python -m benchmarks.machines`.

Grades the reference, solutions that real machines made trouble for (`correct_solutions.py`) and all
right solutions of the catalogue through `./run_autograder`, each time with fresh processes in a
fresh control group, as the platform does:

    a  no limits
    b  half a processor and 768 MB, the platform's default container
    c  one processor and 1 GB
    d  two processors with eight busy loops beside the grading

Prints a line for each grading: points, peak memory by the kernel's account (page cache included),
and wall and CPU time in units of `python -c "import torch"` in the same conditions. Ends with
status 1 if a correct solution lost points, or if a verdict or a score differs between machines.

Everything takes hours; `--spread 20` grades every 20th solution, `--only 'imports-*'` some by name.
Limits need control groups, so in practice root: without them only a and d are run.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.control_groups import Group, limited, why_not
from benchmarks.correct_solutions import Solution, all_solutions
from benchmarks.timing import IMPORT_TORCH, Timed, timed

ROOT = Path(__file__).resolve().parents[1]
_MIB = 2**20
# Ends by itself when its parent has gone, however that ended.
_BUSY_LOOP = """
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


@dataclass(frozen=True)
class Machine:
    """Conditions for a grading: limits, or company."""

    letter: str
    title: str
    cpu: float | None = None
    memory_bytes: int | None = None
    busy_loops: int = 0

    @property
    def is_limited(self) -> bool:
        """Whether it takes a control group."""
        return self.cpu is not None or self.memory_bytes is not None


MACHINES = (
    Machine("a", "no limits"),
    Machine("b", "half a processor, 768 MB", 0.5, 768 * _MIB),
    Machine("c", "one processor, 1 GB", 1.0, 1024 * _MIB),
    Machine("d", "two processors, eight busy loops", busy_loops=8),
)


@dataclass(frozen=True)
class Verdict:
    """The outcome of one check."""

    verdict: str
    score: float | None
    message: str


@dataclass(frozen=True)
class Graded:
    """One grading on one machine, and an import of torch in the same conditions."""

    solution: str
    is_correct: bool
    machine: str
    points: float
    max_points: float
    verdicts: Mapping[str, Verdict]
    grading: Timed
    importing: Timed
    peak_bytes: int | None
    killed_for_memory: int

    @property
    def wall_ratio(self) -> float:
        """Wall time in imports of torch."""
        return self.grading.wall_s / self.importing.wall_s

    @property
    def cpu_ratio(self) -> float:
        """CPU time in imports of torch."""
        return self.grading.cpu_s / self.importing.cpu_s


# ---- grading ----------------------------------------------------------------------------------


def grade_on(machine: Machine, solution: Solution, *, with_groups: bool) -> Graded:
    """Import torch, then grade a solution, both in the conditions of a machine.

    Args:
        machine: the conditions.
        solution: what to grade.
        with_groups: whether control groups can be made; without them a machine without limits
            is measured all the same, but for its peak memory.
    """
    with tempfile.TemporaryDirectory(prefix="machines-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # workers are users of their own
        for path, text in solution.files.items():
            (folder / "submission" / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "submission" / path).write_text(text, encoding="utf-8")
        results = folder / "results.json"
        command: list[str | Path] = [
            ROOT / "run_autograder",
            folder / "submission",
            "--results",
            results,
        ]
        with _conditions(machine, with_groups) as group:
            importing = timed(IMPORT_TORCH, group)
        # A group of its own, so that the peak is the grading's.
        with _conditions(machine, with_groups) as group, (folder / "log").open("wb") as log:
            grading = timed(command, group, stdout=log, stderr=log)
            account = None if group is None else group.account()
        if grading.status != 0 or not results.exists():
            printed = (folder / "log").read_text(encoding="utf-8", errors="replace")
            raise SystemExit(
                f"{solution.name} on {machine.letter}: run_autograder ended with status "
                f"{grading.status}:\n{printed[-2000:]}"
            )
        tests = json.loads(results.read_text(encoding="utf-8"))["tests"]
    return Graded(
        solution=solution.name,
        is_correct=solution.is_correct,
        machine=machine.letter,
        points=round(sum(test.get("score", 0) for test in tests), 4),
        max_points=round(sum(test.get("max_score", 0) for test in tests), 4),
        verdicts={
            test["extra_data"]["check_id"]: Verdict(
                test["extra_data"]["verdict"],
                test.get("score"),
                test["output"].strip().partition("\n")[0],
            )
            for test in tests
        },
        grading=grading,
        importing=importing,
        peak_bytes=None if account is None else account.peak_bytes,
        killed_for_memory=0 if account is None else account.killed_for_memory,
    )


@contextlib.contextmanager
def _conditions(machine: Machine, with_groups: bool) -> Iterator[Group | None]:
    """Make the conditions of a machine, and take them away again."""
    with contextlib.ExitStack() as stack:
        group = None
        if with_groups or machine.is_limited:
            group = stack.enter_context(limited(machine.cpu, machine.memory_bytes))
        if machine.busy_loops:
            stack.enter_context(_two_processors())
            for _ in range(machine.busy_loops):
                stack.enter_context(_busy_loop(group))
        yield group


@contextlib.contextmanager
def _two_processors() -> Iterator[None]:
    """Hold this process, and what it starts, to two processors."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:2])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def _busy_loop(group: Group | None) -> Iterator[None]:
    """Keep a process busy. It joins the grading's group, where each counts for one process.

    It gets a session of its own: Linux may share processors out among sessions first.
    """
    command = [sys.executable, "-I", "-S", "-c", _BUSY_LOOP]
    process = (
        subprocess.Popen(command, start_new_session=True)
        if group is None
        else group.start(command, start_new_session=True)
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


# ---- comparing --------------------------------------------------------------------------------


def problems(gradings: Sequence[Graded]) -> Iterator[str]:
    """Say which correct solutions lost points, and which verdicts differ between machines."""
    first: dict[str, Graded] = {}
    for graded in gradings:
        if graded.is_correct and graded.points < graded.max_points:
            yield (
                f"{graded.solution} on {graded.machine}: a correct solution has "
                f"{graded.points:g} of {graded.max_points:g} points"
            )
        against = first.setdefault(graded.solution, graded)
        for check_id in {**against.verdicts, **graded.verdicts}:
            here, there = (each.verdicts.get(check_id) for each in (graded, against))
            if _told(here) != _told(there):
                yield (
                    f"{graded.solution}, {check_id}: {_shown(there)} on {against.machine}, "
                    f"{_shown(here)} on {graded.machine}"
                )


def _told(verdict: Verdict | None) -> tuple[str, float | None] | None:
    """What must agree. A message may hold a figure of the run."""
    return None if verdict is None else (verdict.verdict, verdict.score)


def _shown(verdict: Verdict | None) -> str:
    if verdict is None:
        return "missing"
    said = f" ({verdict.message})" if verdict.verdict != "passed" and verdict.message else ""
    return f"{verdict.verdict}{said}"


def selected(solutions: Sequence[Solution], patterns: Sequence[str], spread: int) -> list[Solution]:
    """Return the solutions that match one of the patterns, and every N-th of these."""
    matching = [
        solution
        for solution in solutions
        if not patterns or any(fnmatch.fnmatch(solution.name, each) for each in patterns)
    ]
    return matching[::spread]


# ---- printing ---------------------------------------------------------------------------------

_HEADING = (
    f"{'solution':<36} {'on':2} {'points':>8} {'peak MB':>8} {'wall s':>7} {'wall x':>7} "
    f"{'CPU s':>7} {'CPU x':>7}"
)


def line_of(graded: Graded) -> str:
    """Return a grading's line of the table."""
    peak = "-" if graded.peak_bytes is None else f"{graded.peak_bytes / _MIB:.0f}"
    killed = f"  {graded.killed_for_memory} killed for memory" if graded.killed_for_memory else ""
    return (
        f"{graded.solution:<36} {graded.machine:2} {graded.points:8g} {peak:>8} "
        f"{graded.grading.wall_s:7.1f} {graded.wall_ratio:7.1f} "
        f"{graded.grading.cpu_s:7.1f} {graded.cpu_ratio:7.1f}{killed}"
    )


def _machines(letters: str) -> list[Machine]:
    known = {machine.letter: machine for machine in MACHINES}
    wanted = letters.replace(",", " ").split()
    if not wanted or not known.keys() >= set(wanted):
        raise argparse.ArgumentTypeError(f"{letters!r} is not a list of {', '.join(known)}")
    return [known[letter] for letter in wanted]


def main() -> int:
    """Grade, print and compare; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--machines", type=_machines, default=list(MACHINES), metavar="a,b,c,d")
    parser.add_argument("--only", nargs="+", default=[], metavar="PATTERN", help="by name")
    parser.add_argument("--spread", type=int, default=1, metavar="N", help="every N-th solution")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all gradings there")
    options = parser.parse_args()
    if options.spread < 1:
        parser.error(f"--spread {options.spread} must be at least 1")
    solutions = selected(list(all_solutions()), options.only, options.spread)
    if not solutions:
        parser.error(f"no solution matches {' or '.join(options.only)}")
    machines: list[Machine] = options.machines
    if obstacle := why_not():
        left_out = [machine.letter for machine in machines if machine.is_limited]
        machines = [machine for machine in machines if not machine.is_limited]
        print(f"Control groups cannot be made here ({obstacle}): no peak memory", end="")
        print(f", and no grading on {', '.join(left_out)}." if left_out else ".")
        if not machines:
            return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and so clean up
    for machine in machines:
        print(f"{machine.letter}: {machine.title}")
    print(f"x: in imports of torch in the same conditions\n\n{_HEADING}", flush=True)
    done: list[Graded] = []
    for solution in solutions:
        for machine in machines:
            done.append(grade_on(machine, solution, with_groups=not obstacle))
            print(line_of(done[-1]), flush=True)
            if options.json is not None:
                text = json.dumps([asdict(graded) for graded in done], indent=1)
                options.json.write_text(text + "\n", encoding="utf-8")
    found = list(problems(done))
    print()
    for problem in found:
        print(problem)
    print(f"{len(solutions)} solutions, {len(done)} gradings: {len(found)} problems.")
    return 1 if found else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
