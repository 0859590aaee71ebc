"""The preflight: the problems that keep a bundle from being written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from autograder.engine.catalogue.audit import Case, Row
from autograder.engine.grading.ledger import Entry, Verdict
from autograder.engine.grading.plan import plan_checks
from autograder.engine.homework import CheckSettings, Homework
from autograder.engine.release import preflight
from autograder.engine.release.archive import File
from autograder.engine.release.preflight import Preflight, sample
from autograder.engine.sandbox.isolated import ROOT
from tests.this_homework import THIS

TEMPLATE = ROOT / "student_template"


@pytest.fixture(scope="module")
def homework() -> Homework:
    """The real settings."""
    return THIS


def test_the_sample_covers_all_parts_and_depends_on_the_seed() -> None:
    """The same seed gives the same cases, another seed gives others."""
    cases = [
        Case(f"{kind}-{part}-{n}", kind, "", {}, parts=frozenset({part}), edits=frozenset({part}))
        for kind in ("wrong", "right")
        for part in ("1.1", "1.2", "2.2")
        for n in range(20)
    ]
    chosen = sample(cases, ["1.1", "1.2", "2.2"], seed=1, each=2)
    kinds = [(case.kind, *case.edits) for case in chosen]
    for part in ("1.1", "1.2", "2.2"):
        assert kinds.count(("wrong", part)) == 2
        assert kinds.count(("right", part)) == 1
    assert sample(reversed(cases), ["1.1", "1.2", "2.2"], seed=1, each=2) == chosen
    assert sample(cases, ["1.1", "1.2", "2.2"], seed=2, each=2) != chosen


def results_of(homework: Homework, *, full: bool, **changes: Any) -> dict[str, Any]:
    """The correct results of the reference (or the template), with changes by check number."""
    tests = []
    for check in plan_checks(homework):
        test: dict[str, Any] = {
            "name": f"{check.number} {check.title}",
            "output": "text",
            "extra_data": {"verdict": "passed" if full else "not attempted"},
        }
        if check.points is not None:
            test |= {"max_score": check.points, "score": check.points if full else 0}
        tests.append({**test, **changes.get(check.number, {})})
    return {"output": "", "tests": tests}


def fake(homework: Homework, results: dict[str, Any], **changes: Any) -> Preflight:
    """A preflight whose bundle gives these results for any submission."""
    lines = ("#!/bin/sh", "mkdir results", "cat > results/results.json <<'END'")
    script = "\n".join((*lines, json.dumps(results), "END", ""))
    made = Preflight(
        homework=homework,
        files={"run_autograder": File(script.encode(), executable=True)},
        cases=[],
        leaks=lambda: [],
        jobs=1,
    )
    return replace(made, **changes)


@pytest.fixture
def no_audit(monkeypatch: pytest.MonkeyPatch) -> list[Row]:
    """Rows instead of the grading of the catalogue's cases."""
    rows: list[Row] = []

    def audit(_homework: Homework, _cases: Sequence[Case], *_rest: object) -> Iterator[Row]:
        yield from rows

    monkeypatch.setattr(preflight, "audit", audit)
    return rows


def problems_of(made: Preflight) -> list[tuple[str, ...]]:
    """The problems with points, reference, template, catalogue and leaks."""
    return [result.problems for result in made.results()]


@pytest.mark.usefixtures("no_audit")
def test_a_correct_bundle_passes(homework: Homework) -> None:
    """Full marks are correct for the reference and a problem for the template."""
    passing = fake(homework, results_of(homework, full=True), leaks=lambda: [])
    points, reference, template, catalogue, leaks = problems_of(passing)
    assert (points, reference, catalogue, leaks) == ((), (), (), ())
    assert "it gets 65 points" in template
    empty = fake(homework, results_of(homework, full=False))
    _, reference, template, _, _ = problems_of(empty)
    assert template == ()
    assert "it gets 0 points" in reference


@pytest.mark.usefixtures("no_audit")
@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"1.1.1": {"score": 0.1}}, "1.1.1 "),
        ({"1.1.1": {"score": 0, "max_score": 0}}, "the maximum is not 65 points"),
        ({"1.3.5": {"extra_data": {"verdict": "grader error"}}}, "1.3.5 Advice"),
    ],
)
def test_points_that_the_reference_loses_are_named(
    homework: Homework, changes: dict[str, Any], problem: str
) -> None:
    """A lost point, a wrong maximum and an error of the grader are problems."""
    problems = problems_of(fake(homework, results_of(homework, full=True, **changes)))
    assert any(line.startswith(problem) for line in problems[1]), problems[1]


@pytest.mark.usefixtures("no_audit")
def test_a_bundle_without_results_fails(homework: Homework) -> None:
    """Its output is quoted, such as the name of a missing module."""
    broken = {"run_autograder": File(b"#!/bin/sh\necho no module x\nexit 1\n", executable=True)}
    problems = problems_of(fake(homework, {}, files=broken))
    for problem in problems[1:3]:
        assert problem[0].startswith("no results: ")
        assert "no module x" in problem[0]


@pytest.mark.usefixtures("no_audit")
def test_an_assignment_without_points_and_a_leak_are_problems(homework: Homework) -> None:
    """The sum must be above 0, and leaks are passed on."""
    parts = tuple(replace(part, points=0.0) for part in homework.parts)
    worthless = replace(homework, parts=parts)
    leaking = fake(worthless, {}, leaks=lambda: ["a.py tells z"])
    problems = problems_of(leaking)
    assert problems[0] == ("the checks are worth 0 points, the parts 0",)
    assert problems[-1] == ("a.py tells z",)


def test_a_missed_case_is_a_problem_unless_its_check_has_no_weight(
    homework: Homework, no_audit: list[Row]
) -> None:
    """The problem names the case; settings that give its check no points excuse it."""
    case = Case("swapped", "wrong", "Swaps them.", {}, parts=frozenset({"1.1"}))
    check = next(c for c in plan_checks(homework) if c.number == "1.1.1")
    entries = {check.check_id: Entry(check.check_id, Verdict.FAILED, 0.0, "no")}
    no_audit.append(Row(case, entries, 0.1, ("keeps full marks in 1.1",)))
    stopped = fake(homework, results_of(homework, full=True))
    assert problems_of(stopped)[3] == ("swapped (Swaps them.) keeps full marks in 1.1",)
    weightless = replace(homework, checks={"1.1.1": CheckSettings(weight=0.0)})
    excused = fake(weightless, results_of(weightless, full=True))
    assert problems_of(excused)[3] == ()
