"""The export of a class: its submissions, their students, and their payloads.

It reads four layouts, each as a zip or as a folder, inside any wrapping folders:

    Gradescope   submission_<id>/..., and submission_metadata.yml
    Moodle       <name>_<id>_assignsubmission_file_/..., or files whose names start like this
    Canvas       <name>_[LATE_]<user>_<attachment>_<file>, all in one folder
    any other    a folder or an archive for each student

Nothing is unpacked. Other entries are listed with the reason why they are not graded.
"""

from __future__ import annotations

import contextlib
import io
import re
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from posixpath import basename, join, splitext

from autograder.engine.batch.metadata import (
    METADATA,
    ExportError,
    Handed,
    Submitter,
    moment,
    read_metadata,
)
from autograder.engine.batch.payload import UnreadableSubmission, pack, pack_items
from autograder.engine.batch.trees import FILE, FOLDER, FolderTree, Tree, ZipTree
from autograder.engine.submission.entries import (
    FileEntry,
    InvalidSubmission,
    SubmissionLimits,
    listed,
)

_LIMITS = SubmissionLimits()
_GRADESCOPE = re.compile(r"submission_\d+")
_MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assign(?P<what>submission_[a-z]+)_?(?P<file>.*)")
_CANVAS = re.compile(
    r"(?P<name>[^_]+)_(?P<late>LATE_)?(?P<user>\d+)_(?P<attachment>\d+)_(?P<file>.+)"
)
_VERSION = re.compile(r"(?P<stem>.+)-(?P<version>\d+)")
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".rar", ".7z")
_MOST_WRAPPING = 8
LATE = "late"


class NothingHandedIn(UnreadableSubmission):
    """The export names a student but has no file from them."""


@dataclass(frozen=True)
class Submission:
    """One submission of a class, before its files are read.

    Args:
        name: unique in the export: its folder or file, or a student's name and id.
        submitters: the students; several for a group, none if the export has no names.
        handed_in: the time as the export writes it, or "".
        late: "late" or by how much; "" if it was on time or this is unknown.
    """

    name: str
    submitters: tuple[Submitter, ...] = ()
    handed_in: str = ""
    late: str = ""


@dataclass(frozen=True)
class NotGraded:
    """An entry of the export that is not a submission, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class _Piece:
    """A folder, archive or file of a submission.

    Args:
        path: in the tree.
        kind: see `trees`.
        name: the student's own name for the file.
    """

    path: str
    kind: str
    name: str


@contextlib.contextmanager
def open_export(path: Path, wanted: Sequence[str], due: datetime | None = None) -> Iterator[Export]:
    """Open an export.

    Args:
        path: a folder or a zip.
        wanted: the files of a submission that are read, such as "code/model.py".
        due: what was handed in later is late, if the export has the time.

    Raises:
        ExportError: there is none at the path, or it has no submission.
    """
    with contextlib.ExitStack() as stack:
        if path.is_dir():
            tree: Tree = FolderTree(path)
        elif path.is_file():
            try:
                tree = ZipTree(stack.enter_context(zipfile.ZipFile(path)))
            except (zipfile.BadZipFile, OSError) as error:
                raise ExportError(
                    f"{path} cannot be read as a zip ({error}): download the export again"
                ) from error
        else:
            raise ExportError(f"there is no export at {path}: a folder or a zip is expected")
        export = Export(tree, wanted, due)
        if next(export.submissions(), None) is None:
            raise ExportError(
                f"{path} contains no submission: an export of Gradescope, Moodle or Canvas, or a "
                "folder or zip for each student is expected"
            )
        yield export


class Export:
    """The submissions of a class; iterating twice gives the same."""

    def __init__(self, tree: Tree, wanted: Sequence[str], due: datetime | None = None) -> None:
        self._tree = tree
        self._due = due
        self.not_graded: list[NotGraded] = []
        root = _root(tree, wanted)
        entries = tree.entries(root)
        self._metadata = join(root, METADATA) if (METADATA, FILE) in entries else None
        is_canvas = self._metadata is None and _is_canvas(entries)
        self._pieces: dict[str, list[_Piece]] = defaultdict(list)
        self._who: dict[str, Submission] = {}
        for name, kind in entries:
            found = self._sort_in(name, kind, is_canvas)
            if isinstance(found, str):
                self.not_graded.append(NotGraded(name, found))
            elif found is not None:
                self._who[found[0].name] = found[0]
                self._pieces[found[0].name].append(_Piece(join(root, name), kind, found[1]))
        if is_canvas:
            self._drop_earlier_versions()

    def submissions(self) -> Iterator[Submission]:
        """Yield all submissions: first those in the metadata, in its order."""
        seen: set[str] = set()
        if self._metadata is not None:
            with self._tree.open(self._metadata) as stream:
                for name, handed in read_metadata(stream, METADATA):
                    if _is_plain(name) and name not in seen:
                        seen.add(name)
                        yield Submission(name, handed.submitters, handed.at, self._late(handed))
        yield from (who for name, who in sorted(self._who.items()) if name not in seen)

    def payload(self, name: str, wanted: Sequence[str]) -> bytes:
        """Pack a submission.

        Raises:
            NothingHandedIn: it has no file.
            UnreadableSubmission: its files cannot be read.
        """
        pieces = self._pieces.get(name, [])
        if not any(p.kind != FOLDER or self._tree.entries(p.path) for p in pieces):
            raise NothingHandedIn(
                f"The export contains no file from {name}. If they handed something in, download "
                "the export again."
            )
        if self._metadata is not None and pieces[0].kind == FOLDER:  # as Gradescope itself does
            return self._tree.pack(pieces[0].path, wanted)
        return self._packed(pieces, wanted)

    def _sort_in(
        self, name: str, kind: str, is_canvas: bool
    ) -> tuple[Submission, str] | str | None:
        """Return the submission and the file's own name, or why it is none; None for metadata."""
        if name == METADATA:
            return None
        moodle = _MOODLE.fullmatch(name)
        if moodle is not None and self._metadata is None:
            if moodle["what"] != "submission_file":
                return "not a file that a student handed in"
            who = Submitter(moodle["name"], f"Participant {moodle['id']}")
            return Submission(f"{moodle['name']}_{moodle['id']}", (who,)), moodle["file"]
        canvas = _CANVAS.fullmatch(name) if is_canvas else None
        if canvas is not None:
            who = Submitter(canvas["name"], canvas["user"])
            late = LATE if canvas["late"] else ""
            key = f"{canvas['name']}_{canvas['user']}"
            return Submission(key, (who,), late=late), canvas["file"]
        if kind == FOLDER or (kind == FILE and _is_archive(name)):
            return Submission(name), name
        if kind == FILE:
            return "a file by itself: put the files of each student into a folder or a zip"
        return "neither a folder nor a file"

    def _drop_earlier_versions(self) -> None:
        """Keep the latest of the files that Canvas numbered as new versions: model-1.py."""
        for key, pieces in self._pieces.items():
            latest: dict[str, tuple[tuple[int, int], _Piece]] = {}
            for piece in pieces:
                stem, ending = splitext(piece.name)
                numbered = _VERSION.fullmatch(stem)
                name = f"{numbered['stem']}{ending}" if numbered else piece.name
                canvas = _CANVAS.fullmatch(basename(piece.path))
                attachment = int(canvas["attachment"]) if canvas else 0
                rank = (int(numbered["version"]) if numbered else 0, attachment)
                older = latest.get(name)
                if older is None or rank > older[0]:
                    latest[name] = (rank, _Piece(piece.path, piece.kind, name))
            kept = {piece.path for _, piece in latest.values()}
            self.not_graded += [
                NotGraded(basename(piece.path), "an earlier version of a file that was replaced")
                for piece in pieces
                if piece.path not in kept
            ]
            self._pieces[key] = [piece for _, piece in latest.values()]

    def _late(self, handed: Handed) -> str:
        at = moment(handed.at)
        if at is None or self._due is None or at <= self._due:
            return ""
        return _hours(at - self._due)

    def _packed(self, pieces: Sequence[_Piece], wanted: Sequence[str]) -> bytes:
        """Pack a submission; archives count only if the wanted files are not there themselves."""
        payloads, archives = [], []
        for piece in pieces:
            if piece.kind == FOLDER:
                payloads.append(self._tree.pack(piece.path, wanted))
                inside = self._tree.entries(piece.path)
                archives += [join(piece.path, n) for n, k in inside if k == FILE and _is_archive(n)]
            elif _is_archive(piece.name):
                archives.append(piece.path)
            else:
                payloads.append(self._packed_file(piece, wanted))
        zips = [path for path in archives if path.lower().endswith(".zip")] or archives[:1]
        if not zips or _holds_all(payloads, wanted):
            return _merged([("", payload) for payload in payloads], wanted)
        from_zips = []
        for path in zips:
            with self._tree.file(path) as file:
                from_zips.append((basename(path), pack(file, wanted)))
        # A zip alone counts as it is, whatever unwanted files lie next to it.
        if len(from_zips) == 1 and not any(_wanted_in(payload, wanted) for payload in payloads):
            return from_zips[0][1]
        # Each zip becomes a folder, so that a message can name the zip that a file came from.
        return _merged([*(("", payload) for payload in payloads), *from_zips], wanted)

    def _packed_file(self, piece: _Piece, wanted: Sequence[str]) -> bytes:
        def read() -> bytes:
            with self._tree.open(piece.path) as file:
                return file.read(_LIMITS.max_file_bytes + 1)

        try:
            return pack_items([FileEntry(piece.name, "file", read)], wanted)
        except OSError as error:
            raise UnreadableSubmission(f"{piece.path} cannot be read: {error.strerror}") from error


# ---- the folder of the submissions --------------------------------------------------------------


def _root(tree: Tree, wanted: Sequence[str]) -> str:
    """Return the folder with the submissions, inside any wrapping folders."""
    root = ""
    for _ in range(_MOST_WRAPPING):
        entries = tree.entries(root)
        folders = [name for name, kind in entries if kind == FOLDER]
        if (
            (METADATA, FILE) in entries
            or len(folders) != 1
            or _is_one(tree, root, folders[0], wanted)
        ):
            break
        inner = join(root, folders[0])
        others = [name for name, kind in entries if kind == FILE]
        # A file next to it may be the zip of the unpacked export, or another submission.
        if others and (METADATA, FILE) not in tree.entries(inner):
            break
        root = inner
    return root


def _is_one(tree: Tree, root: str, name: str, wanted: Sequence[str]) -> bool:
    """Whether an only folder is a submission and not a wrapping folder."""
    if _GRADESCOPE.fullmatch(name) or _MOODLE.fullmatch(name):
        return True
    entries = tree.entries(join(root, name))
    firsts = {path.partition("/")[0] for path in wanted} | {basename(path) for path in wanted}
    if any(inner in firsts for inner, _ in entries):
        return True
    return not any(k == FOLDER or _is_archive(n) or _CANVAS.fullmatch(n) for n, k in entries)


def _is_canvas(entries: Sequence[tuple[str, str]]) -> bool:
    """Whether the entries are those of a Canvas download, which is one flat folder."""
    matching = sum(bool(_CANVAS.fullmatch(name)) for name, _ in entries)
    return 2 * matching > len(entries) and not any(kind == FOLDER for _, kind in entries)


def _is_archive(name: str) -> bool:
    return name.lower().endswith(_ARCHIVES)


def _is_plain(name: str) -> bool:
    """Whether a name from the metadata stays inside the export's own folder."""
    return name not in ("", ".", "..") and "/" not in name and "\0" not in name


def _hours(late: timedelta) -> str:
    """Return a time as in Gradescope's own table: H:MM:SS."""
    seconds = int(late.total_seconds())
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


# ---- payloads of several pieces ------------------------------------------------------------------


def _wanted_in(payload: bytes, wanted: Sequence[str]) -> set[str]:
    """Return the names of wanted files in a payload; none if it is not a zip."""
    names = {basename(path) for path in wanted}
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            return names.intersection(map(basename, archive.namelist()))
    except zipfile.BadZipFile:
        return set()


def _holds_all(payloads: Sequence[bytes], wanted: Sequence[str]) -> bool:
    held: set[str] = set().union(*(_wanted_in(payload, wanted) for payload in payloads))
    return held == {basename(path) for path in wanted}


def _merged(payloads: Sequence[tuple[str, bytes]], wanted: Sequence[str]) -> bytes:
    """Merge payloads, each in its folder; one that will be refused replaces all."""
    if len(payloads) == 1:
        return payloads[0][1]
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="class-merge-")))
        items: list[FileEntry] = []
        for i, (folder, payload) in enumerate(payloads):
            path = place / f"{i}.zip"
            path.write_bytes(payload)
            try:
                found = stack.enter_context(listed(path, _LIMITS))
            except InvalidSubmission:
                return payload
            items += [FileEntry(join(folder, item.path), item.kind, item.read) for item in found]
        return pack_items(items, wanted)
