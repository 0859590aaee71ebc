"""Which checks there are, read from their source without importing it.

The supervisor must list every check from the first second, before numpy, pytest or anything else
has been imported, and also when one of them cannot be: so it reads the decorators
`@number("1.2.2")`, `@weight(1)` and `@visibility("hidden")` and the docstrings with `ast`.
"""

from __future__ import annotations

import ast
import hashlib
import math
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.engine.assignment import Assignment, AssignmentError
from autograder.engine.ledger import VISIBILITIES, PlannedCheck

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

    The weights of a part's checks are its points when they add up to them, and are scaled to do so
    when an instructor gave the part other points.

    Raises:
        AssignmentError: a file that is not Python, a check without number or title or with a
            decorator that makes no sense, a number or name used twice, a part without checks or a
            check whose part is not in assignment.toml.
    """
    found = [
        check
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
    for part in assignment.parts:
        if not any(check.weight for check in by_part[part.number]):
            raise AssignmentError(f"part {part.number} has no check that carries points")
    unknown = set(by_part) - set(assignment.part_titles)
    if unknown:
        raise AssignmentError(f"checks of unknown parts: {', '.join(sorted(unknown))}")
    return tuple(
        _planned(check, part.number, points, assignment.visibility)
        for part in assignment.parts
        for check, points in _share_out(
            sorted(by_part[part.number], key=lambda check: _order(check.number)), part.points
        )
    )


def part_of(number: str) -> str:
    """Return "1.2" for "1.2.3"."""
    return number.rpartition(".")[0]


def hash_of_checks(assignment: Assignment) -> str:
    """Return a hash over everything that decides a grade: the whole homework and engine."""
    digest = hashlib.sha256()
    engine = Path(__file__).resolve().parent
    for root in (engine, assignment.folder):
        for path in sorted(root.rglob("*")):
            # Who works on the pages of a class must not have to grade it again.
            if path.is_relative_to(engine / "classroom"):
                continue
            if path.suffix in (".py", ".toml") and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _read_checks(path: Path, audience: str) -> list[_Found]:
    try:
        module = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    except (SyntaxError, ValueError) as error:
        raise AssignmentError(
            f"{audience}/{path.name}: cannot be read as Python: {error}"
        ) from None
    return [
        _read_check(node, f"{audience}/{path.name}::{node.name}")
        for node in module.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


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
    """Give each check its points: cents, of sums that are rounded, so that they add up."""
    total = sum(check.weight or 0.0 for check in checks)
    shares: list[tuple[_Found, float | None]] = []
    weight = given = 0.0
    last = max(i for i, check in enumerate(checks) if check.weight is not None)
    for i, check in enumerate(checks):
        if check.weight is None:
            shares.append((check, None))
            continue
        weight += check.weight
        upto = points if i == last else min(round(points * weight / total, 2), points)
        shares.append((check, check.weight if total == points else round(upto - given, 4)))
        given = upto
    return shares


def _planned(
    check: _Found, part: str, points: float | None, default_visibility: str
) -> PlannedCheck:
    return PlannedCheck(
        check_id=check.check_id,
        number=check.number,
        title=check.title,
        part=part,
        points=points,
        visibility=check.visibility or default_visibility,
    )


def _order(number: str) -> tuple[int, ...]:
    return tuple(int(piece) for piece in number.split("."))
