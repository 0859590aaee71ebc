"""Copy a submission's files from a zip or folder to a clean folder, or refuse it with one error.

A submission is untrusted even before its code runs: it may name files outside its folder, have a
symlink or fifo in place of a file, or unpack to a thousand times its size. So nothing is unpacked.
Its entries are listed, and only the few wanted files are read, up to a size limit, and written
under our own names. POSIX only, like the workers.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.engine.submission import GRADER
from autograder.engine.submission.encoding import SAVE_AS_UTF8, encoding_fault
from autograder.engine.submission.entries import (
    FileEntry,
    InvalidSubmission,
    SubmissionLimits,
    as_shown,
    is_hidden,
    listed,
    refusal,
)

_CHECKS = f"{GRADER}/autograder/"
_LISTED = 5  # names that a message lists
_ARCHIVES = (".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz")
_LIMITS = SubmissionLimits()


@dataclass(frozen=True)
class StagedSubmission:
    """A folder with the student's files and the template's other files.

    Args:
        root: the folder; all users can read its files, only its owner can write them.
        found: the wanted files in the submission.
        missing: the wanted files that are not in the submission; they are not staged.
        notes: sentences for the student.
        sha256: hash of the found files' names and contents.
    """

    root: Path
    found: tuple[str, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    sha256: str


def stage(
    source: Path,
    destination: Path,
    *,
    wanted: Sequence[str],
    pristine: Path,
    limits: SubmissionLimits = _LIMITS,
) -> StagedSubmission:
    """Copy the wanted files of a submission, and the rest from the pristine tree.

    A wanted file may be at any depth, in its template's folder or outside it. Of several copies,
    the one at the template's path is taken: at the root, else under the shallowest folder. All
    other files of the submission are ignored.

    Args:
        source: a folder or a zip.
        destination: a folder that does not exist or is empty.
        wanted: paths such as "code/model.py".
        pristine: the template; its other "code/*.py" are copied.
        limits: the size limits.

    Raises:
        InvalidSubmission: the submission cannot be graded.
        ValueError: the destination is not empty.
        FileNotFoundError: the pristine tree lacks a folder of the wanted files.
        OSError: the destination cannot be written.
    """
    with listed(source, limits) as items:
        copies = _find_copies(wanted, items, limits)
        _refuse_links_to_folders(wanted, items, copies)
        contents = {name: _agreed(name, found) for name, found in copies.items()}
        if not contents:
            raise refusal(_nothing_found(wanted, items))
        notes = _notes(wanted, copies, contents, items, pristine)
    _write_tree(destination, contents, wanted, pristine)
    return StagedSubmission(
        root=destination,
        found=tuple(contents),
        missing=tuple(name for name in wanted if name not in contents),
        notes=notes,
        sha256=_digest(contents),
    )


# ---- finding ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Copy:
    """A candidate for a wanted file; the lowest rank is the best."""

    item: FileEntry
    rank: tuple[int, ...]


def _find_copies(
    wanted: Sequence[str], items: Sequence[FileEntry], limits: SubmissionLimits
) -> dict[str, list[_Copy]]:
    """Return the candidates for each wanted file that has any, best first."""
    by_place: dict[tuple[str, bool], dict[str, list[FileEntry]]] = {}
    for item in items:
        if is_hidden(item.path) or item.path.count("/") > limits.max_depth:
            continue
        for name in wanted:
            place = _place(name, item.path)
            if place is not None:
                by_place.setdefault(place, {}).setdefault(name, []).append(item)
    copies: dict[str, list[_Copy]] = {}
    for (around, bare), by_name in by_place.items():
        # Except at the template's own path, prefer a folder that has all wanted files.
        rank = (int(bare or around != ""), len(wanted) - len(by_name), *_depth(around, bare))
        for name, here in by_name.items():
            copies.setdefault(name, []).extend(_Copy(item, rank) for item in here)
    for each in copies.values():
        each.sort(key=lambda copy: (copy.rank, copy.item.path))
    return {name: copies[name] for name in wanted if name in copies}


def _place(name: str, path: str) -> tuple[str, bool] | None:
    """Return the folder around a wanted file, and whether only its bare name matches."""
    for bare, inner in ((False, name), (True, posixpath.basename(name))):
        if path == inner:
            return "", bare
        if path.endswith(f"/{inner}"):
            return path[: -len(inner) - 1], bare
    return None


def _depth(around: str, bare: bool) -> tuple[int, int]:
    """Return the distance from the template's path: first the folder's name, then the depth."""
    return int(bare), len(around.split("/")) if around else 0


def _agreed(name: str, copies: Sequence[_Copy]) -> bytes:
    """Return the common content of all copies of the best rank."""
    best, *others = [copy.item for copy in copies if copy.rank == copies[0].rank]
    for item in (best, *others):
        if item.kind != "file":
            raise refusal(
                f"{as_shown(item.path)} is {item.kind}, but a plain file is expected there. "
                "Replace it by the file itself."
            )
    content = best.read()
    for item in others:  # only a few are read, because thousands would take minutes
        if len(others) > _LISTED or item.read() != content:
            raise refusal(
                f"The submission contains different versions of {name}: {as_shown(best.path)} and "
                f"{as_shown(item.path)}. Remove all but the one to grade."
            )
    return content


def _refuse_links_to_folders(
    wanted: Sequence[str], items: Sequence[FileEntry], copies: dict[str, list[_Copy]]
) -> None:
    """Refuse a symlink in place of a folder of wanted files, because it is not followed.

    It does not matter if all files of that folder were found at a better place.
    """
    for item in items:
        if item.kind != "a symbolic link" or is_hidden(item.path):
            continue
        for name in wanted:
            folder = posixpath.dirname(name)
            place = _place(folder, item.path) if folder else None
            if place is None or place[1]:
                continue
            best = copies[name][0].rank if name in copies else None
            if best is None or (int(place[0] != ""), 0, *_depth(*place)) <= best:
                raise refusal(
                    f"{as_shown(item.path)} is a symbolic link, but a folder is expected there. "
                    "Replace it by the folder itself."
                )


def _nothing_found(wanted: Sequence[str], items: Sequence[FileEntry]) -> str:
    """Return the message for a submission without any wanted file."""
    expected = f"Expected: {' and '.join(wanted)}, as in the template."
    if not items:
        return f"The submission is empty. {expected}"
    paths = sorted(
        {item.path + "/" * (item.kind == "a folder") for item in items},
        key=lambda path: (not _resembles(path, wanted), path.endswith("/"), path),
    )
    found = f"Found: {_enumerate(paths)}."
    endings = {posixpath.splitext(path)[1].lower() for path in paths}
    names = {posixpath.basename(name) for name in wanted}
    if endings & set(_ARCHIVES):
        hint = "There is an archive inside: submit the files in it, not a zip of a zip."
    elif any(_resembles(path, wanted) and posixpath.basename(path) not in names for path in paths):
        hint = "File names must match exactly, with the same case and ending: rename yours."
    elif ".ipynb" in endings:
        hint = "Notebooks are not graded: move your code into the template's files."
    elif ".pdf" in endings:
        hint = "Written answers are not graded here: submit the code."
    elif any(is_hidden(path) or posixpath.basename(path) in names for path in paths):
        hint = (
            "Files in hidden folders, caches and environments are not graded, nor files in too "
            "many nested folders: move yours."
        )
    else:
        hint = ""
    return " ".join(filter(None, ["None of your code was found.", expected, found, hint]))


def _resembles(path: str, wanted: Sequence[str]) -> bool:
    """Return whether a path looks like a misnamed wanted file, such as "Gan (1).py"."""
    base, ending = posixpath.splitext(posixpath.basename(path).lower())
    stems = [posixpath.splitext(posixpath.basename(name))[0].lower() for name in wanted]
    return ending in ("", ".py", ".pyc", ".txt") and any(stem in base for stem in stems)


def _notes(
    wanted: Sequence[str],
    copies: dict[str, list[_Copy]],
    contents: dict[str, bytes],
    items: Sequence[FileEntry],
    pristine: Path,
) -> tuple[str, ...]:
    notes = []
    for name, (best, *others) in copies.items():
        different = [
            copy.item.path
            for copy in others
            if _CHECKS not in copy.item.path
            and (len(others) > _LISTED or _differs(copy.item, contents[name]))
        ]
        ignored = f"; other copies are ignored: {_enumerate(different)}" if different else ""
        if best.item.path != name or different:
            notes.append(f"{name} was taken from {as_shown(best.item.path)}{ignored}.")
    expected = {path.name for path in pristine.rglob("*.py")}
    expected.update(posixpath.basename(name) for name in wanted)
    unused = sorted(
        item.path
        for item in items
        if item.kind == "file"
        and item.path.endswith(".py")
        and posixpath.basename(item.path) not in expected
        and _CHECKS not in item.path
        and not is_hidden(item.path)
    )
    for name in wanted:
        if name not in contents:
            notes.append(f"{name} is not in the submission.{_hint_of(name, items)}")
    if unused:
        notes.append(f"Only {' and '.join(wanted)} are used; ignored: {_enumerate(unused)}.")
    for name, content in contents.items():
        if fault := encoding_fault(content):
            notes.append(f"{name} {fault}. {SAVE_AS_UTF8}")
    return tuple(notes)


def _hint_of(name: str, items: Sequence[FileEntry]) -> str:
    """Return a hint about entries that may be meant as a missing file."""
    files = [item.path for item in items if item.kind == "file" and not is_hidden(item.path)]
    near = [path for path in files if _resembles(path, [name])]
    if near:
        return f" Similar names: {', '.join(map(as_shown, near[:_LISTED]))}."
    stem = posixpath.splitext(posixpath.basename(name))[0].lower()
    books = [path for path in files if path.lower().endswith(".ipynb")]
    if books:
        books.sort(key=lambda path: (stem not in posixpath.basename(path).lower(), path))
        return (
            f" There is a notebook, {as_shown(books[0])}, but notebooks are not graded: "
            f"move its code into {name}."
        )
    archives = [path for path in files if path.lower().endswith(_ARCHIVES)]
    if archives:
        return (
            f" There is an archive, {as_shown(archives[0])}, but archives are not opened: "
            "submit the files in it."
        )
    return ""


def _differs(item: FileEntry, content: bytes) -> bool:
    """Return whether an ignored copy has other content; an unreadable one counts as different."""
    try:
        return item.kind != "file" or item.read() != content
    except InvalidSubmission:
        return True


def _enumerate(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _LISTED} more" if len(paths) > _LISTED else ""
    return f"{', '.join(map(as_shown, paths[:_LISTED]))}{more}"


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
