"""What `benchmarks/machines.py` grades, and what it complains about."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import machines
from benchmarks.correct_solutions import all_solutions
from benchmarks.machines import MACHINES, Graded, Machine, Verdict, line_of, problems, selected
from benchmarks.timing import Timed, timed

SOLUTIONS = list(all_solutions())
PASSED = Verdict("passed", 2.0, "Passed.")
GRADED = Graded(
    solution="reference",
    is_correct=True,
    machine="a",
    points=4.0,
    max_points=4.0,
    verdicts={"public/x.py::one": PASSED, "public/x.py::two": PASSED},
    grading=Timed(0, 6.0, 8.0),
    importing=Timed(0, 2.0, 1.6),
    peak_bytes=600 * 2**20,
    killed_for_memory=0,
)
FAILED = Verdict("failed", 0.0, "It did not return within 6 s.")


def test_the_same_verdicts_and_full_marks_are_no_problem() -> None:
    """A message may differ: it can hold a figure of the run."""
    other = replace(PASSED, message="Held-out: -1.191.")
    again = replace(GRADED, machine="b", verdicts={**GRADED.verdicts, "public/x.py::two": other})
    assert list(problems([GRADED, again])) == []


def test_points_lost_by_a_correct_solution_are_a_problem_even_on_every_machine() -> None:
    """The same loss everywhere is still a loss."""
    lost = [
        replace(GRADED, machine=letter, points=2.0, verdicts={"public/x.py::one": FAILED})
        for letter in "ab"
    ]
    assert list(problems(lost)) == [
        f"reference on {letter}: a correct solution has 2 of 4 points" for letter in "ab"
    ]


def test_a_verdict_that_differs_is_a_problem_also_of_an_incorrect_solution() -> None:
    """It says where, what, and what the student reads."""
    first = replace(GRADED, is_correct=False)
    other = replace(first, machine="d", points=2.0, verdicts={"public/x.py::one": FAILED})
    assert list(problems([first, other])) == [
        "reference, public/x.py::one: passed on a, failed (It did not return within 6 s.) on d",
        "reference, public/x.py::two: passed on a, missing on d",
    ]


def test_a_score_that_differs_under_the_same_verdict_is_a_problem() -> None:
    """Half of the points for a flow that trained less far, for instance."""
    half = replace(GRADED, machine="b", verdicts={**GRADED.verdicts, "public/x.py::one": FAILED})
    more = replace(half, machine="c")
    more = replace(more, verdicts={**more.verdicts, "public/x.py::one": replace(FAILED, score=1)})
    found = list(problems([replace(half, is_correct=False), replace(more, is_correct=False)]))
    assert [text.partition(":")[0] for text in found] == ["reference, public/x.py"]


def test_a_line_gives_times_in_imports_of_torch() -> None:
    """6 s of wall time are three imports of 2 s; 8 s of CPU are five of 1.6 s."""
    words = line_of(GRADED).split()
    assert words == ["reference", "a", "4", "600", "6.0", "3.0", "8.0", "5.0"]
    killed = line_of(replace(GRADED, killed_for_memory=2, peak_bytes=None))
    assert killed.endswith("2 killed for memory")
    assert killed.split()[3] == "-"


def test_solutions_have_names_of_their_own_and_are_python() -> None:
    """Every edit of the reference left files that Python reads."""
    assert len({solution.name for solution in SOLUTIONS}) == len(SOLUTIONS)
    for solution in SOLUTIONS:
        for path, text in solution.files.items():
            compile(text, path, "exec")


def test_every_solution_but_the_reference_differs_from_it() -> None:
    """An edit that replaced nothing would be the reference again."""
    reference = SOLUTIONS[0].files
    same = [solution.name for solution in SOLUTIONS if solution.files == reference]
    assert same == ["reference"]


def test_all_right_solutions_of_the_catalogue_are_graded() -> None:
    """None is left out, whatever it writes differently."""
    from autograder.homework.mistakes.right import RIGHT

    assert {entry.id for entry in RIGHT} <= {solution.name for solution in SOLUTIONS}


def test_a_spread_is_every_nth_of_what_matches() -> None:
    """The same ones each time."""
    assert selected(SOLUTIONS, [], 50) == SOLUTIONS[::50]
    assert [each.name for each in selected(SOLUTIONS, ["reference", "imports-w*"], 1)] == [
        "reference",
        "imports-wandb",
    ]


def test_machines_are_named_by_letters() -> None:
    """Others are refused with those that there are."""
    assert machines._machines("d,a") == [MACHINES[3], MACHINES[0]]
    with pytest.raises(argparse.ArgumentTypeError, match="'a,x' is not a list of a, b, c, d"):
        machines._machines("a,x")


def test_busy_loops_keep_two_processors_and_end() -> None:
    """What runs beside them is held to the same two; afterwards everything is as before."""
    before, children_before = os.sched_getaffinity(0), _children()
    ask = [sys.executable, "-S", "-c", "import os; print(len(os.sched_getaffinity(0)))"]
    with machines._conditions(Machine("z", "busy", busy_loops=2), with_groups=False) as group:
        assert group is None
        printed = subprocess.run(ask, capture_output=True, text=True, check=True).stdout
        started = _children() - children_before
        assert len(started) == 2
    assert int(printed) == min(2, len(before))
    assert os.sched_getaffinity(0) == before
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)


def _children() -> set[str]:
    """The ids of this process's children; earlier tests may have left some that end later."""
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


def test_a_command_is_timed_with_its_children() -> None:
    """CPU time of what it waited for counts; waiting is wall time only."""
    work = "import time\nt = time.process_time()\nwhile time.process_time() < t + 0.3: pass"
    shell = f"{sys.executable} -S -c '{work}'; sleep 0.3; exit 3"
    took = timed(["/bin/sh", "-c", shell])
    assert took.status == 3
    assert took.cpu_s >= 0.3
    assert took.wall_s >= 0.6
