"""Pages to hand out: one file a submission in a flat folder, and all of them in a zip.

Each holds what the student may see at a given time and nothing else: no hidden check, no log, no
word of the class.
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
from autograder.engine.batch.store import Listed, Record, Store, replacing, verdict_of
from autograder.engine.batch.summary import ERROR, REFUSED, state_of
from autograder.engine.release.archive import add_entry, replacing_zip

# What is shown from when on, by Gradescope's words; the later shows what the earlier does.
SHOWN = {
    "visible": ("visible",),
    "after_due_date": ("visible", "after_due_date"),
    "after_published": ("visible", "after_due_date", "after_published"),
}
FOLDER = "students"
_LONGEST = 60  # characters of a name in a file's name


@dataclass(frozen=True)
class _Part:
    """Points of a part: of the checks that are shown, and what the whole part is worth."""

    name: str
    score: float
    shown: float
    whole: float


def remove(store: Store) -> None:
    """Remove pages of an earlier time: they may show what is no longer true."""
    shutil.rmtree(store.root / FOLDER, ignore_errors=True)
    (store.root / f"{FOLDER}.zip").unlink(missing_ok=True)


@contextlib.contextmanager
def writing(store: Store, title: str, when: str) -> Iterator[StudentPages]:
    """Write pages; when this ends, the zip is in its place.

    Args:
        store: the class.
        title: the homework's name.
        when: a key of `SHOWN`.
    """
    with replacing_zip(store.root / f"{FOLDER}.zip") as archive:
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
        """Write the page of a submission; one that nothing was handed in for has none."""
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
        with replacing(self._folder / name) as file:
            file.write(page)
        add_entry(self._archive, f"{FOLDER}/{name}", page.encode("utf-8", "backslashreplace"))


def _parts(results: Mapping[str, Any], tests: Sequence[Mapping[str, Any]]) -> list[_Part]:
    parts = []
    for told in results.get("extra_data", {}).get("parts", ()):
        number = str(told["part"])
        scored = [
            (float(test["score"]), float(test["max_score"]))
            for test in tests
            if str(test.get("number", "")).rpartition(".")[0] == number and "max_score" in test
        ]
        score, shown = (round(sum(column), 4) for column in zip((0.0, 0.0), *scored, strict=True))
        parts.append(_Part(f"{number} {told['title']}", score, shown, float(told["max_score"])))
    return parts


def file_name(listed: Listed) -> str:
    """Return a file's name that says whose page it is, and is another for every submission."""
    words = [listed.names] if listed.names == listed.key else [listed.names, listed.key]
    slugs = [re.sub(r"\W+", "_", word).strip("_")[:_LONGEST] for word in words]
    if slugs[-1] != listed.key:
        digest = hashlib.sha256(listed.key.encode("utf-8", "surrogatepass")).hexdigest()
        slugs.append(digest[:8])
    return "-".join(filter(None, slugs)) + ".html"
