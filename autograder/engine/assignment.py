"""Read `assignment.toml`: the parts, their points, and how to grade."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from autograder.engine.ledger import VISIBILITIES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


# All tables but `parts`, whose keys are the parts' numbers.
_KEYS = {
    "assignment": ("title",),
    "submission": ("files",),
    "grading": (
        "seed",
        "visibility",
        "deadline_s",
        "call_timeout_s",
        "check_timeout_s",
        "training_timeout_s",
    ),
    "training": ("full_log_likelihood", "half_log_likelihood"),
}


class AssignmentError(ValueError):
    """An entry of assignment.toml is wrong; the text names file, key, value and what is allowed."""


@dataclass(frozen=True)
class Part:
    """One part of the handout, such as "1.2"."""

    number: str
    title: str
    points: float


@dataclass(frozen=True)
class Assignment:
    """A homework's settings. Times are in seconds, log-likelihoods in nats per example."""

    folder: Path
    package: str
    title: str
    parts: tuple[Part, ...]
    files: tuple[str, ...]
    seed: int
    visibility: str
    deadline_s: float
    call_timeout_s: float
    training_timeout_s: float
    training: Mapping[str, float]
    check_timeout_s: float = 25.0

    @property
    def points(self) -> float:
        """The sum over the parts."""
        return sum(part.points for part in self.parts)

    @property
    def part_titles(self) -> dict[str, str]:
        """Part number to title, in order."""
        return {part.number: part.title for part in self.parts}


def load_assignment(package: str, config: Path | None = None) -> Assignment:
    """Load the assignment of a homework package, such as "autograder.homework".

    Args:
        package: the importable package that holds `checks`, `experiments` and the settings.
        config: another settings file in place of the package's own `assignment.toml`.

    Raises:
        AssignmentError: an entry is missing, unknown or not allowed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise AssignmentError(f"there is no homework package {package!r}")
    folder = Path(next(iter(spec.submodule_search_locations))).resolve()
    return parse_assignment(config or folder / "assignment.toml", folder, package)


def parse_assignment(path: Path, folder: Path, package: str) -> Assignment:
    """Parse one settings file; see `load_assignment`."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AssignmentError(f"{path}: cannot be read as TOML: {error}") from None
    reader = _Reader(path, told)
    reader.only_known()
    return Assignment(
        folder=folder,
        package=package,
        title=reader.text("assignment", "title"),
        parts=_parts(reader),
        files=_files(reader),
        seed=reader.integer("grading", "seed"),
        visibility=reader.choice("grading", "visibility", VISIBILITIES),
        deadline_s=reader.positive("grading", "deadline_s"),
        call_timeout_s=reader.positive("grading", "call_timeout_s"),
        training_timeout_s=reader.positive("grading", "training_timeout_s"),
        training={key: reader.number("training", key) for key in _KEYS["training"]},
        check_timeout_s=reader.positive("grading", "check_timeout_s", Assignment.check_timeout_s),
    )


def _parts(reader: _Reader) -> tuple[Part, ...]:
    table = reader.table("parts")
    if not table:
        raise reader.error("parts", table, "at least one part")
    parts = []
    for number, entry in table.items():
        if not isinstance(entry, dict) or set(entry) != {"title", "points"}:
            raise reader.error(f'parts."{number}"', entry, "{ title = TEXT, points = NUMBER }")
        title, points = entry["title"], entry["points"]
        if not isinstance(title, str):
            raise reader.error(f'parts."{number}".title', title, "a text")
        if not _is_number(points) or not 0 <= points < 10_000:
            raise reader.error(f'parts."{number}".points', points, "a number from 0 to 10000")
        parts.append(Part(number, title, float(points)))
    return tuple(parts)


def _files(reader: _Reader) -> tuple[str, ...]:
    value = reader.get("submission", "files")
    if not isinstance(value, list) or not value or not all(_is_relative_path(v) for v in value):
        raise reader.error("submission.files", value, "a list of relative paths")
    return tuple(value)


class _Reader:
    """Typed look-ups that complain with file, key, value and what is allowed."""

    def __init__(self, path: Path, told: Mapping[str, Any]) -> None:
        self.path = path
        self._told = told

    def error(self, key: str, value: object, allowed: str) -> AssignmentError:
        return AssignmentError(f"{self.path.name}: {key} = {value!r}; allowed: {allowed}")

    def only_known(self) -> None:
        tables = sorted({"parts", *_KEYS})
        for name, entries in self._told.items():
            if name not in tables:
                raise self.error(name, "...", "one of the tables " + ", ".join(tables))
            known = _KEYS.get(name, ())
            for key in entries if known and isinstance(entries, dict) else ():
                if key not in known:
                    allowed = f"one of the keys of [{name}]: " + ", ".join(known)
                    raise self.error(f"{name}.{key}", entries[key], allowed)

    def table(self, name: str) -> Mapping[str, Any]:
        value = self._told.get(name)
        if not isinstance(value, dict):
            raise self.error(f"[{name}]", value, "a table")
        return value

    def get(self, table: str, key: str) -> Any:
        return self.table(table).get(key)

    def text(self, table: str, key: str) -> str:
        value = self.get(table, key)
        if not isinstance(value, str):
            raise self.error(f"{table}.{key}", value, "a text")
        return value

    def integer(self, table: str, key: str) -> int:
        value = self.get(table, key)
        if type(value) is not int or not 0 <= value < 2**32:
            raise self.error(f"{table}.{key}", value, "a whole number from 0 to 4294967295")
        return value

    def number(self, table: str, key: str) -> float:
        value = self.get(table, key)
        if not _is_number(value):
            raise self.error(f"{table}.{key}", value, "a number")
        return float(value)

    def positive(self, table: str, key: str, default: float | None = None) -> float:
        if default is not None and self.get(table, key) is None:
            return default
        value = self.number(table, key)
        if value <= 0:
            raise self.error(f"{table}.{key}", value, "a number above 0")
        return value

    def choice(self, table: str, key: str, allowed: tuple[str, ...]) -> str:
        value = self.get(table, key)
        if value not in allowed:
            raise self.error(f"{table}.{key}", value, ", ".join(allowed))
        return str(value)


def _is_relative_path(value: object) -> bool:
    parts = PurePosixPath(value).parts if isinstance(value, str) else ()
    return bool(parts) and parts[0] != "/" and ".." not in parts


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
