"""Where this homework's folders are, and the tables of assignment.toml that only it has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from autograder.engine.grading.settings import Table

_HERE = Path(__file__).resolve().parent
# A wheel carries both in the homework's folder, a checkout at its top.
_BESIDE = _HERE if (_HERE / "student_template").is_dir() else _HERE.parents[1]
REFERENCE, TEMPLATE = _BESIDE / "reference", _BESIDE / "student_template"

_KEYS = ("timeout_s", "full_log_likelihood", "half_log_likelihood")


def _training(table: Table) -> Mapping[str, float]:
    """Read the limits of the training run: seconds, and nats per example."""
    table.only(_KEYS)
    full = table.number("full_log_likelihood")
    half = table.number("half_log_likelihood")
    if half > full:
        raise table.error(
            "half_log_likelihood", f"a number up to training.full_log_likelihood = {full:g}"
        )
    return {
        "timeout_s": table.above_zero("timeout_s"),
        "full_log_likelihood": full,
        "half_log_likelihood": half,
    }


SECTIONS = {"training": _training}
