"""From the ledger to Gradescope's results.json: pure functions, and one that writes the file.

Every planned check is listed, always. There is no score of the whole: Gradescope sums the tests,
so the sum cannot differ from what is listed. Texts may hold what a student's code said, so
everything that a page or a terminal would obey rather than show is spelled out.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import stat
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from autograder.engine.ledger import Entry, PlannedCheck, Verdict, not_run
from autograder.engine.points import apportion

MAX_OUTPUT = 99_000  # characters; Gradescope cuts at 100,000, and we would rather say so
_UNITS = 10_000  # points are counted in ten-thousandths, so that sums of them are exact
_LINE = 160  # characters of a feedback's first line that a summary quotes

# What stands where the judge had nothing to say.
_DEFAULT_FEEDBACK = {
    Verdict.NOT_RUN: "Not run: grading ended before it came to this check.",
    Verdict.PASSED: "Passed.",
    Verdict.FAILED: "Failed.",
    Verdict.NOT_ATTEMPTED: "Not attempted: the template's stub is still there.",
    Verdict.BLOCKED: "Blocked: what this check builds on does not work yet.",
    Verdict.GRADER_ERROR: "",
}
_GRADER_FAULT = (
    "The grader failed here, not your code. The points are not lost: "
    "tell the course staff, who can grade this again."
)


def to_results(
    plan: Sequence[PlannedCheck],
    entries: Iterable[Entry],
    *,
    title: str,
    output: str,
    execution_time: float,
    extra_data: Mapping[str, object],
    part_titles: Mapping[str, str],
    leaderboard: Sequence[Mapping[str, object]] = (),
) -> dict[str, object]:
    """Return what results.json is to hold, ready for `write_results`.

    A test carries score, max_score and status when its check is worth points, else none of the
    three. Points have at most four decimals; where rounding is needed, the parts and the whole
    keep their sums. A status of "passed" means full points, nothing else does.

    Args:
        plan: every check, in the order students see.
        entries: the ledger's; a planned check that has none was not run.
        title: the assignment's name; stands above `output`.
        output: what concerns the submission as a whole, `summary_table` for instance.
        execution_time: seconds.
        extra_data: what reproduces the run; kept by Gradescope, not shown.
        part_titles: the parts' names, by the handout's numbers.
        leaderboard: Gradescope's columns of the leaderboard; without one there is none.

    Raises:
        ValueError: for an execution time that is not a finite number >= 0.
    """
    if not (math.isfinite(execution_time) and execution_time >= 0):
        raise ValueError(f"execution_time={execution_time!r} must be finite and >= 0 seconds")
    rows = _rows(plan, entries)
    return {
        "execution_time": round(float(execution_time), 3),
        "output": clean_text(f"{title}\n\n{output}"),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "extra_data": {"parts": _parts(rows, part_titles), **_cleaned(extra_data)},
        "tests": [_test(row) for row in rows],
        **({"leaderboard": [_cleaned(column) for column in leaderboard]} if leaderboard else {}),
    }


def write_results(path: Path, results: Mapping[str, object]) -> None:
    """Write the results in one step: a reader finds the old file or the new one, never a part.

    Whatever stands at `path` is replaced and never followed or written through: a symlink or
    fifo goes, a folder is moved aside (its new name begins with the old one). The parent folder
    is made where it is absent. The file can be read by everyone, for we cannot know as whom the
    platform collects it.

    Raises:
        ValueError: when the results hold NaN, infinity or an object, none of which JSON knows.
        OSError: when the file cannot be written; the text names the file and the cause.
    """
    try:
        text = json.dumps(results, ensure_ascii=False, allow_nan=False, indent=1)
    except (ValueError, TypeError) as error:
        raise ValueError(f"the results hold what JSON cannot say: {error}") from error
    # UTF-8 can encode all but lone surrogates, and Python's escape of those is also JSON's.
    data = (text + "\n").encode("utf-8", "backslashreplace")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, data)
    except OSError as error:
        raise OSError(
            f"the results could not be written to {str(path)!r} "
            f"({error.strerror or error}): make room or let this user write there, "
            "or name another file"
        ) from error


def summary_table(
    plan: Sequence[PlannedCheck],
    entries: Iterable[Entry],
    part_titles: Mapping[str, str],
    *,
    show_hidden: bool = False,
) -> str:
    """Return a table of parts and points in plain text, then the checks that did not pass.

    Args:
        plan: every check, in the order students see.
        entries: the ledger's.
        part_titles: the parts' names, by the handout's numbers.
        show_hidden: True for an instructor's terminal. Otherwise nothing follows from the entries
            of checks that are not plainly visible: students see this text at once, and the same
            text after the due date.
    """
    rows = _rows(plan, entries)
    shown = [row for row in rows if show_hidden or row.check.visibility == "visible"]
    unseen = [row for row in rows if row not in shown]
    lines = _table(rows, shown, part_titles)
    if unseen:
        whole = _points(sum(row.max_units for row in rows))
        so_far = f"Shown so far: {_points(sum(row.units for row in shown))} of {whole} points; "
        lines += ["", so_far * any(row.max_units for row in unseen) + f"{_when_shown(unseen)}."]
    for verdict, heading in _SECTIONS:
        listed = [row for row in shown if row.scored and row.entry.verdict is verdict]
        if listed:
            quote = _numbers if verdict in _TELLS_NOTHING_MORE else _quotes
            lines += ["", heading, *quote(listed)]
    advice = [row for row in shown if not row.scored and row.entry.verdict in _ADVISES]
    if advice:
        lines += ["", "Advice (no points)", *_quotes(advice)]
    return "\n".join(lines)


def clean_text(text: str, limit: int = MAX_OUTPUT) -> str:
    r"""Return text that shows what it holds, cut to `limit` characters with a note.

    Control characters but for newline and tab, format characters (bidirectional overrides among
    them), line separators and lone surrogates become escapes such as ``\x1b`` or ``\u202e``.
    The joiners U+200C and U+200D stay: scripts and emoji need them.
    """
    # Cutting first bounds the work; escapes lengthen the text, so cut again after them.
    shown = "".join(map(_visible, text[:limit].replace("\r\n", "\n")))
    if len(text) <= limit and len(shown) <= limit:
        return shown
    note = f"\n[cut here: {len(text):,} characters in all]"
    return shown[: max(limit - len(note), 0)] + note


def one_line(text: str, limit: int) -> str:
    """Return a text on one line, as `clean_text` shows it, cut between words if it is too long."""
    line = " ".join("".join(map(_visible, " ".join(text[: 4 * limit].split()))).split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 3]
    whole_words = cut[: cut.rfind(" ") + 1].rstrip() if line[limit - 3] != " " else cut
    # A text without spaces, or a last word of great length, is cut in the middle after all.
    return (whole_words if len(whole_words) > limit // 2 else cut) + "..."


@dataclass(frozen=True)
class _Row:
    """A check with what became of it, and its points in ten-thousandths."""

    check: PlannedCheck
    entry: Entry
    max_units: int

    @property
    def scored(self) -> bool:
        return self.check.points is not None

    @property
    def units(self) -> int:
        """What was earned; only a pass earns everything."""
        if self.entry.verdict is Verdict.PASSED:
            return self.max_units
        return max(min(round(self.entry.share * self.max_units), self.max_units - 1), 0)


_SECTIONS = (
    (Verdict.FAILED, "Failed"),
    (Verdict.BLOCKED, "Blocked by other checks"),
    (Verdict.NOT_ATTEMPTED, "Not attempted"),
    (Verdict.NOT_RUN, "Not run: grading ended before it came to these"),
    (Verdict.GRADER_ERROR, f"Grader errors. {_GRADER_FAULT}"),
)
_WHEN_SHOWN = {
    "after_due_date": ("appears after the due date", "appear after the due date"),
    "after_published": ("appears when grades are published", "appear when grades are published"),
    "hidden": ("is not shown to students", "are not shown to students"),
}
_TELLS_NOTHING_MORE = frozenset({Verdict.NOT_ATTEMPTED, Verdict.NOT_RUN})
_ADVISES = frozenset({Verdict.FAILED, Verdict.GRADER_ERROR})


def _rows(plan: Sequence[PlannedCheck], entries: Iterable[Entry]) -> list[_Row]:
    """Join plan and ledger, rounding points so that every part and the whole keep their sums."""
    by_part: dict[str, list[PlannedCheck]] = {}
    for check in plan:
        by_part.setdefault(check.part, []).append(check)
    totals = [sum(map(_worth, checks), Fraction(0)) for checks in by_part.values()]
    max_units: dict[str, int] = {}
    for checks, total in zip(by_part.values(), apportion(totals, round(sum(totals))), strict=True):
        units = apportion([_worth(check) for check in checks], total)
        max_units.update(zip((check.check_id for check in checks), units, strict=True))
    found = {entry.check_id: entry for entry in entries}
    return [
        _Row(check, found.get(check.check_id) or not_run(check), max_units[check.check_id])
        for check in plan
    ]


def _worth(check: PlannedCheck) -> Fraction:
    """Return a check's points in ten-thousandths, none for advice."""
    return Fraction(check.points or 0) * _UNITS


def _test(row: _Row) -> dict[str, object]:
    """Return a check as one of Gradescope's tests."""
    check, entry = row.check, row.entry
    feedback = entry.feedback if entry.feedback.strip() else _DEFAULT_FEEDBACK[entry.verdict]
    if entry.verdict is Verdict.GRADER_ERROR:
        feedback = f"{_GRADER_FAULT}\n{feedback}".rstrip()
    test: dict[str, object] = {
        "number": check.number,
        "name": one_line(f"{check.number} {check.title}", 500),
        "output": clean_text(feedback),
        "visibility": check.visibility,
    }
    if row.scored:
        test["score"] = row.units / _UNITS
        test["max_score"] = row.max_units / _UNITS
        test["status"] = "passed" if entry.verdict is Verdict.PASSED else "failed"
    test["extra_data"] = _cleaned(
        {"check_id": entry.check_id, "verdict": entry.verdict.value, "mistake": entry.mistake}
    )
    return test


def _parts(rows: Sequence[_Row], part_titles: Mapping[str, str]) -> list[dict[str, object]]:
    """Return the parts' points, hidden checks included, for whoever compares whole classes."""
    return [
        {
            "part": part,
            "title": clean_text(part_titles.get(part, "")),
            "score": sum(row.units for row in of_part) / _UNITS,
            "max_score": sum(row.max_units for row in of_part) / _UNITS,
        }
        for part, of_part in _by_part(rows)
    ]


def _by_part(rows: Sequence[_Row]) -> list[tuple[str, list[_Row]]]:
    parts = dict.fromkeys(row.check.part for row in rows)
    return [(part, [row for row in rows if row.check.part == part]) for part in parts]


def _table(
    rows: Sequence[_Row], shown: Sequence[_Row], part_titles: Mapping[str, str]
) -> list[str]:
    """Return the table's lines: a part each, and the total; of what is shown, beside the whole."""
    cells: list[tuple[str, ...]] = [("Part", "Points", "Whole part", "Checks passed")]
    for part, of_part in _by_part([row for row in rows if row.scored]):
        name = one_line(f"{part} {part_titles.get(part, '')}", 60)
        cells.append((name, *_sums([row for row in of_part if row in shown], of_part)))
    partial = any(row.scored and row not in shown for row in rows)
    cells.append(("Shown so far" if partial else "Total", *_sums(shown, rows)))
    if not partial:
        cells = [(*row[:2], *row[3:]) for row in cells]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            f"{cell:>{width}}" if i else f"{cell:<{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
    rule = "-" * len(lines[0])
    return [lines[0], rule, *lines[1:-1], rule, lines[-1]]


def _when_shown(unseen: Sequence[_Row]) -> str:
    """Return how many checks are not shown now, and when they are."""
    counts = Counter(row.check.visibility for row in unseen)
    return ", ".join(
        f"{count} more check{'s' * (count > 1)} {when[count > 1]}"
        for visibility, when in _WHEN_SHOWN.items()
        if (count := counts[visibility])
    )


def _sums(shown: Sequence[_Row], rows: Sequence[_Row]) -> tuple[str, str, str]:
    """Return points of what is shown, points of the whole, and how many checks passed."""
    scored = [row for row in shown if row.scored]
    passed = sum(row.entry.verdict is Verdict.PASSED for row in scored)
    whole = _points(sum(row.max_units for row in rows))
    return _earned(scored), whole, f"{passed} of {len(scored)}"


def _earned(rows: Iterable[_Row]) -> str:
    earned = [(row.units, row.max_units) for row in rows]
    return " / ".join(_points(sum(units)) for units in zip(*earned, strict=True)) or "0 / 0"


def _numbers(rows: Sequence[_Row]) -> list[str]:
    """Return a line per part with the checks' numbers, for verdicts that say it all."""
    return [f"  {', '.join(row.check.number for row in of_part)}" for _, of_part in _by_part(rows)]


def _quotes(rows: Sequence[_Row]) -> list[str]:
    """Return every check's name and points, and the first line of what it says."""
    lines = []
    for row in rows:
        name = one_line(f"{row.check.number} {row.check.title}", _LINE).rstrip(".")
        lines.append(f"  {name}" + (f" ({_earned([row])} points)" if row.scored else ""))
        said = one_line(row.entry.feedback.strip().partition("\n")[0], _LINE)
        lines += [f"    {said}"] if said else []
    return lines


def _points(units: int) -> str:
    return f"{units / _UNITS:.4f}".rstrip("0").rstrip(".")


def _visible(character: str) -> str:
    if character in "\n\t\u200c\u200d":
        return character
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return ascii(character)[1:-1]
    return character


def _cleaned(values: Mapping[str, object]) -> dict[str, object]:
    """Return a copy of extra data in which every text is clean, however deep it lies."""
    return {clean_text(str(key)): _cleaned_value(value) for key, value in values.items()}


def _cleaned_value(value: object) -> object:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return _cleaned(value)
    if isinstance(value, (list, tuple)):
        return [_cleaned_value(item) for item in value]
    return value


def _replace(path: Path, data: bytes) -> None:
    """Put a file of these bytes in the place of whatever `path` is."""
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(os.lstat(path).st_mode):  # os.replace() replaces all but folders
                os.rename(path, f"{path}.moved-aside-{secrets.token_hex(4)}")
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # some file systems cannot; the file itself is safe
            os.fsync(folder)
    finally:
        os.close(folder)
