"""The folder that a class's results go to: a file a submission, each put there in one step.

    class.json                  what kind of store this is
    submissions.jsonl           who is in the class: a line a submission, in the export's order
    not_graded.json             what else the export holds, and why it is not graded
    results/3f/submission_7.json   a record: results.json and what it was graded by
    feedback/3f/submission_7.html  the feedback as the student sees it

Folders are split by two hex digits, so that 100,000 submissions are 256 folders of 400. Records
are read one at a time: what is done with a class takes the memory of one submission.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from autograder.engine.batch.export import NotGraded
from autograder.engine.batch.metadata import Submitter
from autograder.engine.grading.ledger import Verdict
from autograder.engine.results.gradescope import write_results

_FORMAT = 1
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")


class StoreError(ValueError):
    """A folder cannot be used for results; the text says why and what to do."""


@dataclass(frozen=True)
class Listed:
    """A line of the class list. The key is the submission's name, or its pseudonym.

    `handed_in` and `late` are those of `export.Submission`.
    """

    key: str
    submitters: tuple[Submitter, ...] = ()
    handed_in: str = ""
    late: str = ""

    @property
    def names(self) -> str:
        """How people call it: its students' names, or the key where there are none."""
        return ", ".join(filter(None, (s.name or s.email or s.sid for s in self.submitters))) or (
            self.key
        )


@dataclass(frozen=True)
class Record:
    """What became of a submission.

    Args:
        key: see `Listed`.
        payload: hash of what was graded.
        checks: hash of what it was graded by.
        results: what results.json holds; empty where there is none.
        trouble: what went wrong beside the submission itself.
        refused: why the submission cannot be graded, by its own fault; it has no points then.
        absent: whether nothing was handed in; `refused` says how that is known.
        log: the end of the staff's log where the grader failed.
        seconds: wall time of the grading.
        attempts: how often it was graded for this.
    """

    key: str
    payload: str = ""
    checks: str = ""
    results: Mapping[str, Any] = field(default_factory=dict)
    trouble: str = ""
    refused: str = ""
    absent: bool = False
    log: str = ""
    seconds: float = 0.0
    attempts: int = 1

    @property
    def tests(self) -> list[Mapping[str, Any]]:
        """The checks as Gradescope reads them."""
        return list(self.results.get("tests", ()))

    @property
    def is_grader_error(self) -> bool:
        """Whether the grader failed: there are no results, or it did in a check."""
        return not self.absent and (
            not self.results
            or any(verdict_of(test) == Verdict.GRADER_ERROR.value for test in self.tests)
        )

    @property
    def is_grade(self) -> bool:
        """Whether the points are those of the student's work."""
        return not (self.is_grader_error or self.refused)


def verdict_of(test: Mapping[str, Any]) -> str:
    """Return the verdict's word."""
    return str(test.get("extra_data", {}).get("verdict", ""))


def title_of(test: Mapping[str, Any]) -> str:
    """Return a check's number and name; results of an earlier version have both in the name."""
    number, name = str(test.get("number", "")), str(test.get("name", ""))
    return name if name.startswith(f"{number} ") else f"{number} {name}".strip()


def points_of(record: Record) -> dict[str, float]:
    """Return the points by part, hidden checks included."""
    parts = record.results.get("extra_data", {}).get("parts", ())
    return {str(part["part"]): float(part["score"]) for part in parts}


class Store:
    """The folder of one class.

    Args:
        root: where it is, or will be.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def exists(self) -> bool:
        """Whether there are results of a class."""
        return (self.root / "class.json").is_file()

    def prepare(self, *, anonymous: bool) -> None:
        """Make the folder, readable for its owner only: it will hold names and grades.

        Raises:
            StoreError: it holds something else, or names where there must be none.
        """
        if self.exists:
            if self.settings()["anonymous"] != anonymous:
                has, asked = ("names", "without") if anonymous else ("no names", "with")
                raise StoreError(
                    f"{self.root} holds results with {has}: repeat the command {asked} "
                    "--anonymous, or choose another folder"
                )
            return
        if self.root.exists() and (not self.root.is_dir() or any(self.root.iterdir())):
            raise StoreError(f"{self.root} is not empty and holds no results of a class")
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_results(self.root / "class.json", {"format": _FORMAT, "anonymous": anonymous})

    def settings(self) -> Mapping[str, Any]:
        """Return what kind of store this is.

        Raises:
            StoreError: there is none, or one of another format.
        """
        try:
            told = json.loads((self.root / "class.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            told = None
        if not isinstance(told, dict) or told.get("format") != _FORMAT:
            raise StoreError(f"{self.root} holds no results of a class that can be read")
        return told

    def path(self, kind: str, key: str, ending: str) -> Path:
        """Return where something of a submission lies; a key that is no file name gets another."""
        return self.root / relative(kind, key, ending)

    def read(self, key: str) -> Record | None:
        """Return the record of a submission, or None where there is none that can be read."""
        try:
            fields = json.loads(self.path("results", key, "json").read_text(encoding="utf-8"))
            if "parcel" in fields:  # written before the field had its name of today
                fields["payload"] = fields.pop("parcel")
            return Record(**fields)
        except (OSError, ValueError, TypeError, RecursionError):
            return None

    def write(self, record: Record) -> None:
        """Put a record in its place in one step; when this returns, a crash cannot lose it."""
        write_results(self.path("results", record.key, "json"), asdict(record))

    def write_list(self, submissions: Iterable[Listed]) -> None:
        """Write the class list in one step."""
        with replacing(self.root / "submissions.jsonl") as file:
            for submission in submissions:
                file.write(json.dumps(asdict(submission)) + "\n")

    def write_not_graded(self, found: Iterable[NotGraded]) -> None:
        """Write what the export holds that is no submission."""
        write_results(
            self.root / "not_graded.json", {"not_graded": [asdict(each) for each in found]}
        )

    def not_graded(self) -> list[NotGraded]:
        """Return what the export held that is no submission."""
        try:
            told = json.loads((self.root / "not_graded.json").read_text(encoding="utf-8"))
            return [NotGraded(**each) for each in told["not_graded"]]
        except (OSError, ValueError, TypeError, KeyError):
            return []

    def listed(self) -> Iterator[Listed]:
        """Yield the class list.

        Raises:
            StoreError: there is none.
        """
        try:
            with (self.root / "submissions.jsonl").open(encoding="utf-8") as file:
                for line in file:
                    told = json.loads(line)
                    yield Listed(
                        told["key"],
                        tuple(Submitter(**s) for s in told["submitters"]),
                        told.get("handed_in", ""),
                        told.get("late", ""),
                    )
        except FileNotFoundError:
            raise StoreError(f"{self.root} holds no list of a class") from None


def relative(kind: str, key: str, ending: str) -> str:
    """Return the path of something of a submission, below the store's folder."""
    name = key
    if not _SAFE.fullmatch(key):
        name = "x-" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:20]
    shard = hashlib.sha256(name.encode()).hexdigest()[:2]
    return f"{kind}/{shard}/{name}.{ending}"


@contextlib.contextmanager
def replacing(path: Path, encoding: str = "utf-8") -> Iterator[Any]:
    """Open a file that takes the place of `path` when all of it has been written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(fd, "w", encoding=encoding, errors="backslashreplace", newline="") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
