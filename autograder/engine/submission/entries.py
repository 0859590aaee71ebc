"""The entries of a submission, listed and read from a folder or a zip within limits.

Nothing is unpacked, no symlink is followed, only regular files are read, and every count and size
is checked before it costs anything.
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
ADVICE = "Run make_submission.py in the homework's folder and submit the zip that it makes."
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ENCRYPTED = 0x1 | 0x40 | 0x2000  # bits of a zip entry: encrypted, strongly, names too
# Folders of packages and caches; so are folders whose names begin with a dot.
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


def refusal(problem: str) -> InvalidSubmission:
    """Return the error for a problem, with the advice to use make_submission.py."""
    return InvalidSubmission(f"{problem} {ADVICE}")


@dataclass(frozen=True)
class SubmissionLimits:
    """The largest submission that is accepted.

    Args:
        max_file_bytes: size of a wanted file.
        max_entries: number of files and folders.
        max_listing_bytes: size of a zip's list of entries.
        max_depth: number of folders above a wanted file.
    """

    max_file_bytes: int = 1024 * 1024
    max_entries: int = 10_000
    max_listing_bytes: int = 4 * 1024 * 1024
    max_depth: int = 16


@dataclass(frozen=True)
class FileEntry:
    """An entry of the submission: path, kind ("file", "a folder" ...) and how to read a file."""

    path: str
    kind: str
    read: Callable[[], bytes]


def is_hidden(path: str) -> bool:
    """Return whether a path is inside a cache, an environment or a hidden folder."""
    *folders, _ = path.split("/")
    return any(map(_is_no_work, folders))


def _is_no_work(folder: str) -> bool:
    return folder.startswith(".") or folder in _NO_WORK


@contextmanager
def listed(source: Path, limits: SubmissionLimits) -> Iterator[list[FileEntry]]:
    """List a folder or zip, without the litter of macOS."""
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
    """Return the entries without those that macOS adds; refuse too many."""
    kept = []
    for count, item in enumerate(items, start=1):
        if count > limits.max_entries:
            raise _too_many(limits)
        base = posixpath.basename(item.path)
        litter = base == ".DS_Store" or base.startswith("._") or "__MACOSX" in item.path.split("/")
        if item.path and not litter:
            kept.append(item)
    return kept


def _folder_items(root: int, limits: SubmissionLimits) -> Iterator[FileEntry]:
    """Yield the entries of a folder down to a depth, never through a symlink."""

    def walk(folder: int, above: str, depth: int) -> Iterator[FileEntry]:
        with os.scandir(folder) as entries:
            for entry in entries:
                path = above + entry.name
                kind = _kind(entry.stat(follow_symlinks=False).st_mode)
                # A zip from Windows may have been unpacked to names with backslashes.
                yield FileEntry(normal(path), kind, partial(_read_file, root, path, limits))
                if kind == "a folder" and depth and not _is_no_work(entry.name):
                    inner = os.open(entry.name, _OPEN_FOLDER, dir_fd=folder)
                    try:
                        yield from walk(inner, f"{path}/", depth - 1)
                    finally:
                        os.close(inner)

    try:
        yield from walk(root, "", limits.max_depth)
    except OSError as error:
        where = as_shown(str(error.filename))
        raise refusal(f"{where} cannot be listed: {error.strerror}.") from error


def _read_file(root: int, path: str, limits: SubmissionLimits) -> bytes:
    """Read a regular file under a folder; refuse a symlink anywhere in its path."""
    *folders, name = path.split("/")
    opened = [root]
    try:
        for folder in folders:
            opened.append(os.open(folder, _OPEN_FOLDER, dir_fd=opened[-1]))
        # O_NONBLOCK: if it has become a fifo, this does not wait.
        opened.append(os.open(name, _OPEN | os.O_NOFOLLOW, dir_fd=opened[-1]))
        mode = os.fstat(opened[-1]).st_mode
        if not stat.S_ISREG(mode):
            raise InvalidSubmission(
                f"{as_shown(path)} is {_kind(mode)}, but a plain file is expected."
            )
        return _read_capped(partial(os.read, opened[-1]), path, limits)
    except OSError as error:
        raise refusal(f"{as_shown(path)} cannot be read: {error.strerror}.") from error
    finally:
        for fd in opened[1:]:
            os.close(fd)


class _CappedFile(io.FileIO):
    """A zip file that refuses large single reads.

    zipfile reads a zip's whole listing at once and makes an object of every entry. A listing of
    gigabytes must fail before that, and zipfile has no public way to get its size.
    """

    def __init__(self, fd: int, limits: SubmissionLimits) -> None:
        super().__init__(fd, "rb", closefd=False)
        self._limits = limits

    def read(self, size: int | None = -1, /) -> bytes:
        most = self._limits.max_listing_bytes
        data = super().read(most + 1 if size is None or size < 0 else min(size, most + 1)) or b""
        if len(data) > most:
            raise _too_many(self._limits)
        return data


def _open_zip(fd: int, shown: str, limits: SubmissionLimits) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(_CappedFile(fd, limits))
    except InvalidSubmission:
        raise
    except Exception as error:  # on hostile bytes the parser raises at least six kinds
        head = os.pread(fd, 16, 0)
        other = next((what for magic, what in _OTHERS.items() if head.startswith(magic)), None)
        other = other or _BY_NAME.get(Path(shown.strip("'")).suffix.lower())
        if not head:
            what = "is an empty file"
        elif head.startswith(b"PK"):
            what = "is a damaged zip, perhaps cut short: create it and upload it again"
        else:
            what = f"is {other}" if other else "is not a zip"
        raise refusal(f"{shown} {what}. A folder or zip is expected.") from error


def _zip_items(archive: zipfile.ZipFile, limits: SubmissionLimits) -> Iterator[FileEntry]:
    """Yield the entries of a zip; refuse the zip if a name points outside it."""
    for info in archive.infolist():
        name = info.orig_filename  # filename ends at the first NUL, which could hide an ending
        path = name.replace("\\", "/")
        if path.startswith("/") or re.match("[A-Za-z]:", path) or ".." in path.split("/"):
            raise refusal(f"The zip contains {as_shown(name)}, a path outside the zip's folder.")
        if "\0" in name:
            raise refusal(f"The zip contains {as_shown(name)}, a name with a NUL character.")
        yield FileEntry(
            normal(path), kind_in_zip(info), partial(_read_entry, archive, info, limits)
        )


def _read_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: SubmissionLimits) -> bytes:
    """Read one entry of a zip without trusting its header."""
    shown = as_shown(info.orig_filename)
    if info.flag_bits & _ENCRYPTED:
        raise refusal(f"{shown} is encrypted: a zip without a password is expected.")
    # zipfile unpacks only these two in bounded steps; bzip2 and LZMA can yield gigabytes in one.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise refusal(
            f"{shown} is compressed with method {info.compress_type}: "
            "only stored and deflated files are accepted."
        )
    try:
        with archive.open(info) as file:
            content = _read_capped(file.read, info.orig_filename, limits)
        if len(content) != info.file_size:
            raise zipfile.BadZipFile(f"{len(content)} bytes where {info.file_size} were promised")
    except InvalidSubmission:
        raise
    except Exception as error:  # as in _open_zip
        raise refusal(
            f"{shown} is damaged inside the zip ({type(error).__name__}). "
            "Create the zip and upload it again."
        ) from error
    return content


def _read_capped(read: Callable[[int], bytes], path: str, limits: SubmissionLimits) -> bytes:
    chunks: list[bytes] = []
    left = limits.max_file_bytes + 1
    while left and (chunk := read(min(left, _CHUNK))):
        chunks.append(chunk)
        left -= len(chunk)
    if not left:
        raise refusal(
            f"{as_shown(path)} is larger than {limits.max_file_bytes:,} bytes, "
            "the limit for a file of code."
        )
    return b"".join(chunks)


def kind_in_zip(info: zipfile.ZipInfo) -> str:
    """Return the kind of an entry of a zip."""
    if info.orig_filename.endswith(("/", "\\")):
        return "a folder"
    mode = info.external_attr >> 16  # 0 where the zip was not made on Unix
    return _kind(mode) if stat.S_IFMT(mode) else "file"


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFREG: "file",
        stat.S_IFDIR: "a folder",
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a fifo",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


def normal(path: str) -> str:
    """Return a path with slashes, without empty parts."""
    parts = path.replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def _too_many(limits: SubmissionLimits) -> InvalidSubmission:
    return refusal(
        f"The submission contains too many files: at most {limits.max_entries:,} are accepted. "
        "Leave out data, environments and caches."
    )


def as_shown(name: str) -> str:
    """Return a name in quotes, with everything unprintable escaped, in at most 80 characters.

    A long name is cut in the middle, because its end identifies the file.
    """
    text = repr(name)
    return text if len(text) <= 80 else f"{text[:30]}...{text[-47:]}"
