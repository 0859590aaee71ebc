"""The summary of a grading as text: what to fix, the points, the other checks.

Gradescope, the terminal and the pages of a class all show this text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict
from autograder.engine.grading.points import Row, by_part, format_points, rows_of
from autograder.engine.results.causes import Cause, causes_of
from autograder.engine.results.text import one_line

GRADER_FAULT = (
    "The autograder failed here, not your code. The points are not lost: "
    "please tell the course staff, who can grade this again."
)
_LINE = 160  # characters quoted of the first line of feedback
_CAUSE = 320  # characters quoted of a cause

_SECTIONS = (
    (Verdict.BLOCKED, "Blocked by other checks"),
    (Verdict.NOT_ATTEMPTED, "Not attempted"),
    (Verdict.NOT_RUN, "Not run"),
    (Verdict.GRADER_ERROR, f"Autograder errors. {GRADER_FAULT}"),
)
_WHEN_SHOWN = {
    "after_due_date": ("appears after the due date", "appear after the due date"),
    "after_published": ("appears when grades are published", "appear when grades are published"),
    "hidden": ("is not shown to students", "are not shown to students"),
}
_NUMBERS_ONLY = frozenset({Verdict.NOT_ATTEMPTED, Verdict.NOT_RUN})
_ADVISES = frozenset({Verdict.FAILED, Verdict.GRADER_ERROR})


def summary(
    plan: Sequence[PlannedCheck],
    entries: Iterable[Entry],
    part_titles: Mapping[str, str],
    *,
    show_hidden: bool = False,
) -> str:
    """Return what to fix, one line per cause; then points by part; then the other checks.

    Args:
        plan: every check, in the order students see.
        entries: the ledger's.
        part_titles: the parts' names by number.
        show_hidden: True for an instructor's terminal. Otherwise the text depends on plainly
            visible checks only: students see it at once, and the same text after the due date.
    """
    rows = rows_of(plan, entries)
    shown = [row for row in rows if show_hidden or row.check.visibility == "visible"]
    unseen = [row for row in rows if row not in shown]
    scored = [row for row in shown if row.scored]
    verdicts = {row.entry.verdict for row in scored}
    causes = causes_of(scored)
    lines: list[str] = []
    if causes:
        lines += ["What to fix", *(_fix(cause, part_titles) for cause in causes), ""]
    elif verdicts == {Verdict.PASSED}:
        lines += ["All checks passed." if not unseen else "All visible checks passed.", ""]
    elif verdicts == {Verdict.NOT_ATTEMPTED}:
        first = _titled(scored[0].check.part, part_titles)
        lines += [f"Nothing is implemented yet. Start with {first}.", ""]
        scored = []
    lines += _table(rows, shown, part_titles)
    if unseen:
        earned, whole = _earned(shown), format_points(sum(row.max_units for row in rows))
        so_far = f"Shown so far: {earned.split(' / ')[0]} of {whole} points; "
        lines += ["", so_far * any(row.max_units for row in unseen) + f"{_when_shown(unseen)}."]
    in_causes = [row for cause in causes for row in cause.blocked]
    for verdict, heading in _SECTIONS:
        listed = [row for row in scored if row.entry.verdict is verdict and row not in in_causes]
        if listed:
            quote = _numbers if verdict in _NUMBERS_ONLY else _quotes
            lines += ["", heading, *quote(listed)]
    advice = [row for row in shown if not row.scored and row.entry.verdict in _ADVISES]
    if advice:
        lines += ["", "Advice (no points)", *_quotes(advice)]
    return "\n".join(lines)


def _titled(part: str, part_titles: Mapping[str, str]) -> str:
    return one_line(f"{part} {part_titles.get(part, '')}", 60)


def _fix(cause: Cause, part_titles: Mapping[str, str]) -> str:
    """Return a cause on one line: part, points lost, mistake, and the checks it concerns."""
    checks = ", ".join(row.check.number for row in cause.failed)
    if cause.blocked:
        numbers = ", ".join(row.check.number for row in cause.blocked)
        checks += f"; blocks {numbers}, {_lost(cause.blocked)}"
    parts = dict.fromkeys(row.check.part for row in cause.failed)
    title = _titled(cause.part, part_titles) if len(parts) == 1 else ", ".join(parts)
    text = one_line(cause.text, _CAUSE)
    return f"- {title}, {_lost(cause.failed)}: {text} ({checks})"


def _lost(rows: Sequence[Row]) -> str:
    lost = format_points(sum(row.max_units - row.units for row in rows))
    return f"-{lost} point{'s' * (lost != '1')}"


def _table(rows: Sequence[Row], shown: Sequence[Row], part_titles: Mapping[str, str]) -> list[str]:
    """Return a table with a line per part and a total, of the checks that are shown.

    Where checks are not shown, a column has the points of the whole part. Names come last, so
    that only they wrap on a narrow screen.
    """
    partial = any(row.scored and row not in shown for row in rows)
    cells = [("Points", "Whole part", "Passed", "Part")]
    for part, of_part in by_part([row for row in rows if row.scored]):
        cells.append(_sums(of_part, shown, _titled(part, part_titles)))
    cells.append(_sums(rows, shown, "Shown so far" if partial else "Total"))
    columns = [column for i, column in enumerate(zip(*cells, strict=True)) if partial or i != 1]
    widths = [max(map(len, column)) for column in columns[:-1]]
    lines = [
        "  ".join([*(f"{n:>{width}}" for n, width in zip(row, widths, strict=False)), row[-1]])
        for row in zip(*columns, strict=True)
    ]
    rule = "-" * (sum(widths) + 2 * len(widths) + len("Total"))
    return [lines[0], rule, *lines[1:-1], rule, lines[-1]]


def _sums(rows: Sequence[Row], shown: Sequence[Row], name: str) -> tuple[str, str, str, str]:
    """Return a line of the table: points shown, points of the whole, passed checks, name."""
    scored = [row for row in rows if row.scored and row in shown]
    passed = sum(row.entry.verdict is Verdict.PASSED for row in scored)
    whole = format_points(sum(row.max_units for row in rows))
    return _earned(scored), whole, f"{passed} of {len(scored)}", name


def _earned(rows: Iterable[Row]) -> str:
    earned = [(row.units, row.max_units) for row in rows]
    return " / ".join(format_points(sum(units)) for units in zip(*earned, strict=True)) or "0 / 0"


def _when_shown(unseen: Sequence[Row]) -> str:
    """Return how many checks are not shown now, and when they are."""
    counts = Counter(row.check.visibility for row in unseen)
    return ", ".join(
        f"{count} more check{'s' * (count > 1)} {when[count > 1]}"
        for visibility, when in _WHEN_SHOWN.items()
        if (count := counts[visibility])
    )


def _numbers(rows: Sequence[Row]) -> list[str]:
    """Return the numbers of checks, a line per part."""
    return [f"  {', '.join(row.check.number for row in of_part)}" for _, of_part in by_part(rows)]


def _quotes(rows: Sequence[Row]) -> list[str]:
    """Return the name and points of every check, and the first line of its feedback."""
    lines = []
    for row in rows:
        title = row.check.title.removeprefix("Advice: ")  # the heading says so
        name = one_line(f"{row.check.number} {title}", _LINE).rstrip(".")
        lines.append(f"  {name}" + (f" ({_earned([row])} points)" if row.scored else ""))
        first_line = one_line(row.entry.feedback.strip().partition("\n")[0], _LINE)
        lines += [f"    {first_line}"] if first_line else []
    return lines
