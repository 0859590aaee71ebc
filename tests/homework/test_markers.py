"""The checks' references to each other."""

from __future__ import annotations

import ast

from autograder.engine.grading.plan import part_of, plan_checks
from tests.this_homework import THIS

_PLAN = {check.check_id: check for check in plan_checks(THIS)}
_MARKERS = ("requires_any_of", "explained_by")


def references() -> dict[str, list[tuple[str, str]]]:
    """The numbers in the markers of each check, with the marker's name, by the check's number."""
    found: dict[str, list[tuple[str, str]]] = {check.number: [] for check in _PLAN.values()}
    for path in sorted((THIS.folder / "checks").glob("*/test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
                continue
            own = _PLAN[f"{path.parent.name}/{path.name}::{node.name}"].number
            for mark in node.decorator_list:
                match mark:
                    case ast.Call(func=ast.Attribute(attr=name)) if name in _MARKERS:
                        found[own] += [(name, ast.literal_eval(number)) for number in mark.args]
    return found


def test_a_check_refers_to_other_checks_of_its_part() -> None:
    """A number that no check has would be ignored without a word."""
    known = {check.number for check in _PLAN.values() if check.points}
    for own, named in references().items():
        for marker, number in named:
            assert number in known - {own}, (own, marker, number)
            assert part_of(number) == part_of(own), (own, marker, number)


def test_what_explains_a_failure_runs_before() -> None:
    """It has a lower number, or the check requires it; else it would be overlooked."""
    named = references()
    assert sum(marker == "explained_by" for of in named.values() for marker, _ in of) > 20
    for own, of_check in named.items():
        required = {number for marker, number in of_check if marker == "requires_any_of"}
        for marker, number in of_check:
            if marker == "explained_by":
                earlier = [int(n) for n in number.split(".")] < [int(n) for n in own.split(".")]
                assert earlier or number in required, (own, number)
