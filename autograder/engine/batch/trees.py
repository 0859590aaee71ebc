"""An export as a tree of names, from a folder or a zip, listed without unpacking it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Protocol

from autograder.engine.batch.payload import UnreadableSubmission, pack, pack_items
from autograder.engine.submission.entries import (
    FileEntry,
    InvalidSubmission,
    SubmissionLimits,
    kind_in_zip,
    normal,
)

FOLDER, FILE, OTHER = "folder", "file", "other"
_LIMITS = SubmissionLimits()
_MOST_INNER_BYTES = 512 * 1024 * 1024  # of a student's zip inside a zipped export


class Tree(Protocol):
    """The files of an export; paths have slashes, and "" is the top."""

    def entries(self, folder: str) -> list[tuple[str, str]]:
        """Return name and kind of the entries of a folder, sorted, without litter."""

    def open(self, path: str) -> IO[bytes]:
        """Open a file."""

    def file(self, path: str) -> contextlib.AbstractContextManager[Path]:
        """Give a file as one on the disk, as long as the context is open."""

    def pack(self, folder: str, wanted: Sequence[str]) -> bytes:
        """Pack a folder; see `payload.pack`."""


def is_litter(name: str) -> bool:
    """Whether an operating system made this, and not a person."""
    return name.startswith((".", "__MACOSX")) or name in ("Thumbs.db", "desktop.ini")


class FolderTree:
    """A folder on the disk."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def entries(self, folder: str) -> list[tuple[str, str]]:
        with os.scandir(self._root / folder) as found:
            return sorted(
                (e.name, FOLDER if e.is_dir() else FILE if e.is_file() else OTHER)
                for e in found
                if not is_litter(e.name)
            )

    def open(self, path: str) -> IO[bytes]:
        return (self._root / path).open("rb")

    @contextlib.contextmanager
    def file(self, path: str) -> Iterator[Path]:
        yield self._root / path

    def pack(self, folder: str, wanted: Sequence[str]) -> bytes:
        return pack(self._root / folder, wanted)


class ZipTree:
    """A zip as it was downloaded; only its listing is in memory."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._files: dict[str, zipfile.ZipInfo] = {}
        self._folders: dict[str, dict[str, str]] = defaultdict(dict)
        # The files below each folder.
        self._below: dict[str, list[zipfile.ZipInfo]] = defaultdict(list)
        for info in archive.infolist():
            path = normal(info.filename)
            if not path:
                continue
            kind = {"file": FILE, "a folder": FOLDER}.get(kind_in_zip(info), OTHER)
            if kind != FOLDER:
                self._files[path] = info
            above, _, name = path.rpartition("/")
            self._folders[above].setdefault(name, kind)
            while above:
                self._below[above].append(info)
                above, _, name = above.rpartition("/")
                self._folders[above][name] = FOLDER

    def entries(self, folder: str) -> list[tuple[str, str]]:
        found = self._folders.get(folder, {})
        return sorted((name, kind) for name, kind in found.items() if not is_litter(name))

    def open(self, path: str) -> IO[bytes]:
        return self._archive.open(self._files[path])

    @contextlib.contextmanager
    def file(self, path: str) -> Iterator[Path]:
        info = self._files[path]
        if info.file_size > _MOST_INNER_BYTES:
            raise UnreadableSubmission(
                f"{path} is larger than {_MOST_INNER_BYTES >> 20} MiB: unzip the export and "
                "pass the folder"
            )
        with tempfile.TemporaryDirectory(prefix="class-inner-") as name:
            # Messages name this file.
            copy = Path(name) / "submission.zip"
            try:
                with self._archive.open(info) as source, copy.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
            except Exception as error:  # as in _read
                raise UnreadableSubmission(_damaged(path, error)) from error
            yield copy

    def pack(self, folder: str, wanted: Sequence[str]) -> bytes:
        start = len(folder) + 1
        items = [
            FileEntry(inside, kind_in_zip(info), partial(self._read, info))
            for info in self._below[folder]
            if (inside := normal(info.filename)[start:])
        ]
        try:
            return pack_items(items[: _LIMITS.max_entries + 1], wanted)
        except InvalidSubmission as error:
            raise UnreadableSubmission(str(error)) from error

    def _read(self, info: zipfile.ZipInfo) -> bytes:
        try:
            with self._archive.open(info) as file:
                return file.read(_LIMITS.max_file_bytes + 1)
        except Exception as error:  # a parser of hostile bytes raises many kinds
            raise InvalidSubmission(_damaged(info.filename, error)) from error


def _damaged(name: str, error: Exception) -> str:
    return f"{name} is damaged inside the export ({error}): download it again"
