"""A grading in words: what to fix, the points, what is left.

One text for all readers: Gradescope, the terminal and the pages of a class show it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict
from autograder.engine.grading.points import Row, by_part, format_points, rows_of
from autograder.engine.results.causes import Cause, causes_of
from autograder.engine.results.text import one_line

GRADER_FAULT = (
    "The grader failed here, not your code. The points are not lost: "
    "tell the course staff, who can grade this again."
)
_LINE = 160  # characters of a feedback's first line that is quoted
_CAUSE = 320  # characters of what is wrong

_SECTIONS = (
    (Verdict.BLOCKED, "Blocked by other checks"),
    (Verdict.NOT_ATTEMPTED, "Not attempted"),
    (Verdict.NOT_RUN, "Not run: grading ended before it came to these"),
    (Verdict.GRADER_ERROR, f"Grader errors. {GRADER_FAULT}"),
)


_WHEN_SHOWN = {
    "after_due_date": ("appears after the due date", "appear after the due date"),
    "after_published": ("appears when grades are published", "appear when grades are published"),
    "hidden": ("is not shown to students", "are not shown to students"),
}


_TELLS_NOTHING_MORE = frozenset({Verdict.NOT_ATTEMPTED, Verdict.NOT_RUN})


_ADVISES = frozenset({Verdict.FAILED, Verdict.GRADER_ERROR})


def summary(
    plan: Sequence[PlannedCheck],
    entries: Iterable[Entry],
    part_titles: Mapping[str, str],
    *,
    show_hidden: bool = False,
) -> str:
    """Return what to fix, a line for each cause; then a table of parts and points; then the rest.

    Args:
        plan: every check, in the order students see.
        entries: the ledger's.
        part_titles: the parts' names, by the handout's numbers.
        show_hidden: True for an instructor's terminal. Otherwise nothing follows from the entries
            of checks that are not plainly visible: students see this text at once, and the same
            text after the due date.
    """
    rows = rows_of(plan, entries)
    shown = [row for row in rows if show_hidden or row.check.visibility == "visible"]
    unseen = [row for row in rows if row not in shown]
    scored = [row for row in shown if row.scored]
    causes = causes_of(scored)
    lines: list[str] = []
    if causes:
        lines += ["What to fix", *(_fix(cause, part_titles) for cause in causes), ""]
    elif scored and all(row.entry.verdict is Verdict.PASSED for row in scored):
        lines += ["All checks passed." if not unseen else "All checks that are shown passed.", ""]
    lines += _table(rows, shown, part_titles)
    if unseen:
        whole = format_points(sum(row.max_units for row in rows))
        so_far = (
            f"Shown so far: {format_points(sum(row.units for row in shown))} of {whole} points; "
        )
        lines += ["", so_far * any(row.max_units for row in unseen) + f"{_when_shown(unseen)}."]
    in_causes = {row.check.check_id for cause in causes for row in cause.blocked}
    for verdict, heading in _SECTIONS:
        listed = [row for row in scored if row.entry.verdict is verdict]
        listed = [row for row in listed if row.check.check_id not in in_causes]
        if listed:
            quote = _numbers if verdict in _TELLS_NOTHING_MORE else _quotes
            lines += ["", heading, *quote(listed)]
    advice = [row for row in shown if not row.scored and row.entry.verdict in _ADVISES]
    if advice:
        lines += ["", "Advice (no points)", *_quotes(advice)]
    return "\n".join(lines)


def _fix(cause: Cause, part_titles: Mapping[str, str]) -> str:
    """Return a cause on one line: part, points lost, what is wrong, and the checks it concerns."""
    title = one_line(f"{cause.part} {part_titles.get(cause.part, '')}", 60)
    checks = ", ".join(row.check.number for row in cause.failed)
    if cause.blocked:
        numbers = ", ".join(row.check.number for row in cause.blocked)
        checks += f"; blocks {numbers}, {_lost(cause.blocked)}"
    return f"- {title}, {_lost(cause.failed)}: {one_line(cause.text, _CAUSE)} ({checks})"


def _lost(rows: Sequence[Row]) -> str:
    lost = format_points(sum(row.max_units - row.units for row in rows))
    return f"-{lost} point{'s' * (lost != '1')}"


def _table(rows: Sequence[Row], shown: Sequence[Row], part_titles: Mapping[str, str]) -> list[str]:
    """Return the table's lines: a part each, and the total; of what is shown, beside the whole.

    Names come last, so that on a narrow screen they alone are wrapped.
    """
    cells: list[tuple[str, ...]] = [("Points", "Whole part", "Passed", "Part")]
    for part, of_part in by_part([row for row in rows if row.scored]):
        name = one_line(f"{part} {part_titles.get(part, '')}", 60)
        cells.append((*_sums([row for row in of_part if row in shown], of_part), name))
    partial = any(row.scored and row not in shown for row in rows)
    cells.append((*_sums(shown, rows), "Shown so far" if partial else "Total"))
    if not partial:
        cells = [(row[0], *row[2:]) for row in cells]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            [*(f"{cell:>{width}}" for cell, width in zip(row[:-1], widths, strict=False)), row[-1]]
        )
        for row in cells
    ]
    rule = "-" * (sum(widths[:-1]) + 2 * (len(widths) - 1) + len("Total"))
    return [lines[0], rule, *lines[1:-1], rule, lines[-1]]


def _when_shown(unseen: Sequence[Row]) -> str:
    """Return how many checks are not shown now, and when they are."""
    counts = Counter(row.check.visibility for row in unseen)
    return ", ".join(
        f"{count} more check{'s' * (count > 1)} {when[count > 1]}"
        for visibility, when in _WHEN_SHOWN.items()
        if (count := counts[visibility])
    )


def _sums(shown: Sequence[Row], rows: Sequence[Row]) -> tuple[str, str, str]:
    """Return points of what is shown, points of the whole, and how many checks passed."""
    scored = [row for row in shown if row.scored]
    passed = sum(row.entry.verdict is Verdict.PASSED for row in scored)
    whole = format_points(sum(row.max_units for row in rows))
    return _earned(scored), whole, f"{passed} of {len(scored)}"


def _earned(rows: Iterable[Row]) -> str:
    earned = [(row.units, row.max_units) for row in rows]
    return " / ".join(format_points(sum(units)) for units in zip(*earned, strict=True)) or "0 / 0"


def _numbers(rows: Sequence[Row]) -> list[str]:
    """Return a line per part with the checks' numbers, for verdicts that say it all."""
    return [f"  {', '.join(row.check.number for row in of_part)}" for _, of_part in by_part(rows)]


def _quotes(rows: Sequence[Row]) -> list[str]:
    """Return every check's name and points, and the first line of what it says."""
    lines = []
    for row in rows:
        name = one_line(f"{row.check.number} {row.check.title}", _LINE).rstrip(".")
        lines.append(f"  {name}" + (f" ({_earned([row])} points)" if row.scored else ""))
        said = one_line(row.entry.feedback.strip().partition("\n")[0], _LINE)
        lines += [f"    {said}"] if said else []
    return lines
