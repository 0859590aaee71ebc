"""The plan: all checks of a homework with their points, read from source without importing it.

The supervisor lists every check before anything else is imported, and also when a file of checks
cannot be imported. So it reads the decorators `@number("1.2.2")`, `@weight(1)` and
`@visibility("hidden")` and the docstrings with `ast`.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from autograder.engine.grading.ledger import VISIBILITIES, PlannedCheck
from autograder.engine.grading.points import share_out
from autograder.engine.homework import CheckSettings, Homework, HomeworkError
from autograder.engine.release.manifest import files_that_grade

AUDIENCES = ("public", "private")
_NUMBER = re.compile(r"\d+(\.\d+)+")


@dataclass(frozen=True)
class _Declared:
    """A check as its file declares it; without a weight it is advice."""

    check_id: str
    number: str
    title: str
    weight: float | None
    visibility: str | None


def plan_checks(homework: Homework) -> tuple[PlannedCheck, ...]:
    """List every check of a homework in the order of their numbers, with its points.

    Points follow from the weights (`points.share_out`). The settings of a check override those of
    its part, which override the check's decorators, which override the default for all checks.

    Raises:
        HomeworkError: a file is not Python; a check has no number or title, or a decorator with
            an impossible value; a number or name is used twice; a part has no checks, or checks
            belong to no part; the settings name a check that does not exist or cannot have them.
    """
    by_part: dict[str, list[_Declared]] = {part.number: [] for part in homework.parts}
    ids: dict[str, str] = {}  # by number
    for audience in AUDIENCES:
        for path in sorted((homework.folder / "checks" / audience).glob("test_*.py")):
            for check in _read_checks(path, audience):
                if check.number in ids:
                    raise HomeworkError(
                        f"{check.check_id}: number {check.number} is already used by "
                        f"{ids[check.number]}"
                    )
                if check.check_id in ids.values():
                    raise HomeworkError(
                        f"{check.check_id}: defined twice, so only the last one would run"
                    )
                ids[check.number] = check.check_id
                check = _with_settings(check, homework)
                by_part.setdefault(part_of(check.number), []).append(check)
    _refuse_unknown(homework, ids)
    plan: list[PlannedCheck] = []
    for part in homework.parts:
        checks = sorted(by_part.pop(part.number), key=lambda check: _order(check.number))
        weights = [check.weight for check in checks if check.weight is not None]
        if not weights:
            raise HomeworkError(f"part {part.number} has no check that gives points")
        shares = iter(share_out(part.points, weights))
        plan += (
            PlannedCheck(
                check_id=check.check_id,
                number=check.number,
                title=check.title,
                part=part.number,
                points=None if check.weight is None else next(shares),
                visibility=check.visibility or homework.visibility,
            )
            for check in checks
        )
    if by_part:
        raise HomeworkError(f"checks of unknown parts: {', '.join(sorted(by_part))}")
    _refuse_leak_by_leaderboard(homework, plan)
    return tuple(plan)


def part_of(number: str) -> str:
    """Return "1.2" for "1.2.3"."""
    return number.rpartition(".")[0]


def hash_of_checks(homework: Homework) -> str:
    """Return a hash over everything that decides a grade: checks, engine and settings.

    Settings from `--config` count as the homework's own, so a bundle made with them has the same
    hash.
    """
    digest = hashlib.sha256()
    for name, path in files_that_grade(homework).items():
        digest.update(f"{name}\0".encode())
        digest.update(homework.source_of(path).read_bytes())
    return digest.hexdigest()[:16]


def _with_settings(check: _Declared, homework: Homework) -> _Declared:
    """Return a check with the settings for it, for its part and for private checks."""
    settings = homework.checks.get(check.number, CheckSettings())
    of_part = {part.number: part.visibility for part in homework.parts}
    private = check.check_id.startswith("private/")
    return replace(
        check,
        weight=check.weight if settings.weight is None else settings.weight or None,
        visibility=settings.visibility
        or of_part.get(part_of(check.number))
        or check.visibility
        or (homework.private_visibility if private else None),
    )


def _refuse_unknown(homework: Homework, numbers: Collection[str]) -> None:
    """Refuse settings for checks that do not exist."""
    keys = {f'checks."{number}"': number for number in homework.checks}
    if homework.leaderboard is not None:
        keys["leaderboard.check"] = homework.leaderboard.check
    for key, number in keys.items():
        if number not in numbers:
            near = difflib.get_close_matches(number, numbers, n=3) or sorted(numbers)[:3]
            raise HomeworkError(
                f"{homework.settings_file.name}: {key}: there is no check {number}; allowed: the "
                f"number of a check, such as {', '.join(near)}"
            )


def _refuse_leak_by_leaderboard(homework: Homework, plan: Sequence[PlannedCheck]) -> None:
    number = homework.leaderboard.check if homework.leaderboard else ""
    for check in plan:
        if check.number == number and check.visibility != "visible":
            raise HomeworkError(
                f"{homework.settings_file.name}: leaderboard.show = true; allowed: false while "
                f"check {check.number} is {check.visibility}, because the leaderboard would show "
                "its result at once"
            )


def _read_checks(path: Path, audience: str) -> tuple[_Declared, ...]:
    try:
        text = path.read_text(encoding="utf-8")
    except ValueError as error:
        raise _not_python(f"{audience}/{path.name}", error) from None
    return _checks_in(text, f"{audience}/{path.name}")


@lru_cache(maxsize=64)  # the same for each submission of a class
def _checks_in(text: str, file: str) -> tuple[_Declared, ...]:
    try:
        module = ast.parse(text, file)
    except (SyntaxError, ValueError) as error:
        raise _not_python(file, error) from None
    return tuple(
        _read_check(node, f"{file}::{node.name}")
        for node in module.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def _not_python(file: str, error: Exception) -> HomeworkError:
    return HomeworkError(f"{file}: cannot be read as Python: {error}")


def _read_check(node: ast.FunctionDef, check_id: str) -> _Declared:
    marks: dict[str, Any] = {}
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name):
            name = decorator.func.id
            if name in ("number", "weight", "visibility") and len(decorator.args) == 1:
                marks[name] = _literal(decorator.args[0], f"{check_id}: @{name}")
    number, weight, visibility = (marks.get(k) for k in ("number", "weight", "visibility"))
    title = (ast.get_docstring(node) or "").partition("\n")[0]
    if not isinstance(number, str) or not _NUMBER.fullmatch(number) or not title:
        raise HomeworkError(f'{check_id}: a check needs @number("1.2.3") and a docstring')
    if weight is not None and not _is_positive(weight):
        raise HomeworkError(f"{check_id}: @weight({weight!r}) must be a number above 0")
    if visibility is not None and visibility not in VISIBILITIES:
        raise HomeworkError(
            f"{check_id}: @visibility({visibility!r}) must be one of {', '.join(VISIBILITIES)}"
        )
    return _Declared(
        check_id,
        number,
        title,
        None if weight is None else float(weight),
        None if visibility is None else str(visibility),
    )


def _literal(node: ast.expr, decorator: str) -> Any:
    """Return the value of an argument that is written out; nothing is run for it."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise HomeworkError(
            f"{decorator}({ast.unparse(node)}) needs a plain number or text, not code"
        ) from None


def _is_positive(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value > 0


def _order(number: str) -> tuple[int, ...]:
    return tuple(map(int, number.split(".")))
