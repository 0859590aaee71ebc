"""Typed look-ups in a settings file, complaining with file, key, value and what is allowed."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_LONGEST_VALUE = 80  # characters of a wrong value that an error quotes


class AssignmentError(ValueError):
    """An entry of assignment.toml is wrong; the text names file, key, value and what is allowed."""


class Table:
    """A table of a settings file that knows its own name, for the errors.

    Args:
        file: what errors call the file.
        name: "grading", or "" for the file as a whole.
        entries: what the file says.
    """

    def __init__(self, file: str, name: str, entries: Mapping[str, Any]) -> None:
        self._file = file
        self._name = name
        self.entries = entries

    @staticmethod
    def read(path: Path) -> Table:
        """Read a TOML file.

        Raises:
            AssignmentError: it is not there, no text or no TOML.
        """
        try:
            told = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise AssignmentError(f"{path}: cannot be read as TOML: {error}") from None
        return Table(path.name, "", told)

    def error(self, key: str, allowed: str) -> AssignmentError:
        """Return the error about an entry of this table; "" is the table itself."""
        name = self._full(key) if key else self._name
        if key and key not in self.entries:
            return AssignmentError(f"{self._file}: {name} is missing; allowed: {allowed}")
        value = repr(self.entries[key] if key else self.entries)
        if len(value) > _LONGEST_VALUE:
            value = value[:_LONGEST_VALUE] + "..."
        return AssignmentError(f"{self._file}: {name} = {value}; allowed: {allowed}")

    def only(self, known: Collection[str], what: str = "key") -> None:
        """Refuse entries of other names, with the nearest known one."""
        for key in self.entries:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                where = f" of [{self._name}]" if self._name else ""
                raise self.error(key, f"the {what}s{where} are {', '.join(known)}{hint}")

    def table(self, key: str, allowed: str = "a table", *, optional: bool = False) -> Table:
        """Return a table within this one; an empty one for an optional one that is not there."""
        if optional and key not in self.entries:
            return Table(self._file, self._full(key), {})
        value = self.entries.get(key)
        if not isinstance(value, dict):
            raise self.error(key, allowed)
        return Table(self._file, self._full(key), value)

    def text(self, key: str) -> str:
        """Return a text that is not empty."""
        value = self.entries.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.error(key, "a text")
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
        """Return a finite number within bounds; a bound that is given is allowed itself."""
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
        """Return one of the texts that are allowed."""
        value = self.entries.get(key)
        if value not in allowed:
            near = difflib.get_close_matches(str(value), allowed, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise self.error(key, ", ".join(allowed) + hint)
        return str(value)

    def optional_choice(self, key: str, allowed: tuple[str, ...]) -> str | None:
        """Return one of the texts that are allowed; None when there is no such entry."""
        return self.choice(key, allowed) if key in self.entries else None

    def relative_paths(self, key: str) -> tuple[str, ...]:
        """Return relative paths, at least one and none of them twice."""
        value = self.entries.get(key)
        good = isinstance(value, list) and bool(value) and all(_is_relative_path(v) for v in value)
        if not isinstance(value, list) or not good or len(set(value)) < len(value):
            raise self.error(key, "a list of relative paths, each of them once")
        return tuple(value)

    def _full(self, key: str) -> str:
        quoted = key if key.replace("_", "").isalnum() else f'"{key}"'
        return f"{self._name}.{quoted}" if self._name else quoted


def _is_relative_path(value: object) -> bool:
    parts = PurePosixPath(value).parts if isinstance(value, str) else ()
    return bool(parts) and parts[0] != "/" and ".." not in parts


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
