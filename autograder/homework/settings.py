"""Where this homework's folders are, and the tables of assignment.toml that only it has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from autograder.engine.grading.settings import Table

_PROJECT = Path(__file__).resolve().parents[2]
REFERENCE, TEMPLATE = _PROJECT / "reference", _PROJECT / "student_template"

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
