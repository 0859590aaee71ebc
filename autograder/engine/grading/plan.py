"""Which checks there are, read from their source without importing it.

The supervisor must list every check from the first second, before numpy, pytest or anything else
has been imported, and also when one of them cannot be: so it reads the decorators
`@number("1.2.2")`, `@weight(1)` and `@visibility("hidden")` and the docstrings with `ast`.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from autograder.engine.grading.ledger import VISIBILITIES, PlannedCheck
from autograder.engine.grading.points import share_out
from autograder.engine.homework import Assignment, AssignmentError
from autograder.engine.release.manifest import files_that_grade

AUDIENCES = ("public", "private")
_NUMBER = re.compile(r"\d+(\.\d+)+")


@dataclass(frozen=True)
class _Found:
    check_id: str
    number: str
    title: str
    weight: float | None
    visibility: str | None


def plan_checks(assignment: Assignment) -> tuple[PlannedCheck, ...]:
    """List every check of a homework in the order of their numbers, with its points.

    The weights of a part's checks are its points when they add up to them, and share them out
    otherwise (`points.share_out`). What the settings say about a check goes before
    what they say about its part, that before the check's decorators, and these before the
    settings' word for all.

    Raises:
        AssignmentError: a file that is not Python, a check without number or title or with a
            decorator that makes no sense, a number or name used twice, a part without checks, a
            check whose part is not in assignment.toml, or settings for a check that is not there
            or cannot have them.
    """
    found = [
        _as_told(check, assignment)
        for audience in AUDIENCES
        for path in sorted((assignment.folder / "checks" / audience).glob("test_*.py"))
        for check in _read_checks(path, audience)
    ]
    by_part: dict[str, list[_Found]] = defaultdict(list)
    seen: dict[str, str] = {}
    for check in found:
        if check.number in seen:
            raise AssignmentError(
                f"{check.check_id}: number {check.number} is taken by {seen[check.number]}"
            )
        if check.check_id in seen.values():
            raise AssignmentError(
                f"{check.check_id}: defined twice, so only the last one would run"
            )
        seen[check.number] = check.check_id
        by_part[part_of(check.number)].append(check)
    _refuse_unknown(assignment, seen)
    for part in assignment.parts:
        if not any(check.weight for check in by_part[part.number]):
            raise AssignmentError(f"part {part.number} has no check that carries points")
    unknown = set(by_part) - set(assignment.part_titles)
    if unknown:
        raise AssignmentError(f"checks of unknown parts: {', '.join(sorted(unknown))}")
    plan = tuple(
        PlannedCheck(
            check_id=check.check_id,
            number=check.number,
            title=check.title,
            part=part.number,
            points=points,
            visibility=check.visibility or assignment.visibility,
        )
        for part in assignment.parts
        for check, points in _share_out(
            sorted(by_part[part.number], key=lambda check: _order(check.number)), part.points
        )
    )
    _refuse_a_leak_by_leaderboard(assignment, plan)
    return plan


def part_of(number: str) -> str:
    """Return "1.2" for "1.2.3"."""
    return number.rpartition(".")[0]


def hash_of_checks(assignment: Assignment) -> str:
    """Return a hash over everything that decides a grade: checks, engine and settings.

    Settings read from another file stand in for the homework's own, so that a bundle made with
    them, where they are the homework's own, has the same hash.
    """
    digest = hashlib.sha256()
    for name, path in files_that_grade(assignment.folder, assignment.package).items():
        digest.update(f"{name}\0".encode())
        digest.update(assignment.source_of(path).read_bytes())
    return digest.hexdigest()[:16]


def _as_told(check: _Found, assignment: Assignment) -> _Found:
    """Return a check with what the settings say about it, its part or its audience."""
    told = assignment.checks.get(check.number)
    of_part = {part.number: part.visibility for part in assignment.parts}
    private = check.check_id.startswith("private/")
    weight = check.weight
    if told is not None and told.weight is not None:
        weight = told.weight or None
    return replace(
        check,
        weight=weight,
        visibility=(told.visibility if told is not None else None)
        or of_part.get(part_of(check.number))
        or check.visibility
        or (assignment.private_visibility if private else None),
    )


def _refuse_unknown(assignment: Assignment, numbers: Collection[str]) -> None:
    """Refuse settings for checks that are not there."""
    board = assignment.leaderboard
    asked = {f'checks."{number}"': number for number in assignment.checks}
    if board is not None:
        asked["leaderboard.check"] = board.check
    for key, number in asked.items():
        if number not in numbers:
            near = difflib.get_close_matches(number, numbers, n=3)
            raise AssignmentError(
                f"{assignment.settings_file.name}: {key}: there is no check {number}; allowed: the "
                f"number of a check, such as {', '.join(near or sorted(numbers)[:3])}"
            )


def _refuse_a_leak_by_leaderboard(assignment: Assignment, plan: tuple[PlannedCheck, ...]) -> None:
    board = assignment.leaderboard
    for check in plan:
        if board is not None and check.number == board.check and check.visibility != "visible":
            raise AssignmentError(
                f"{assignment.settings_file.name}: leaderboard.show = true; allowed: false, as "
                f"long as check {check.number} is {check.visibility}: its figure would be seen at "
                "once"
            )


def _read_checks(path: Path, audience: str) -> tuple[_Found, ...]:
    try:
        text = path.read_text(encoding="utf-8")
    except ValueError as error:
        raise _not_python(f"{audience}/{path.name}", error) from None
    return _checks_in(text, f"{audience}/{path.name}")


@lru_cache(maxsize=64)  # who grades many submissions lists the same checks for each
def _checks_in(text: str, file: str) -> tuple[_Found, ...]:
    try:
        module = ast.parse(text, file)
    except (SyntaxError, ValueError) as error:
        raise _not_python(file, error) from None
    return tuple(
        _read_check(node, f"{file}::{node.name}")
        for node in module.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def _not_python(file: str, error: Exception) -> AssignmentError:
    return AssignmentError(f"{file}: cannot be read as Python: {error}")


def _read_check(node: ast.FunctionDef, check_id: str) -> _Found:
    marks: dict[str, Any] = {}
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name):
            name = decorator.func.id
            if name in ("number", "weight", "visibility") and len(decorator.args) == 1:
                marks[name] = _literal(decorator.args[0], f"{check_id}: @{name}")
    number, weight, visibility = (marks.get(k) for k in ("number", "weight", "visibility"))
    title = (ast.get_docstring(node) or "").partition("\n")[0]
    if not isinstance(number, str) or not _NUMBER.fullmatch(number) or not title:
        raise AssignmentError(f'{check_id}: a check needs @number("1.2.3") and a docstring')
    if weight is not None and not _is_positive(weight):
        raise AssignmentError(f"{check_id}: @weight({weight!r}) must be a number above 0")
    if visibility is not None and visibility not in VISIBILITIES:
        raise AssignmentError(
            f"{check_id}: @visibility({visibility!r}) must be one of {', '.join(VISIBILITIES)}"
        )
    return _Found(
        check_id,
        number,
        title,
        None if weight is None else float(weight),
        None if visibility is None else str(visibility),
    )


def _literal(node: ast.expr, what: str) -> Any:
    """Return what an argument says, without running the file that it stands in."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise AssignmentError(
            f"{what}({ast.unparse(node)}) must hold a plain number or text: no code is run for it"
        ) from None


def _is_positive(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value > 0


def _share_out(checks: list[_Found], points: float) -> list[tuple[_Found, float | None]]:
    """Give each check its points, and none to advice."""
    shares = iter(share_out(points, [c.weight for c in checks if c.weight is not None]))
    return [(check, None if check.weight is None else next(shares)) for check in checks]


def _order(number: str) -> tuple[int, ...]:
    return tuple(int(piece) for piece in number.split("."))
