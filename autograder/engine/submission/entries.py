"""What a submission holds: the entries of a folder or a zip, listed and read under caps.

Nothing is unpacked, no symlink is followed, nothing that is no regular file is opened for good,
and every count and size is checked before it costs anything.
"""

from __future__ import annotations

import io
import os
import posixpath
import re
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

_CHUNK = 64 * 1024
ADVICE = "Run make_submission.sh in the homework's folder and submit the zip that it makes."
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ENCRYPTED = 0x1 | 0x40 | 0x2000  # bits of a zip entry: encrypted, strongly, names too
# Folders of packages and caches; so are those whose names begin with a dot.
_NO_WORK = frozenset(
    ("__MACOSX", "__pycache__", "venv", "site-packages", "dist-packages", "node_modules")
)
_OTHERS = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"%PDF": "a PDF",
}
_BY_NAME = {".py": "a single Python file", ".ipynb": "a notebook", ".tar": "a tar archive"}


class InvalidSubmission(Exception):
    """The submission cannot be graded; the text tells the student why and what to do."""


@dataclass(frozen=True)
class SubmissionLimits:
    """The largest submission that is taken.

    Args:
        max_file_bytes: of a wanted file.
        max_entries: files and folders.
        max_listing_bytes: of a zip's list of entries.
        max_depth: folders above a wanted file.
    """

    max_file_bytes: int = 1024 * 1024
    max_entries: int = 10_000
    max_listing_bytes: int = 4 * 1024 * 1024
    max_depth: int = 16


@dataclass(frozen=True)
class FileEntry:
    """A thing in the submission: where, "file" or what else it is, how to read it if a file."""

    path: str
    kind: str
    read: Callable[[], bytes]


def is_hidden(path: str) -> bool:
    """Return whether a path lies in a folder whose content nobody wrote: caches, environments."""
    *folders, _ = path.split("/")
    return any(map(_holds_no_work, folders))


def _holds_no_work(folder: str) -> bool:
    return folder.startswith(".") or folder in _NO_WORK


@contextmanager
def listed(source: Path, limits: SubmissionLimits) -> Iterator[list[FileEntry]]:
    """List a folder or zip without litter."""
    shown = as_shown(str(source))
    try:
        fd = os.open(source, _OPEN)
    except FileNotFoundError:
        raise InvalidSubmission(
            f"There is no submission at {shown}: a folder or zip is expected."
        ) from None
    except OSError as error:
        raise InvalidSubmission(f"{shown} cannot be read: {error.strerror}.") from error
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISDIR(mode):
            yield _without_litter(_folder_items(fd, limits), limits)
        elif stat.S_ISREG(mode):
            yield _without_litter(_zip_items(_open_zip(fd, shown, limits), limits), limits)
        else:
            raise InvalidSubmission(f"{shown} is {_kind(mode)}: a folder or zip is expected.")
    finally:
        os.close(fd)


def _without_litter(items: Iterable[FileEntry], limits: SubmissionLimits) -> list[FileEntry]:
    """Return the items that a person put there; refuse more than anyone would have."""
    kept = []
    for count, item in enumerate(items, start=1):
        if count > limits.max_entries:
            raise InvalidSubmission(_too_many(limits))
        base = posixpath.basename(item.path)
        litter = base == ".DS_Store" or base.startswith("._") or "__MACOSX" in item.path.split("/")
        if item.path and not litter:
            kept.append(item)
    return kept


def _folder_items(root: int, limits: SubmissionLimits) -> Iterator[FileEntry]:
    """Yield what is in a folder, down to a depth, never through a symlink."""

    def walk(folder: int, above: str, depth: int) -> Iterator[FileEntry]:
        with os.scandir(folder) as entries:
            for entry in entries:
                path = above + entry.name
                kind = _kind(entry.stat(follow_symlinks=False).st_mode)
                # A zip made on Windows may have been unpacked to names with backslashes.
                yield FileEntry(_normal(path), kind, partial(_read_file, root, path, limits))
                if kind == "a folder" and depth and not _holds_no_work(entry.name):
                    inner = os.open(entry.name, _OPEN_FOLDER, dir_fd=folder)
                    try:
                        yield from walk(inner, f"{path}/", depth - 1)
                    finally:
                        os.close(inner)

    try:
        yield from walk(root, "", limits.max_depth)
    except OSError as error:
        where = as_shown(str(error.filename))
        raise InvalidSubmission(f"{where} cannot be listed: {error.strerror}. {ADVICE}") from error


def _read_file(root: int, path: str, limits: SubmissionLimits) -> bytes:
    """Read a regular file under a folder; a symlink at any step, or anything else, is refused."""
    *folders, name = path.split("/")
    opened = [root]
    try:
        for folder in folders:
            opened.append(os.open(folder, _OPEN_FOLDER, dir_fd=opened[-1]))
        # O_NONBLOCK is among the flags: should it have become a fifo, this does not wait.
        opened.append(os.open(name, _OPEN | os.O_NOFOLLOW, dir_fd=opened[-1]))
        mode = os.fstat(opened[-1]).st_mode
        if not stat.S_ISREG(mode):
            raise InvalidSubmission(
                f"{as_shown(path)} is {_kind(mode)}, but a plain file is expected."
            )
        return _read_capped(partial(os.read, opened[-1]), path, limits)
    except OSError as error:
        raise InvalidSubmission(
            f"{as_shown(path)} cannot be read: {error.strerror}. {ADVICE}"
        ) from error
    finally:
        for fd in opened[1:]:
            os.close(fd)


class _CappedFile(io.FileIO):
    """A zip file that refuses large single reads.

    zipfile reads a zip's whole listing at once and makes an object of every entry: a listing of
    gigabytes must fail before that, and no public interface of zipfile tells its size.
    """

    def __init__(self, fd: int, limits: SubmissionLimits) -> None:
        super().__init__(fd, "rb", closefd=False)
        self._limits = limits

    def read(self, size: int | None = -1, /) -> bytes:
        most = self._limits.max_listing_bytes
        data = super().read(most + 1 if size is None or size < 0 else min(size, most + 1)) or b""
        if len(data) > most:
            raise InvalidSubmission(_too_many(self._limits))
        return data


def _open_zip(fd: int, shown: str, limits: SubmissionLimits) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(_CappedFile(fd, limits))
    except InvalidSubmission:
        raise
    except Exception as error:  # a parser at work on hostile bytes: it raises at least six kinds
        head = os.pread(fd, 16, 0)
        other = next((what for magic, what in _OTHERS.items() if head.startswith(magic)), None)
        other = other or _BY_NAME.get(Path(shown.strip("'")).suffix.lower())
        if not head:
            what = "is an empty file"
        elif head.startswith(b"PK"):
            what = "is a damaged zip, perhaps cut short: make it anew and upload it again"
        else:
            what = f"is {other}" if other else "is not a zip"
        raise InvalidSubmission(f"{shown} {what}. A folder or zip is expected. {ADVICE}") from error


def _zip_items(archive: zipfile.ZipFile, limits: SubmissionLimits) -> Iterator[FileEntry]:
    """Yield what a zip lists; a name that points outside of it refuses the whole."""
    for info in archive.infolist():
        name = info.orig_filename  # filename ends at the first NUL, which could hide an ending
        path = name.replace("\\", "/")
        if path.startswith("/") or re.match("[A-Za-z]:", path) or ".." in path.split("/"):
            raise InvalidSubmission(
                f"The zip holds {as_shown(name)}, which points outside of its own folder. "
                f"Only names inside it are expected. {ADVICE}"
            )
        if "\0" in name:
            raise InvalidSubmission(
                f"The zip holds {as_shown(name)}, a name with a NUL in it. {ADVICE}"
            )
        mode = info.external_attr >> 16  # 0 where the zip was not made on Unix
        kind = _kind(mode) if stat.S_IFMT(mode) else "file"
        if path.endswith("/"):
            kind = "a folder"
        yield FileEntry(_normal(path), kind, partial(_read_entry, archive, info, limits))


def _read_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: SubmissionLimits) -> bytes:
    """Read one entry of a zip, whatever its header promises."""
    shown = as_shown(info.orig_filename)
    if info.flag_bits & _ENCRYPTED:
        raise InvalidSubmission(
            f"{shown} is encrypted: a zip without a password is expected. {ADVICE}"
        )
    # Only these two are unpacked in bounded steps; bzip2 and LZMA could yield gigabytes in one.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InvalidSubmission(
            f"{shown} is packed by method {info.compress_type}: "
            f"only stored and deflated files are expected. {ADVICE}"
        )
    try:
        with archive.open(info) as file:
            content = _read_capped(file.read, info.orig_filename, limits)
        if len(content) != info.file_size:
            raise zipfile.BadZipFile(f"{len(content)} bytes where {info.file_size} were promised")
    except InvalidSubmission:
        raise
    except Exception as error:  # as in _open_zip
        raise InvalidSubmission(
            f"{shown} is damaged inside the zip ({type(error).__name__}). "
            f"Make the zip anew and upload it again. {ADVICE}"
        ) from error
    return content


def _read_capped(read: Callable[[int], bytes], path: str, limits: SubmissionLimits) -> bytes:
    chunks: list[bytes] = []
    left = limits.max_file_bytes + 1
    while left and (chunk := read(min(left, _CHUNK))):
        chunks.append(chunk)
        left -= len(chunk)
    if not left:
        raise InvalidSubmission(_too_large(path, limits))
    return b"".join(chunks)


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFREG: "file",
        stat.S_IFDIR: "a folder",
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a fifo",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


def _normal(path: str) -> str:
    parts = path.replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def _too_large(path: str, limits: SubmissionLimits) -> str:
    return (
        f"{as_shown(path)} is larger than {limits.max_file_bytes:,} bytes, "
        f"the most that is expected of a file of code. {ADVICE}"
    )


def _too_many(limits: SubmissionLimits) -> str:
    return (
        f"The submission holds too many files: at most {limits.max_entries:,} are expected. "
        f"Leave out data, environments and caches. {ADVICE}"
    )


def as_shown(name: str) -> str:
    """Return a name in quotes with everything unprintable escaped, at most 80 characters of it.

    A long one is cut in the middle: its end says which file it is.
    """
    text = repr(name)
    return text if len(text) <= 80 else f"{text[:30]}...{text[-47:]}"
