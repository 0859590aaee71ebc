"""Students and times: `submission_metadata.yml` of a Gradescope export, read as a stream.

The file maps a folder's name to Ruby-style keys (`:submitters`, `:name`). It never creates objects:
tags are ignored and every scalar is text, so a student number keeps its zeros and a student called
No keeps the name. One entry is in memory at a time.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, TypeVar

import yaml

METADATA = "submission_metadata.yml"
_MOST_DEEP = 50  # levels; the real file has five
_Made = TypeVar("_Made")
# The parser in C is ten times faster; PyYAML may have been built without it.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ExportError(ValueError):
    """The export cannot be read; the message says what was expected and what to do."""


@dataclass(frozen=True)
class Submitter:
    """A student as in the export; missing fields are empty."""

    name: str = ""
    sid: str = ""
    email: str = ""


@dataclass(frozen=True)
class Handed:
    """The students of a submission, and its time as the file has it: "2026-01-01 10:00:00 Z"."""

    submitters: tuple[Submitter, ...] = ()
    at: str = ""


def read_metadata(stream: IO[bytes], shown: str) -> Iterator[tuple[str, Handed]]:
    """Yield each submission's folder, students and time, in the file's order.

    Raises:
        ExportError: it is not YAML, or not a mapping from folders to entries.
    """
    try:
        for folder, entry in _top_level(stream, shown):
            if isinstance(folder, str) and isinstance(entry, Mapping):
                yield folder, Handed(_submitters(entry), _field(entry, "created_at"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ExportError(
            f"{shown} cannot be read: {reason}. Export the class again, or remove the file to "
            "grade without names"
        ) from error


def _top_level(stream: IO[bytes], shown: str) -> Iterator[tuple[object, object]]:
    events = yaml.parse(stream, Loader=_LOADER)
    builder = _Builder(events, shown)
    for event in events:
        if isinstance(event, (yaml.StreamStartEvent, yaml.DocumentStartEvent)):
            continue
        if isinstance(event, (yaml.StreamEndEvent, yaml.DocumentEndEvent)):
            return
        if not isinstance(event, yaml.MappingStartEvent):
            raise ExportError(f"{shown} must be a mapping from folders to entries")
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = builder.build(event)
            yield key, builder.build(next(events))


class _Builder:
    """Builds texts, lists and mappings from events; an alias is the same object, never a copy."""

    def __init__(self, events: Iterator[Any], shown: str) -> None:
        self._events = events
        self._shown = shown
        self._anchors: dict[str, object] = {}

    def build(self, event: Any, depth: int = 0) -> object:
        if depth > _MOST_DEEP:
            raise ExportError(f"{self._shown} is nested more than {_MOST_DEEP} levels deep")
        if isinstance(event, yaml.AliasEvent):
            return self._anchors.get(str(event.anchor), "")
        if isinstance(event, yaml.ScalarEvent):
            return self._remembered(event, _text(event))
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[object] = self._remembered(event, [])
            while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
                items.append(self.build(inner, depth + 1))
            return items
        mapping: dict[str, object] = self._remembered(event, {})
        while not isinstance(inner := next(self._events), yaml.MappingEndEvent):
            key = self.build(inner, depth + 1)
            value = self.build(next(self._events), depth + 1)
            if isinstance(key, str):
                mapping[key.removeprefix(":")] = value
        return mapping

    def _remembered(self, event: Any, made: _Made) -> _Made:
        if event.anchor is not None:
            self._anchors[event.anchor] = made
        return made


def _text(event: Any) -> str:
    """Return a scalar's text. Ruby writes names that it treats as bytes in base64."""
    value: str = event.value
    if event.tag in ("!binary", "tag:yaml.org,2002:binary"):
        try:
            return base64.b64decode(value).decode("utf-8", errors="replace")
        except binascii.Error:
            return value
    is_null = event.style is None and value in ("", "~", "null")
    return "" if is_null else value


def _submitters(entry: Mapping[str, object]) -> tuple[Submitter, ...]:
    people = entry.get("submitters")
    return tuple(
        Submitter(*(_field(person, name) for name in ("name", "sid", "email")))
        for person in (people if isinstance(people, list) else ())
        if isinstance(person, Mapping)
    )


def _field(person: Mapping[str, object], name: str) -> str:
    value = person.get(name)
    return value if isinstance(value, str) else ""


_MOMENT = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})[T ](?P<time>\d{2}:\d{2}(:\d{2})?)(\.\d+)? ?"
    r"(?P<zone>Z|UTC|[+-]\d{2}:?\d{2})"
)


def moment(text: str) -> datetime | None:
    """Return the time of a text with a zone, "2026-01-01 10:00:00 Z"; None without one."""
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        return None
    zone = "+0000" if match["zone"] in ("Z", "UTC") else match["zone"].replace(":", "")
    time = match["time"] if match[3] else f"{match['time']}:00"
    try:
        return datetime.strptime(f"{match['day']} {time} {zone}", "%Y-%m-%d %H:%M:%S %z")
    except ValueError:  # the 31st of February
        return None
