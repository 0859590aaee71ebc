"""Gradescope's results.json: made from the ledger by a pure function, and written in one step.

Every planned check is always listed. There is no total score: Gradescope sums the tests, so the
total cannot differ from the list. Texts may quote a student's code, so control characters are
escaped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict
from autograder.engine.grading.points import UNITS, Row, by_part, rows_of
from autograder.engine.results.causes import feedback_of
from autograder.engine.results.replacing import replacing
from autograder.engine.results.summary import GRADER_FAULT
from autograder.engine.results.text import clean_text, one_line

# Where the judge gave no feedback.
_DEFAULT_FEEDBACK = {
    Verdict.NOT_RUN: "Not run: grading ended before this check.",
    Verdict.PASSED: "Passed.",
    Verdict.FAILED: "Failed.",
    Verdict.NOT_ATTEMPTED: "Not attempted: the template's stub is still there.",
    Verdict.BLOCKED: "Blocked: this check needs another part that does not work yet.",
    Verdict.GRADER_ERROR: "",
}


def to_results(
    plan: Sequence[PlannedCheck],
    entries: Iterable[Entry],
    *,
    output: str,
    execution_time: float,
    extra_data: Mapping[str, object],
    part_titles: Mapping[str, str],
    leaderboard: Sequence[Mapping[str, object]] = (),
) -> dict[str, object]:
    """Return the content of results.json, for `write_results`.

    A test has score, max_score and status when its check gives points, else none of the three.
    Points have at most four decimals. Only full points have the status "passed".

    Args:
        plan: every check, in the order students see.
        entries: the ledger's; a planned check without one was not run.
        output: text about the whole submission, such as `summary`.
        execution_time: seconds.
        extra_data: data to reproduce the run; kept by Gradescope, not shown.
        part_titles: the parts' names by number.
        leaderboard: columns of Gradescope's leaderboard.

    Raises:
        ValueError: for an execution time that is not a finite number >= 0.
    """
    if not (math.isfinite(execution_time) and execution_time >= 0):
        raise ValueError(f"execution_time={execution_time!r} must be finite and >= 0 seconds")
    rows = rows_of(plan, entries)
    return {
        "execution_time": round(float(execution_time), 3),
        "output": clean_text(output),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "extra_data": {"parts": _parts(rows, part_titles), **_cleaned(extra_data)},
        "tests": [_test(row, rows) for row in rows],
        **({"leaderboard": _cleaned(leaderboard)} if leaderboard else {}),
    }


def write_results(path: Path, results: Mapping[str, object]) -> None:
    """Write the results in one step: a reader finds the old file or the new one, never a part.

    Everyone can read the file, because the platform may collect it as any user; see `replacing`.

    Raises:
        ValueError: the results contain NaN, infinity or an object that JSON does not support.
        OSError: the file cannot be written; the text names the file and the cause.
    """
    try:
        text = json.dumps(results, ensure_ascii=False, allow_nan=False, indent=1)
    except (ValueError, TypeError) as error:
        raise ValueError(f"the results cannot be written as JSON: {error}") from error
    try:
        # UTF-8 cannot encode lone surrogates; Python escapes them as JSON does.
        with replacing(path, "utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        raise OSError(
            f"the results could not be written to {str(path)!r} "
            f"({error.strerror or error}): make room or let this user write there, "
            "or name another file"
        ) from error


def _test(row: Row, rows: Sequence[Row]) -> dict[str, object]:
    """Return a check as one of Gradescope's tests."""
    check, entry = row.check, row.entry
    feedback = feedback_of(row, rows) or _DEFAULT_FEEDBACK[entry.verdict]
    if entry.verdict is Verdict.GRADER_ERROR:
        feedback = f"{GRADER_FAULT}\n{feedback}".rstrip()
    test: dict[str, object] = {
        "number": check.number,
        "name": one_line(check.title, 500),
        "output": clean_text(feedback),
        "visibility": check.visibility,
    }
    if row.scored:
        test["score"] = row.units / UNITS
        test["max_score"] = row.max_units / UNITS
        test["status"] = "passed" if entry.verdict is Verdict.PASSED else "failed"
    test["extra_data"] = _cleaned(
        {"check_id": entry.check_id, "verdict": entry.verdict.value, "mistake": entry.mistake}
    )
    return test


def _parts(rows: Sequence[Row], part_titles: Mapping[str, str]) -> list[dict[str, object]]:
    """Return the parts' points, including hidden checks; the class report uses them."""
    return [
        {
            "part": part,
            "title": clean_text(part_titles.get(part, "")),
            "score": sum(row.units for row in of_part) / UNITS,
            "max_score": sum(row.max_units for row in of_part) / UNITS,
        }
        for part, of_part in by_part(rows)
    ]


def _cleaned(value: Any) -> Any:
    """Return a copy of JSON data with all texts cleaned, at any depth."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return {clean_text(str(key)): _cleaned(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(item) for item in value]
    return value
