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
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict
from autograder.engine.grading.points import UNITS, Row, by_part, rows_of
from autograder.engine.results.causes import feedback_of
from autograder.engine.results.summary import GRADER_FAULT
from autograder.engine.results.text import clean_text, one_line

# What stands where the judge had nothing to say.
_DEFAULT_FEEDBACK = {
    Verdict.NOT_RUN: "Not run: grading ended before it came to this check.",
    Verdict.PASSED: "Passed.",
    Verdict.FAILED: "Failed.",
    Verdict.NOT_ATTEMPTED: "Not attempted: the template's stub is still there.",
    Verdict.BLOCKED: "Blocked: what this check builds on does not work yet.",
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
    """Return what results.json is to hold, ready for `write_results`.

    A test carries score, max_score and status when its check is worth points, else none of the
    three. Points have at most four decimals; where rounding is needed, the parts and the whole
    keep their sums. A status of "passed" means full points, nothing else does.

    Args:
        plan: every check, in the order students see.
        entries: the ledger's; a planned check that has none was not run.
        output: what concerns the submission as a whole, `summary` for instance.
        execution_time: seconds.
        extra_data: what reproduces the run; kept by Gradescope, not shown.
        part_titles: the parts' names, by the handout's numbers.
        leaderboard: Gradescope's columns of the leaderboard; without one there is none.

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
    """Return the parts' points, hidden checks included, for whoever compares whole classes."""
    return [
        {
            "part": part,
            "title": clean_text(part_titles.get(part, "")),
            "score": sum(row.units for row in of_part) / UNITS,
            "max_score": sum(row.max_units for row in of_part) / UNITS,
        }
        for part, of_part in by_part(rows)
    ]


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
