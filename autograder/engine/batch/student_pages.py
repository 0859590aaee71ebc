"""Pages to hand out: one file for each submission in a flat folder, and all of them in a zip.

A page has what the student may see at a given time and nothing else: no hidden check, no log,
nothing about the class.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.engine.batch.rendering import assets, environment
from autograder.engine.batch.store import Listed, Record, Store, verdict_of
from autograder.engine.batch.summary import ERROR, REFUSED, state_of
from autograder.engine.release.archive import add_entry
from autograder.engine.results.replacing import replacing

# By Gradescope's words for a time: the visibilities shown then.
SHOWN = {
    "visible": ("visible",),
    "after_due_date": ("visible", "after_due_date"),
    "after_published": ("visible", "after_due_date", "after_published"),
}
FOLDER = "students"
_LONGEST = 60  # characters of a name in a file's name


@dataclass(frozen=True)
class _Part:
    """Points of a part: those earned and possible in the shown checks, and of the whole part."""

    name: str
    score: float
    shown: float
    whole: float


def remove(store: Store) -> None:
    """Remove earlier pages: they may be out of date."""
    shutil.rmtree(store.root / FOLDER, ignore_errors=True)
    (store.root / f"{FOLDER}.zip").unlink(missing_ok=True)


@contextlib.contextmanager
def writing(store: Store, title: str, when: str) -> Iterator[StudentPages]:
    """Write pages, and at the end the zip; `when` is a key of `SHOWN`."""
    path = store.root / f"{FOLDER}.zip"
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        yield StudentPages(store.root / FOLDER, archive, title, SHOWN[when])


class StudentPages:
    """Writes the pages of one class; see `writing`."""

    def __init__(
        self, folder: Path, archive: zipfile.ZipFile, title: str, shown: Sequence[str]
    ) -> None:
        self._folder = folder
        self._archive = archive
        self._title = title
        self._shown = shown
        self._template = environment().get_template("student.html.j2")
        self._assets = assets("small.css")

    def write(self, listed: Listed, record: Record) -> None:
        """Write the page of a submission, unless nothing was handed in."""
        if record.absent:
            return
        state = state_of(record)
        failed = state in (ERROR, REFUSED)
        tests = [t for t in record.tests if t.get("visibility") in self._shown]
        page = self._template.render(
            title=self._title,
            listed=listed,
            error=state == ERROR,
            refused=record.refused,
            parts=[] if failed else _parts(record.results, tests),
            tests=[] if failed else tests,
            output=record.results.get("output", ""),
            verdict_of=verdict_of,
            **self._assets,
        )
        name = file_name(listed)
        data = page.encode("utf-8", "backslashreplace")
        with replacing(self._folder / name) as file:
            file.write(data)
        add_entry(self._archive, f"{FOLDER}/{name}", data)


def _parts(results: Mapping[str, Any], tests: Sequence[Mapping[str, Any]]) -> list[_Part]:
    parts = []
    for part in results.get("extra_data", {}).get("parts", ()):
        number = str(part["part"])
        scored = [
            (float(test["score"]), float(test["max_score"]))
            for test in tests
            if str(test.get("number", "")).rpartition(".")[0] == number and "max_score" in test
        ]
        score, shown = (round(sum(column), 4) for column in zip((0.0, 0.0), *scored, strict=True))
        parts.append(_Part(f"{number} {part['title']}", score, shown, float(part["max_score"])))
    return parts


def file_name(listed: Listed) -> str:
    """Return a file name with the students' names, unique for each submission."""
    words = [listed.names] if listed.names == listed.key else [listed.names, listed.key]
    slugs = [re.sub(r"\W+", "_", word).strip("_")[:_LONGEST] for word in words]
    if slugs[-1] != listed.key:
        digest = hashlib.sha256(listed.key.encode("utf-8", "surrogatepass")).hexdigest()
        slugs.append(digest[:8])
    return "-".join(filter(None, slugs)) + ".html"
