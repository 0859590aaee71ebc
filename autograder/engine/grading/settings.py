"""Typed look-ups in a settings file; errors name file, key, value and what is allowed."""

from __future__ import annotations

import difflib
import math
import re
import sys
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_LONGEST_VALUE = 80  # characters of a wrong value that an error quotes


class HomeworkError(ValueError):
    """A homework cannot be used; of a wrong setting, the text names file, key, value and rule."""


class Table:
    """A table of a settings file.

    Args:
        file: the file's name in errors.
        name: the table's name, such as "grading"; "" for the whole file.
        entries: its keys and values.
    """

    def __init__(self, file: str, name: str, entries: Mapping[str, Any]) -> None:
        self._file = file
        self._name = name
        self.entries = entries

    @staticmethod
    def read(path: Path) -> Table:
        """Read a TOML file.

        Raises:
            HomeworkError: it is missing, not text or not TOML.
        """
        try:
            entries = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise HomeworkError(f"{path}: cannot be read as TOML: {error}") from None
        return Table(path.name, "", entries)

    def error(self, key: str, allowed: str) -> HomeworkError:
        """Return the error about an entry; the key "" is the table itself."""
        name = self._full(key) if key else self._name
        if key and key not in self.entries:
            return HomeworkError(f"{self._file}: {name} is missing; allowed: {allowed}")
        value = repr(self.entries[key] if key else self.entries)
        if len(value) > _LONGEST_VALUE:
            value = value[:_LONGEST_VALUE] + "..."
        return HomeworkError(f"{self._file}: {name} = {value}; allowed: {allowed}")

    def only(self, keys: Collection[str], what: str = "key") -> None:
        """Refuse entries with other keys; suggest the nearest one."""
        for key in self.entries:
            if key not in keys:
                where = f" of [{self._name}]" if self._name else ""
                raise self.error(key, f"the {what}s{where} are {_listed(keys, key)}")

    def table(self, key: str, allowed: str = "a table", *, optional: bool = False) -> Table:
        """Return a table within this one; an empty one where an optional table is missing."""
        if optional and key not in self.entries:
            return Table(self._file, self._full(key), {})
        value = self.entries.get(key)
        if not isinstance(value, dict):
            raise self.error(key, allowed)
        return Table(self._file, self._full(key), value)

    def text(self, key: str) -> str:
        """Return a non-empty text."""
        value = self.entries.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.error(key, "a text")
        return value

    def matching(self, key: str, pattern: str, allowed: str) -> str:
        """Return a text that fully matches a pattern."""
        value = self.text(key)
        if not re.fullmatch(pattern, value):
            raise self.error(key, allowed)
        return value

    def truth(self, key: str, default: bool) -> bool:
        """Return true or false."""
        value = self.entries.get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, "true or false")
        return value

    def whole(self, key: str, most: int) -> int:
        """Return a whole number from 0 to `most`."""
        value = self.entries.get(key)
        if type(value) is not int or not 0 <= value <= most:
            raise self.error(key, f"a whole number from 0 to {most}")
        return value

    def number(
        self, key: str, least: float = -math.inf, most: float = math.inf, default: Any = None
    ) -> float:
        """Return a finite number from `least` to `most`."""
        value = self.entries.get(key, default)
        if not _is_number(value) or not least <= value <= most:
            bounds = [
                f"{way} {b:g}" for way, b in (("from", least), ("to", most)) if abs(b) < 1e300
            ]
            raise self.error(key, " ".join(["a number", *bounds]))
        return float(value)

    def above_zero(self, key: str, default: Any = None) -> float:
        """Return a finite number above 0."""
        value = self.entries.get(key, default)
        if not _is_number(value) or value <= 0:
            raise self.error(key, "a number above 0")
        return float(value)

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        """Return one of the allowed texts."""
        value = self.entries.get(key)
        if value not in allowed:
            raise self.error(key, _listed(allowed, str(value)))
        return str(value)

    def optional_choice(self, key: str, allowed: tuple[str, ...]) -> str | None:
        """Return one of the allowed texts; None when the entry is missing."""
        return self.choice(key, allowed) if key in self.entries else None

    def relative_paths(self, key: str) -> tuple[str, ...]:
        """Return at least one relative path, none of them twice."""
        value = self.entries.get(key)
        good = isinstance(value, list) and bool(value) and all(_is_relative_path(v) for v in value)
        if not isinstance(value, list) or not good or len(set(value)) < len(value):
            raise self.error(key, "a list of relative paths, each of them once")
        return tuple(value)

    def _full(self, key: str) -> str:
        quoted = key if key.replace("_", "").isalnum() else f'"{key}"'
        return f"{self._name}.{quoted}" if self._name else quoted


def _listed(names: Collection[str], wrong: str) -> str:
    near = difflib.get_close_matches(wrong, names, n=1)
    return ", ".join(names) + (f" (did you mean {near[0]}?)" if near else "")


def _is_relative_path(value: object) -> bool:
    parts = PurePosixPath(value).parts if isinstance(value, str) else ()
    return bool(parts) and parts[0] != "/" and ".." not in parts


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
