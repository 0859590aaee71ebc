"""A plan, gradings of it or of any other, and their results.json, which the schema accepts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
from hypothesis import strategies as st

from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict
from autograder.engine.results.gradescope import to_results

SCHEMA = json.loads((Path(__file__).parents[2] / "results.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
TITLES = {"1.1": "MADE.forward", "1.2": "MADE.inverse"}


def check(number: str, points: float | None = 1.0, visibility: str = "visible") -> PlannedCheck:
    part = number.rpartition(".")[0]
    return PlannedCheck(f"id-{number}", number, "It is right.", part, points, visibility)


def entry(number: str, verdict: Verdict, share: float | None = None, feedback: str = "") -> Entry:
    default = 1.0 if verdict is Verdict.PASSED else 0.0
    return Entry(f"id-{number}", verdict, default if share is None else share, feedback)


PLAN = (check("1.1.1", 4.0), check("1.1.2", 1.0), check("1.2.1", 5.0), check("1.2.2", None))


def results(
    plan: Sequence[PlannedCheck] = PLAN, entries: Sequence[Entry] = (), **changes: Any
) -> dict[str, Any]:
    """Return results that the schema has accepted."""
    arguments: dict[str, Any] = {
        "output": "A summary.",
        "execution_time": 4.5,
        "extra_data": {"seed": 7},
        "part_titles": TITLES,
        **changes,
    }
    made = to_results(plan, entries, **arguments)
    VALIDATOR.validate(json.loads(json.dumps(made)))
    return made


def listed(made: dict[str, Any]) -> list[dict[str, Any]]:
    tests: list[dict[str, Any]] = made["tests"]
    return tests


any_text = st.text(st.characters(exclude_categories=()))
verdicts = st.sampled_from(list(Verdict))
worths = st.none() | st.integers(0, 500_000).map(lambda n: n / 10_000)


@st.composite
def gradings(draw: st.DrawFn) -> tuple[list[PlannedCheck], list[Entry]]:
    """Draw a plan of a few parts, and entries for some of its checks."""
    plan, entries = [], []
    for part in range(1, draw(st.integers(2, 4))):
        for i in range(1, draw(st.integers(2, 6))):
            number = f"1.{part}.{i}"
            plan.append(
                replace(check(number, draw(worths)), title=draw(any_text.filter(str.strip)))
            )
            verdict = draw(verdicts)
            share = draw(st.floats(0, 1, exclude_max=True)) if verdict is Verdict.FAILED else None
            made = replace(entry(number, verdict, share, draw(any_text)), mistake=draw(any_text))
            entries += draw(st.sampled_from([[], [made]]))
    return plan, entries
