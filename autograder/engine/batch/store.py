"""The folder of a class's results: one file for each submission, written in one step.

    class.json                  the kind of store
    submissions.jsonl           the class list: a line for each submission, in the export's order
    not_graded.json             other entries of the export, and why they are not graded
    results/3f/submission_7.json   a record: results.json and the hashes of checks and payload
    feedback/3f/submission_7.html  the feedback as the student sees it

Folders are split by two hex digits: 100,000 submissions are 256 folders of 400. Records are read
one at a time, so memory does not grow with the class.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from autograder.engine.batch.export import NotGraded
from autograder.engine.batch.metadata import Submitter
from autograder.engine.grading.ledger import Verdict
from autograder.engine.results.gradescope import write_results
from autograder.engine.results.replacing import replacing

_FORMAT = 1
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")


class StoreError(ValueError):
    """A folder cannot be used for results; the message says why and what to do."""


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
        """The names of its students, or the key without any."""
        return ", ".join(filter(None, (s.name or s.email or s.sid for s in self.submitters))) or (
            self.key
        )


@dataclass(frozen=True)
class Record:
    """The result of a submission.

    Args:
        key: see `Listed`.
        payload: hash of what was graded.
        checks: hash of what decides a grade.
        results: the content of results.json; empty without one.
        trouble: errors that are not the submission's fault.
        refused: why the submission itself cannot be graded; it has no points then.
        absent: whether nothing was handed in; `refused` has the details.
        log: the end of the staff's log if the grader failed.
        seconds: wall time of the grading.
        attempts: number of gradings it took.
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
        """The checks in Gradescope's format."""
        return list(self.results.get("tests", ()))

    @property
    def is_grader_error(self) -> bool:
        """Whether the grader failed, in a check or before any result."""
        return not self.absent and (
            not self.results
            or any(verdict_of(test) == Verdict.GRADER_ERROR.value for test in self.tests)
        )

    @property
    def is_grade(self) -> bool:
        """Whether the points are those of the student's code."""
        return not (self.is_grader_error or self.refused)


def verdict_of(test: Mapping[str, Any]) -> str:
    """Return the verdict, or ""."""
    return str(test.get("extra_data", {}).get("verdict", ""))


def title_of(test: Mapping[str, Any]) -> str:
    """Return a check's number and name; in results of earlier versions the name has both."""
    number, name = str(test.get("number", "")), str(test.get("name", ""))
    return name if name.startswith(f"{number} ") else f"{number} {name}".strip()


def points_of(record: Record) -> dict[str, float]:
    """Return the points by part, including hidden checks."""
    parts = record.results.get("extra_data", {}).get("parts", ())
    return {str(part["part"]): float(part["score"]) for part in parts}


class Store:
    """The results of one class, in the folder `root`, which need not exist yet."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self, *, anonymous: bool) -> None:
        """Make the folder, readable only for its owner because of names and grades.

        Raises:
            StoreError: it has other files, or names although there must be none.
        """
        if (self.root / "class.json").is_file():
            if self.settings()["anonymous"] != anonymous:
                has, repeat = ("names", "without") if anonymous else ("no names", "with")
                raise StoreError(
                    f"{self.root} has results with {has}: repeat the command {repeat} "
                    "--anonymous, or choose another folder"
                )
            return
        if self.root.exists() and (not self.root.is_dir() or any(self.root.iterdir())):
            raise StoreError(f"{self.root} is not empty and has no results of a class")
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_results(self.root / "class.json", {"format": _FORMAT, "anonymous": anonymous})

    def settings(self) -> Mapping[str, Any]:
        """Return the kind of store.

        Raises:
            StoreError: there is none, or one of another format.
        """
        try:
            settings = json.loads((self.root / "class.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            settings = None
        if not isinstance(settings, dict) or settings.get("format") != _FORMAT:
            raise StoreError(f"{self.root} has no results of a class that can be read")
        return settings

    def path(self, kind: str, key: str, ending: str) -> Path:
        """Return the path of a submission's file; see `relative`."""
        return self.root / relative(kind, key, ending)

    def read(self, key: str) -> Record | None:
        """Return the record of a submission, or None if there is none that can be read."""
        try:
            fields = json.loads(self.path("results", key, "json").read_text(encoding="utf-8"))
            if "parcel" in fields:  # the field's name in earlier versions
                fields["payload"] = fields.pop("parcel")
            return Record(**fields)
        except (OSError, ValueError, TypeError, RecursionError):
            return None

    def write(self, record: Record) -> None:
        """Write a record in one step; when this returns, a crash cannot lose it."""
        write_results(self.path("results", record.key, "json"), asdict(record))

    def write_list(self, submissions: Iterable[Listed]) -> None:
        """Write the class list in one step."""
        with replacing(self.root / "submissions.jsonl", "utf-8") as file:
            for submission in submissions:
                file.write(json.dumps(asdict(submission)) + "\n")

    def write_not_graded(self, found: Iterable[NotGraded]) -> None:
        """Write the export's entries that are not submissions."""
        write_results(
            self.root / "not_graded.json", {"not_graded": [asdict(each) for each in found]}
        )

    def not_graded(self) -> list[NotGraded]:
        """Return the export's entries that are not submissions."""
        try:
            entries = json.loads((self.root / "not_graded.json").read_text(encoding="utf-8"))
            return [NotGraded(**each) for each in entries["not_graded"]]
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
                    fields = json.loads(line)
                    students = tuple(Submitter(**s) for s in fields["submitters"])
                    yield Listed(**{**fields, "submitters": students})
        except FileNotFoundError:
            raise StoreError(f"{self.root} has no class list") from None


def relative(kind: str, key: str, ending: str) -> str:
    """Return the path of a submission's file in the store; a key that is no file name is hashed."""
    name = key
    if not _SAFE.fullmatch(key):
        name = "x-" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:20]
    shard = hashlib.sha256(name.encode()).hexdigest()[:2]
    return f"{kind}/{shard}/{name}.{ending}"
