"""The files that people read: index.html, a feedback page for each submission, two CSV files.

They are written in one pass over the class list, with one record in memory at a time. The pages
need no server and fetch nothing: a content security policy allows only their own style and script,
by hash, whatever a student's text contains. Jinja2 escapes text, and the script inserts it as text.
"""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from markupsafe import Markup

from autograder.engine.batch import student_pages
from autograder.engine.batch.comparison import Change, CheckChange, compare
from autograder.engine.batch.rendering import LONGEST_LINE, assets, environment
from autograder.engine.batch.scores import ENCODING, ScoresWriter, defused
from autograder.engine.batch.store import (
    Listed,
    Record,
    Store,
    points_of,
    relative,
    verdict_of,
)
from autograder.engine.batch.summary import Summary, reason_of, state_of
from autograder.engine.results.replacing import replacing
from autograder.engine.results.text import one_line

_BATCH = 500  # rows of the table in memory at a time


@dataclass(frozen=True)
class About:
    """The homework, for the pages.

    Args:
        title: its name.
        parts: titles of the parts, by number.
        points: maximum points of each part.
        sentences: descriptions of the mistakes, by id.
        note: a sentence about these results, such as which checks were run.
    """

    title: str
    parts: Mapping[str, str]
    points: Mapping[str, float]
    sentences: Mapping[str, str]
    note: str = ""


def write_views(
    store: Store, about: About, older: Store | None = None, for_students: str | None = None
) -> Summary:
    """Write everything that people read; return the statistics.

    Earlier views are replaced. `older` has the results to compare with; `for_students` is a key of
    `student_pages.SHOWN` if pages are to be handed out.

    Raises:
        StoreError: `store` or `older` has no results.
        OSError: a file cannot be written.
    """
    pages = _Pages(store, about)
    summary = Summary(about.sentences)
    shutil.rmtree(store.root / "compare", ignore_errors=True)
    (store.root / "changes.csv").unlink(missing_ok=True)
    student_pages.remove(store)
    with contextlib.ExitStack() as stack:
        rows = stack.enter_context(tempfile.TemporaryFile("w+", encoding="ascii"))
        scores = ScoresWriter(
            stack.enter_context(replacing(store.root / "scores.csv", ENCODING)),
            about.parts,
            about.points,
        )
        changes = None
        if older is not None:
            file = stack.enter_context(replacing(store.root / "changes.csv", ENCODING))
            changes = csv.writer(file)
            changes.writerow(("Submission", "Name", "Kind", "Before", "Now", "Change", "Checks"))
        handed_out = None
        if for_students is not None:
            handed_out = stack.enter_context(
                student_pages.writing(store, about.title, for_students)
            )
        for listed in store.listed():
            record = store.read(listed.key)
            change = compare(listed.key, older.read(listed.key), record) if older else None
            if change is not None and changes is not None:
                changes.writerow(_change_row(listed, change))
                pages.write_change(listed, change)
            if record is not None:
                pages.write_feedback(listed, record, change)
                if handed_out is not None:
                    handed_out.write(listed, record)
            scores.write(
                listed,
                points_of(record) if record is not None and record.is_grade else {},
                state_of(record),
                reason_of(record) if record is not None else "",
            )
            rows.write(_row(listed, summary.add(listed, record, change)))
        if older is not None and changes is not None:
            for listed, change in _gone(store, older):
                changes.writerow(_change_row(listed, change))
                summary.changes[change.kind] += 1
        pages.write_index(summary, rows, compared=older is not None)
    return summary


def _gone(store: Store, older: Store) -> Iterator[tuple[Listed, Change]]:
    """Yield submissions that were in the class before and no longer are."""
    here = {listed.key for listed in store.listed()}
    for listed in older.listed():
        if listed.key not in here:
            change = compare(listed.key, older.read(listed.key), None)
            if change is not None:
                yield listed, change


def _change_row(listed: Listed, change: Change) -> list[str]:
    """Return the row of changes.csv."""
    points = ("" if value is None else f"{value:g}" for value in (change.old, change.new))
    numbers = " ".join(check.number for check in change.checks)
    names = defused(listed.key), defused(listed.names)
    return [*names, change.kind, *points, f"{change.delta:g}", defused(numbers)]


def _row(listed: Listed, numbers: list[Any]) -> str:
    """Return a row of the table as JSON that is safe inside a script element."""
    more = " ".join(f"{person.sid} {person.email}" for person in listed.submitters)
    path = relative("", listed.key, "").strip("/.")
    names = (one_line(text, LONGEST_LINE) for text in (listed.names, f"{listed.key} {more}"))
    text = json.dumps([path, *names, *numbers], separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text + "\n"


class _Pages:
    """Renders the templates of `pages/`."""

    def __init__(self, store: Store, about: About) -> None:
        self._store = store
        self._about = about
        self._environment = environment()
        self._index = assets("index.css", "index.js")
        self._small = assets("small.css")

    def write_index(self, summary: Summary, rows: IO[str], *, compared: bool) -> None:
        """Write index.html; the rows are streamed."""
        rows.seek(0)
        pieces = self._environment.get_template("index.html.j2").generate(
            about=self._about,
            summary=summary,
            compared=compared,
            lines=_comma_between(rows),
            relative=relative,
            not_graded=self._store.not_graded(),
            anonymous=self._store.settings()["anonymous"],
            **self._index,
        )
        with replacing(self._store.root / "index.html", "utf-8") as file:
            file.writelines(pieces)

    def write_feedback(self, listed: Listed, record: Record, change: Change | None) -> None:
        """Write the student's feedback, and below it what only the staff may see."""
        seen = [test for test in record.tests if test.get("visibility") == "visible"]
        self._write_small(
            "feedback",
            listed,
            record=record,
            state=state_of(record),
            reason=reason_of(record),
            parts=record.results.get("extra_data", {}).get("parts", []),
            seen=seen,
            unseen=[test for test in record.tests if test.get("visibility") != "visible"],
            change=change,
            verdict_of=verdict_of,
        )

    def write_change(self, listed: Listed, change: Change) -> None:
        """Write old and new feedback side by side."""
        self._write_small("compare", listed, change=change, sides=_sides)

    def _write_small(self, kind: str, listed: Listed, **values: Any) -> None:
        page = self._environment.get_template(f"{kind}.html.j2").render(
            about=self._about, listed=listed, relative=relative, **self._small, **values
        )
        path = self._store.path(kind, listed.key, "html")
        data = page.encode("utf-8", "backslashreplace")
        with contextlib.suppress(OSError):
            if path.read_bytes() == data:
                return
        with replacing(path) as file:
            file.write(data)


def _sides(check: CheckChange) -> tuple[tuple[str, str, str], ...]:
    """Return left and right column for a check: heading, verdict, text."""
    return (
        ("Before", check.old_verdict, check.old_text),
        ("Now", check.new_verdict, check.new_text),
    )


def _comma_between(lines: IO[str]) -> Iterator[Markup]:
    """Yield the lines in batches, as members of a JSON array."""
    batch: list[str] = []
    first = True
    for line in lines:
        batch.append(line if first else f",{line}")
        first = False
        if len(batch) == _BATCH:
            yield Markup("".join(batch))
            batch = []
    yield Markup("".join(batch))
