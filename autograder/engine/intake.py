"""Zip or folder to a staged submission, or one clear error.

A submission is untrusted before any of its code runs: it may name files outside its folder, put
a symlink or a fifo where a file should be, or unpack to a thousand times its size. So nothing is
ever unpacked. What is there is listed, the few wanted files are found in the list, and only those
are read, up to a cap, and written under names of our own. POSIX only, as the workers are.
"""

from __future__ import annotations

import hashlib
import io
import os
import posixpath
import re
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

_CHUNK = 64 * 1024
_LISTED = 5  # names that a message lists
_ADVICE = "Run make_submission.sh in the homework's folder and submit the zip that it makes."
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ENCRYPTED = 0x1 | 0x40 | 0x2000  # bits of a zip entry: encrypted, strongly, names too
_OTHERS = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x1f\x8b": "a gzip file",
    b"%PDF": "a PDF",
}


class IntakeError(Exception):
    """The submission cannot be graded; the text tells the student why and what to do."""


@dataclass(frozen=True)
class IntakeLimits:
    """What a submission may cost us: bytes of a wanted file, entries, bytes of a zip's listing."""

    max_file_bytes: int = 1024 * 1024
    max_entries: int = 10_000
    max_listing_bytes: int = 4 * 1024 * 1024


@dataclass(frozen=True)
class StagedSubmission:
    """A folder with the student's files beside the pristine rest.

    Args:
        root: the folder; what is in it can be read by every user and written by its owner.
        found: the wanted files that the student handed in.
        missing: the wanted files that the student did not; they are not staged at all.
        notes: what the student should know, a sentence each.
        sha256: of the found files' names and contents.
    """

    root: Path
    found: tuple[str, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    sha256: str


@dataclass(frozen=True)
class _Item:
    """A thing in the submission: where, "file" or what else it is, how to read it if a file."""

    path: str
    kind: str
    read: Callable[[], bytes]


def stage(
    source: Path,
    destination: Path,
    *,
    wanted: Sequence[str],
    pristine: Path,
    limits: IntakeLimits = IntakeLimits(),
) -> StagedSubmission:
    """Copy the wanted files of a submission, and beside them the rest of the pristine tree.

    A wanted file may lie under its own path or by its bare name, either of them also under one
    wrapping folder. Anything else in the submission is left where it is.

    Args:
        source: a folder or a zip.
        destination: a folder that is absent or empty.
        wanted: paths such as "codebase/gan.py".
        pristine: the folder whose "codebase/*.py" stands in for everything that is not wanted.
        limits: what the submission may cost.

    Raises:
        IntakeError: the submission is at fault.
        ValueError: the destination is not empty.
        FileNotFoundError: the pristine tree lacks a folder of the wanted files.
        OSError: the destination cannot be written.
    """
    contents: dict[str, bytes] = {}
    places: dict[str, str] = {}
    with _listed(source, wanted, limits) as items:
        _refuse_odd_folders(items, wanted)
        for name in wanted:
            candidates = sorted(
                (item for item in items if item.path in _places(name, item.path)),
                key=lambda item: (item.path != name, item.path),
            )
            if candidates:
                places[name] = candidates[0].path
                contents[name] = _agreed(name, candidates)
        if not contents:
            raise IntakeError(_nothing_found(wanted, items))
        notes = _notes(wanted, places, contents, items, pristine)
    _write_tree(destination, contents, wanted, pristine)
    return StagedSubmission(
        root=destination,
        found=tuple(contents),
        missing=tuple(name for name in wanted if name not in contents),
        notes=notes,
        sha256=_digest(contents),
    )


# ---- finding ---------------------------------------------------------------------------------


def _places(name: str, path: str) -> tuple[str, ...]:
    """Return where `name` may lie, given the first folder of `path`; dot folders do not count."""
    wrapping, slash, _ = path.partition("/")
    plain = (name, posixpath.basename(name))
    if not slash or wrapping.startswith("."):
        return plain
    return (*plain, *(f"{wrapping}/{place}" for place in plain))


def _agreed(name: str, candidates: Sequence[_Item]) -> bytes:
    """Return the content that all the places of a wanted file agree on."""
    for item in candidates:
        if item.kind != "file":
            raise IntakeError(
                f"{_shown(item.path)} is {item.kind}, but a plain file is expected there. "
                f"Put the file itself in its place. {_ADVICE}"
            )
    first, *others = candidates
    content = first.read()
    for item in others:  # a few are read; thousands of copies would take minutes
        if len(others) > _LISTED or item.read() != content:
            raise IntakeError(
                f"The submission holds different versions of {name}: {_shown(first.path)} "
                f"and {_shown(item.path)}. Exactly one is expected: remove the others. {_ADVICE}"
            )
    return content


def _refuse_odd_folders(items: Sequence[_Item], wanted: Sequence[str]) -> None:
    """Refuse a symlink where a folder of wanted files should be: we do not look behind it."""
    folders = {posixpath.dirname(name) for name in wanted} - {""}
    for item in items:
        if item.kind == "a symbolic link" and any(
            item.path in _places(folder, item.path) for folder in folders
        ):
            raise IntakeError(
                f"{_shown(item.path)} is a symbolic link, but a folder is expected there. "
                f"Put the folder itself in its place. {_ADVICE}"
            )


def _nothing_found(wanted: Sequence[str], items: Sequence[_Item]) -> str:
    """Return the message for a submission without any wanted file."""
    expected = f"Expected: {' and '.join(wanted)}, as in the template."
    if not items:
        return f"The submission is empty. {expected} {_ADVICE}"
    paths = sorted(
        {item.path + "/" * (item.kind == "a folder") for item in items},
        key=lambda path: (not _resembles(path, wanted), path.endswith("/"), path),
    )
    more = f" and {len(paths) - _LISTED} more" if len(paths) > _LISTED else ""
    found = f"Found: {', '.join(map(_shown, paths[:_LISTED]))}{more}."
    endings = {posixpath.splitext(path)[1].lower() for path in paths}
    names = {posixpath.basename(name) for name in wanted}
    if any(posixpath.basename(path) in names for path in paths):
        hint = "The files lie too deep: at most one folder may be around them."
    elif endings & {".zip", ".rar", ".7z", ".tar", ".gz", ".tgz"}:
        hint = "There is an archive inside: submit the files that are in it, not a zip of a zip."
    elif any(_resembles(path, wanted) for path in paths):
        hint = "File names must be exactly those, small letters and ending included: rename yours."
    elif ".ipynb" in endings:
        hint = "Notebooks are not graded: move your code into the template's files."
    elif ".pdf" in endings:
        hint = "Written answers are not graded here: submit the code."
    else:
        hint = ""
    return " ".join(filter(None, ["None of your code was found.", expected, found, hint, _ADVICE]))


def _resembles(path: str, wanted: Sequence[str]) -> bool:
    """Return whether a path may be meant for a wanted file, such as "Gan (1).py"."""
    base, ending = posixpath.splitext(posixpath.basename(path).lower())
    stems = [posixpath.splitext(posixpath.basename(name))[0].lower() for name in wanted]
    return ending in ("", ".py", ".pyc", ".txt") and any(stem in base for stem in stems)


def _notes(
    wanted: Sequence[str],
    places: dict[str, str],
    contents: dict[str, bytes],
    items: Sequence[_Item],
    pristine: Path,
) -> tuple[str, ...]:
    notes = [
        f"{name} was taken from {_shown(place)}." for name, place in places.items() if place != name
    ]
    known = {path.name for path in pristine.rglob("*.py")}
    known.update(posixpath.basename(name) for name in wanted)
    others = [item.path for item in items if item.kind == "file" and item.path.endswith(".py")]
    others = sorted(path for path in others if posixpath.basename(path) not in known)
    for name in wanted:
        if name not in contents:
            near = [i.path for i in items if i.kind == "file" and _resembles(i.path, [name])]
            hint = f" Names like it: {', '.join(map(_shown, near[:_LISTED]))}." if near else ""
            notes.append(f"{name} is not in the submission.{hint}")
    if others:
        more = f" and {len(others) - _LISTED} more" if len(others) > _LISTED else ""
        shown = ", ".join(map(_shown, others[:_LISTED]))
        notes.append(f"Only {' and '.join(wanted)} are used; ignored: {shown}{more}.")
    for name, content in contents.items():
        if fault := _encoding_fault(content):
            notes.append(f"{name} {fault}: Python may refuse it. Save it as UTF-8.")
    return tuple(notes)


def _encoding_fault(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "is saved as UTF-16"
    if b"\0" in content:
        return f"holds a NUL byte at offset {content.index(0)}"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"is not UTF-8 at byte offset {error.start}"
    return ""


# ---- reading ---------------------------------------------------------------------------------


@contextmanager
def _listed(source: Path, wanted: Sequence[str], limits: IntakeLimits) -> Iterator[list[_Item]]:
    """List a folder or zip without litter, deep enough to say where the wanted files lie."""
    shown = _shown(str(source))
    try:
        fd = os.open(source, _OPEN)
    except FileNotFoundError:
        raise IntakeError(
            f"There is no submission at {shown}: a folder or zip is expected."
        ) from None
    except OSError as error:
        raise IntakeError(f"{shown} cannot be read: {error.strerror}.") from error
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISDIR(mode):
            depth = 2 + max(name.count("/") for name in wanted)
            yield _without_litter(_folder_items(fd, depth, limits), limits)
        elif stat.S_ISREG(mode):
            yield _without_litter(_zip_items(_open_zip(fd, shown, limits), limits), limits)
        else:
            raise IntakeError(f"{shown} is {_kind(mode)}: a folder or zip is expected.")
    finally:
        os.close(fd)


def _without_litter(items: Iterable[_Item], limits: IntakeLimits) -> list[_Item]:
    """Return the items that a person put there; refuse more than anyone would have."""
    kept = []
    for count, item in enumerate(items, start=1):
        if count > limits.max_entries:
            raise IntakeError(_too_many(limits))
        base = posixpath.basename(item.path)
        litter = base == ".DS_Store" or base.startswith("._") or "__MACOSX" in item.path.split("/")
        if item.path and not litter:
            kept.append(item)
    return kept


def _folder_items(root: int, depth: int, limits: IntakeLimits) -> Iterator[_Item]:
    """Yield what is in a folder, down to a depth, never through a symlink."""

    def walk(folder: int, above: str, depth: int) -> Iterator[_Item]:
        with os.scandir(folder) as entries:
            for entry in entries:
                path = above + entry.name
                kind = _kind(entry.stat(follow_symlinks=False).st_mode)
                # A zip made on Windows may have been unpacked to names with backslashes.
                yield _Item(_normal(path), kind, partial(_read_file, root, path, limits))
                if kind == "a folder" and depth and not entry.name.startswith((".", "__MACOSX")):
                    inner = os.open(entry.name, _OPEN_FOLDER, dir_fd=folder)
                    try:
                        yield from walk(inner, f"{path}/", depth - 1)
                    finally:
                        os.close(inner)

    try:
        yield from walk(root, "", depth)
    except OSError as error:
        where = _shown(str(error.filename))
        raise IntakeError(f"{where} cannot be listed: {error.strerror}. {_ADVICE}") from error


def _read_file(root: int, path: str, limits: IntakeLimits) -> bytes:
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
            raise IntakeError(f"{_shown(path)} is {_kind(mode)}, but a plain file is expected.")
        return _read_capped(partial(os.read, opened[-1]), path, limits)
    except OSError as error:
        raise IntakeError(f"{_shown(path)} cannot be read: {error.strerror}. {_ADVICE}") from error
    finally:
        for fd in opened[1:]:
            os.close(fd)


class _CappedFile(io.FileIO):
    """A zip file that refuses large single reads.

    zipfile reads a zip's whole listing at once and makes an object of every entry: a listing of
    gigabytes must fail before that, and no public interface of zipfile tells its size.
    """

    def __init__(self, fd: int, limits: IntakeLimits) -> None:
        super().__init__(fd, "rb", closefd=False)
        self._limits = limits

    def read(self, size: int | None = -1, /) -> bytes:
        most = self._limits.max_listing_bytes
        data = super().read(most + 1 if size is None or size < 0 else min(size, most + 1)) or b""
        if len(data) > most:
            raise IntakeError(_too_many(self._limits))
        return data


def _open_zip(fd: int, shown: str, limits: IntakeLimits) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(_CappedFile(fd, limits))
    except IntakeError:
        raise
    except Exception as error:  # a parser at work on hostile bytes: it raises at least six kinds
        head = os.pread(fd, 16, 0)
        other = next((what for magic, what in _OTHERS.items() if head.startswith(magic)), None)
        if not head:
            what = "is an empty file"
        elif head.startswith(b"PK"):
            what = "is a damaged zip, perhaps cut short: make it anew and upload it again"
        else:
            what = f"is {other}" if other else "is not a zip"
        raise IntakeError(f"{shown} {what}. A folder or zip is expected. {_ADVICE}") from error


def _zip_items(archive: zipfile.ZipFile, limits: IntakeLimits) -> Iterator[_Item]:
    """Yield what a zip lists; a name that points outside of it refuses the whole."""
    for info in archive.infolist():
        name = info.orig_filename  # filename ends at the first NUL, which could hide an ending
        path = name.replace("\\", "/")
        if path.startswith("/") or re.match("[A-Za-z]:", path) or ".." in path.split("/"):
            raise IntakeError(
                f"The zip holds {_shown(name)}, which points outside of its own folder. "
                f"Only names inside it are expected. {_ADVICE}"
            )
        if "\0" in name:
            raise IntakeError(f"The zip holds {_shown(name)}, a name with a NUL in it. {_ADVICE}")
        mode = info.external_attr >> 16  # 0 where the zip was not made on Unix
        kind = _kind(mode) if stat.S_IFMT(mode) else "file"
        if path.endswith("/"):
            kind = "a folder"
        yield _Item(_normal(path), kind, partial(_read_entry, archive, info, limits))


def _read_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: IntakeLimits) -> bytes:
    """Read one entry of a zip, whatever its header promises."""
    shown = _shown(info.orig_filename)
    if info.flag_bits & _ENCRYPTED:
        raise IntakeError(f"{shown} is encrypted: a zip without a password is expected. {_ADVICE}")
    # Only these two are unpacked in bounded steps; bzip2 and LZMA could yield gigabytes in one.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise IntakeError(
            f"{shown} is packed by method {info.compress_type}: "
            f"only stored and deflated files are expected. {_ADVICE}"
        )
    try:
        with archive.open(info) as file:
            content = _read_capped(file.read, info.orig_filename, limits)
        if len(content) != info.file_size:
            raise zipfile.BadZipFile(f"{len(content)} bytes where {info.file_size} were promised")
    except IntakeError:
        raise
    except Exception as error:  # as in _open_zip
        raise IntakeError(
            f"{shown} is damaged inside the zip ({type(error).__name__}). "
            f"Make the zip anew and upload it again. {_ADVICE}"
        ) from error
    return content


def _read_capped(read: Callable[[int], bytes], path: str, limits: IntakeLimits) -> bytes:
    chunks: list[bytes] = []
    left = limits.max_file_bytes + 1
    while left and (chunk := read(min(left, _CHUNK))):
        chunks.append(chunk)
        left -= len(chunk)
    if not left:
        raise IntakeError(_too_large(path, limits))
    return b"".join(chunks)


# ---- writing ---------------------------------------------------------------------------------


def _write_tree(
    destination: Path, contents: dict[str, bytes], wanted: Sequence[str], pristine: Path
) -> None:
    """Write the student's files, and the pristine ones of the same folders."""
    tree = dict(contents)
    for folder in {posixpath.dirname(name) for name in wanted}:
        if not (pristine / folder).is_dir():
            raise FileNotFoundError(f"the pristine tree {str(pristine)!r} has no {folder!r} folder")
        for path in (pristine / folder).glob("*.py"):
            name = posixpath.join(folder, path.name)
            if name not in wanted:
                tree[name] = path.read_bytes()
    destination.mkdir(parents=True, exist_ok=True)
    if any(destination.iterdir()):
        raise ValueError(f"destination {str(destination)!r} must be empty, and is not")
    destination.chmod(0o755)
    for name, content in sorted(tree.items()):
        for parent in reversed(Path(name).parents[:-1]):
            (destination / parent).mkdir(exist_ok=True)
            (destination / parent).chmod(0o755)  # whatever the umask
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(destination / name, flags), "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o644)


def _digest(contents: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


# ---- words -----------------------------------------------------------------------------------


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


def _too_large(path: str, limits: IntakeLimits) -> str:
    return (
        f"{_shown(path)} is larger than {limits.max_file_bytes:,} bytes, "
        f"the most that is expected of a file of code. {_ADVICE}"
    )


def _too_many(limits: IntakeLimits) -> str:
    return (
        f"The submission holds too many files: at most {limits.max_entries:,} are expected. "
        f"Leave out data, environments and caches. {_ADVICE}"
    )


def _shown(name: str) -> str:
    """Return a name in quotes with everything unprintable escaped, cut to 80 characters."""
    text = repr(name)
    return text if len(text) <= 80 else text[:76] + "..." + text[-1]
