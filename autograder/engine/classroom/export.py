"""The export of a class: which submissions there are, who handed them in, and their parcels.

An export is what Gradescope makes (a zip, or the folder that was in it, of `submission_<id>/`
folders with `submission_metadata.yml`), or any folder of folders and zips. Nothing is unpacked.
"""

from __future__ import annotations

import contextlib
import os
import stat
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from autograder.engine.classroom.parcel import UnreadableSubmission, pack, pack_items
from autograder.engine.classroom.roster import (
    METADATA,
    ExportError,
    Submitter,
    read_roster,
    roster_of,
)
from autograder.engine.listing import IntakeError, IntakeLimits, Item

_LIMITS = IntakeLimits()
_FOLDER = "submission_"  # what the folders of an export begin with


@dataclass(frozen=True)
class Submission:
    """One submission of a class, before anything of it is read.

    Args:
        name: its folder or zip, unique in the export.
        submitters: the students; several for a group, none where the export names nobody.
    """

    name: str
    submitters: tuple[Submitter, ...] = ()


class Export(Protocol):
    """Where submissions come from; iterating twice gives the same."""

    def submissions(self) -> Iterator[Submission]:
        """Yield all submissions, those that the metadata names first, in its order."""

    def parcel(self, name: str, wanted: Sequence[str]) -> bytes:
        """Pack one of them; raises UnreadableSubmission."""


@contextlib.contextmanager
def open_export(path: Path) -> Iterator[Export]:
    """Open an export.

    Raises:
        ExportError: there is none at the path, or it holds no submission.
    """
    if path.is_dir():
        export: Export = _Folder(path)
        _refuse_empty(export, path)
        yield export
    elif path.is_file():
        try:
            archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise ExportError(
                f"{path} cannot be read as a zip ({error}): download the export again"
            ) from error
        with archive:
            export = _Zip(archive)
            _refuse_empty(export, path)
            yield export
    else:
        raise ExportError(f"there is no export at {path}: a folder or a zip is expected")


def _refuse_empty(export: Export, path: Path) -> None:
    if next(export.submissions(), None) is None:
        raise ExportError(
            f"{path} holds no submission: {_FOLDER}<id>/ folders, or any folders or zips, "
            "are expected in it"
        )


class _Folder:
    """An unpacked export, or a folder of folders and zips."""

    def __init__(self, path: Path) -> None:
        self._root = _unwrapped(path)

    def submissions(self) -> Iterator[Submission]:
        seen: set[str] = set()
        if (self._root / METADATA).is_file():
            for name, submitters in roster_of(self._root / METADATA):
                if _is_plain(name) and name not in seen:
                    seen.add(name)
                    yield Submission(name, submitters)
        with os.scandir(self._root) as entries:
            names = sorted(e.name for e in entries if e.name not in seen and _may_be_one(e))
        yield from map(Submission, names)

    def parcel(self, name: str, wanted: Sequence[str]) -> bytes:
        path = self._root / name
        if not path.exists():
            raise UnreadableSubmission(f"{METADATA} lists {name}, but the export does not hold it")
        return pack(path, wanted)


def _unwrapped(path: Path) -> Path:
    """Return the folder that holds the metadata: the path, or the only folder in it."""
    if not (path / METADATA).exists():
        inner = [entry for entry in path.glob(f"*/{METADATA}")]
        if len(inner) == 1:
            return inner[0].parent
    return path


def _may_be_one(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith((".", "__MACOSX")):
        return False
    return entry.is_dir() or (entry.is_file() and entry.name.lower().endswith(".zip"))


def _is_plain(name: str) -> bool:
    """Whether a name from the metadata is that of something in the export's own folder."""
    return name not in ("", ".", "..") and "/" not in name and "\0" not in name


class _Zip:
    """An export as it was downloaded. Its listing is held in memory, its contents are not."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        metadata = [
            info
            for info in archive.infolist()
            if info.filename.count("/") <= 1 and info.filename.rpartition("/")[2] == METADATA
        ]
        self._metadata = metadata[0] if len(metadata) == 1 else None
        root = self._metadata.filename[: -len(METADATA)] if self._metadata else self._common_root()
        self._members: dict[str, list[zipfile.ZipInfo]] = defaultdict(list)
        self._root = root
        for info in archive.infolist():
            name, slash, _ = info.filename[len(root) :].partition("/")
            if info.filename.startswith(root) and slash and not name.startswith((".", "__MACOSX")):
                self._members[name].append(info)

    def _common_root(self) -> str:
        """Return the one folder around all submissions, if there is one."""
        tops = {i.filename.partition("/")[0] for i in self._archive.infolist()} - {"__MACOSX"}
        only = next(iter(tops)) if len(tops) == 1 else ""
        return f"{only}/" if only and not only.startswith(_FOLDER) else ""

    def submissions(self) -> Iterator[Submission]:
        seen: set[str] = set()
        if self._metadata is not None:
            with self._archive.open(self._metadata) as stream:
                for name, submitters in read_roster(stream, METADATA):
                    if name not in seen:
                        seen.add(name)
                        yield Submission(name, submitters)
        yield from (Submission(name) for name in sorted(self._members) if name not in seen)

    def parcel(self, name: str, wanted: Sequence[str]) -> bytes:
        if name not in self._members:
            raise UnreadableSubmission(f"{METADATA} lists {name}, but the export does not hold it")
        start = len(self._root) + len(name) + 1
        items = [
            Item(path, _kind(info), partial(self._read, info))
            for info in self._members[name]
            if (path := info.filename[start:].replace("\\", "/").strip("/"))
        ]
        try:
            return pack_items(items[: _LIMITS.max_entries + 1], wanted)
        except IntakeError as error:
            raise UnreadableSubmission(str(error)) from error

    def _read(self, info: zipfile.ZipInfo) -> bytes:
        try:
            with self._archive.open(info) as file:
                return file.read(_LIMITS.max_file_bytes + 1)
        except Exception as error:  # a parser at work on bytes from elsewhere raises many kinds
            raise IntakeError(
                f"{info.filename} is damaged inside the export ({error}): download it again"
            ) from error


def _kind(info: zipfile.ZipInfo) -> str:
    mode = stat.S_IFMT(info.external_attr >> 16)
    if info.is_dir():
        return "a folder"
    return {0: "file", stat.S_IFREG: "file", stat.S_IFLNK: "a symbolic link"}.get(mode, "a device")
