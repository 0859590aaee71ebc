"""scores.csv: a row for each student, a column for each part, safe to open in a spreadsheet.

UTF-8 with a byte order mark, which Excel needs (in pandas: `encoding="utf-8-sig"`). A text that a
spreadsheet would take for a formula gets an apostrophe in front: OWASP's advice on CSV injection.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import IO

from autograder.engine.batch.metadata import Submitter
from autograder.engine.batch.store import Listed
from autograder.engine.results.text import clean_text

ENCODING = "utf-8-sig"
# Spreadsheets also accept the full-width forms of the first four.
_STARTS_FORMULA = tuple("=+-@\t\r\n|%\uff1d\uff0b\uff0d\uff20")


class ScoresWriter:
    """Writes rows into a file opened with `newline=""` and `ENCODING`."""

    def __init__(
        self, file: IO[str], parts: Mapping[str, str], points: Mapping[str, float]
    ) -> None:
        self._parts = tuple(parts)
        self._writer = csv.writer(file)
        # A spreadsheet would read "1.1" alone as a number or a date.
        titles = (f"{number} {title} (of {points[number]:g})" for number, title in parts.items())
        total = f"Total (of {sum(points.values()):g})"
        who = ("Name", "Student number", "Email", "Submission")
        self._row(*who, *titles, total, "State", "Reason", "Handed in", "Late")

    def write(
        self, listed: Listed, points: Mapping[str, float], state: str, reason: str = ""
    ) -> None:
        """Write a row for each student of a submission; missing points stay empty."""
        scores = [points.get(part, "") for part in self._parts]
        total = round(sum(points.values()), 4) if points else ""
        for person in listed.submitters or (Submitter(),):
            who = (person.name, person.sid, person.email, listed.key)
            self._row(*who, *scores, total, state, reason, listed.handed_in, listed.late)

    def _row(self, *cells: str | float) -> None:
        self._writer.writerow([defused(c) if isinstance(c, str) else f"{c:g}" for c in cells])


def defused(text: str) -> str:
    """Return a text on one line that no spreadsheet takes for a formula."""
    begins = text.lstrip(" \u00a0\u200b\ufeff").startswith(_STARTS_FORMULA)
    line = " ".join(clean_text(text).split())
    return f"'{line}" if begins or line.startswith(_STARTS_FORMULA) else line
