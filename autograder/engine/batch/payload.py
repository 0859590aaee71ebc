"""The payload of a submission: a small zip of all that staging reads.

Staging reads the wanted files, and only name and kind of everything else. So a payload lists all
files but has only the content of the wanted ones: kilobytes instead of megabytes of pictures. The
same submission always gives the same bytes, and their hash shows whether to grade it again.
"""

from __future__ import annotations

import hashlib
import io
import posixpath
import stat
import warnings
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from autograder.engine.release.archive import add_entry
from autograder.engine.submission.entries import (
    FileEntry,
    InvalidSubmission,
    SubmissionLimits,
    listed,
)

_LIMITS = SubmissionLimits()
# One byte more than staging accepts: a larger file stays too large when it is cut here.
_CUT = SubmissionLimits(max_file_bytes=_LIMITS.max_file_bytes + 1)
_MOST_RAW_BYTES = 32 * 1024 * 1024
_MODES = {
    "file": stat.S_IFREG | 0o644,
    "a folder": stat.S_IFDIR | 0o755,
    "a symbolic link": stat.S_IFLNK | 0o777,
    "a fifo": stat.S_IFIFO | 0o644,
    "a socket": stat.S_IFSOCK | 0o644,
}


class UnreadableSubmission(Exception):
    """The export's copy of a submission cannot be read, which is not the student's fault."""


def pack(source: Path, wanted: Sequence[str]) -> bytes:
    """Pack a submission that is a folder or a zip.

    If staging would refuse the submission, it refuses the payload with the same message.

    Raises:
        UnreadableSubmission: it is missing or cannot be read.
    """
    try:
        return _pack_zip(source, wanted) if source.is_file() else _pack_folder(source, wanted)
    except OSError as error:
        raise UnreadableSubmission(f"{source.name} cannot be read: {error.strerror}") from error


def _pack_zip(source: Path, wanted: Sequence[str]) -> bytes:
    try:
        with listed(source, _LIMITS) as items:
            return pack_items(items, wanted)
    except InvalidSubmission as refused:  # it is sent as it is
        if source.stat().st_size > _MOST_RAW_BYTES:
            raise UnreadableSubmission(
                f"{source.name} is a zip of more than {_MOST_RAW_BYTES >> 20} MiB that would be "
                f"refused: {refused}"
            ) from refused
        return source.read_bytes()


def _pack_folder(source: Path, wanted: Sequence[str]) -> bytes:
    try:
        with listed(source, _CUT) as items:
            return pack_items(map(_cut, items), wanted)
    except InvalidSubmission as refused:
        if not source.is_dir() or isinstance(refused.__cause__, OSError):
            raise UnreadableSubmission(str(refused)) from refused
        # The only other reason is a listing that is too long; so is this one.
        too_many = (FileEntry(str(i), "file", bytes) for i in range(_LIMITS.max_entries + 1))
        return pack_items(too_many, ())


def _cut(item: FileEntry) -> FileEntry:
    """Let a file that is far too large be only slightly too large."""

    def read() -> bytes:
        try:
            return item.read()
        except InvalidSubmission as error:
            if isinstance(error.__cause__, OSError):
                raise
            return bytes(_CUT.max_file_bytes)

    return FileEntry(item.path, item.kind, read)


def pack_items(items: Iterable[FileEntry], wanted: Sequence[str]) -> bytes:
    """Pack entries that `submission.entries` has listed."""
    names = {posixpath.basename(name) for name in wanted}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about duplicate names, which may occur
        for item in sorted(items, key=lambda item: item.path):
            is_wanted = item.kind == "file" and posixpath.basename(item.path) in names
            name = _inside(item.path) + "/" * (item.kind == "a folder")
            data = item.read() if is_wanted else b""
            mode = _MODES.get(item.kind, stat.S_IFCHR | 0o644)
            add_entry(archive, name, data, mode, compress=is_wanted)
    return buffer.getvalue()


def hash_of(payload: bytes) -> str:
    """Return the hash that identifies a submission."""
    return hashlib.sha256(payload).hexdigest()[:32]


def _inside(path: str) -> str:
    """Return a name that points inside the zip for every reader, whatever the folder's names."""
    parts = ("__" if part == ".." else part for part in path.split("/"))
    name = "/".join(parts).encode("utf-8", "replace").decode("utf-8")
    return f"./{name}" if name[1:2] == ":" else name  # not a Windows drive
