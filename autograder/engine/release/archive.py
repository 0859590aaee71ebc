"""Zips whose bytes follow only from the names, modes and contents in them."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autograder.engine.results.replacing import replacing

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip allows
_UNIX = 3  # the system that the modes are for


@dataclass(frozen=True)
class File:
    """A file to pack."""

    data: bytes
    executable: bool = False

    @property
    def mode(self) -> int:
        """The permissions."""
        return 0o755 if self.executable else 0o644


def write_zip(path: Path, files: Mapping[str, File], *, compress: bool = True) -> None:
    """Write files, sorted by name; an error leaves `path` as it was."""
    with replacing(path) as sink, zipfile.ZipFile(sink, "w") as archive:
        for name, file in sorted(files.items()):
            add_entry(archive, name, file.data, stat.S_IFREG | file.mode, compress=compress)


def add_entry(
    archive: zipfile.ZipFile,
    name: str,
    data: bytes,
    mode: int = stat.S_IFREG | 0o644,
    *,
    compress: bool = True,
) -> None:
    """Add an entry to an open zip.

    Args:
        archive: the zip.
        name: the entry's name; that of a folder ends with "/".
        data: its content.
        mode: its kind and permissions, as in `stat.st_mode`.
        compress: False also makes the bytes independent of zlib's version.
    """
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = _UNIX
    entry.external_attr = mode << 16
    entry.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    archive.writestr(entry, data)
