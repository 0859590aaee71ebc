"""The summary of a grading: what to fix, the points of the parts, and nothing hidden."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.engine.grading.ledger import VISIBILITIES, Entry, PlannedCheck, Verdict
from autograder.engine.results.summary import summary
from autograder.engine.results.text import clean_text, one_line
from tests.engine.results.gradings_kit import (
    PLAN,
    TITLES,
    any_text,
    check,
    entry,
    gradings,
    listed,
    results,
    verdicts,
)


def test_the_summary_shows_parts_points_and_what_failed() -> None:
    """The table reads as a person would write it."""
    entries = [
        entry("1.1.1", Verdict.FAILED, 0.5, "x is not mu + z exp(alpha).\nSmallest case: D=2"),
        entry("1.1.2", Verdict.PASSED),
        entry("1.2.1", Verdict.NOT_ATTEMPTED, feedback="The stub is still there."),
        entry("1.2.2", Verdict.FAILED, feedback="Tensors are made on the wrong device."),
    ]
    assert summary(PLAN, entries, TITLES) == (
        "What to fix\n"
        "- 1.1 MADE.forward, -2 points: x is not mu + z exp(alpha). (1.1.1)\n"
        "\n"
        "Points  Passed  Part\n"
        "---------------------\n"
        " 3 / 5  1 of 2  1.1 MADE.forward\n"
        " 0 / 5  0 of 1  1.2 MADE.inverse\n"
        "---------------------\n"
        "3 / 10  1 of 3  Total\n"
        "\n"
        "Not attempted\n"
        "  1.2.1\n"
        "\n"
        "Advice (no points)\n"
        "  1.2.2 It is right\n"
        "    Tensors are made on the wrong device."
    )


def test_the_summary_of_full_marks_is_the_table_alone() -> None:
    """There is no empty section."""
    plan = PLAN[:3]
    table = summary(plan, [entry(c.number, Verdict.PASSED) for c in plan], TITLES)
    assert table.endswith("10 / 10  3 of 3  Total")


def test_the_summary_of_an_untouched_template_says_where_to_start() -> None:
    """A sentence with the plan's first part, in place of a list of all checks."""
    text = summary(PLAN, [entry(c.number, Verdict.NOT_ATTEMPTED) for c in PLAN], TITLES)
    assert text.startswith("Nothing is implemented yet. Start with 1.1 MADE.forward.\n\nPoints")
    assert text.endswith("Total")


@pytest.mark.parametrize(
    ("verdict", "heading"),
    [
        (Verdict.BLOCKED, "Blocked by other checks"),
        (Verdict.NOT_RUN, "Not run"),
        (Verdict.GRADER_ERROR, "Autograder errors. The autograder failed here, not your code."),
    ],
)
def test_every_kind_of_lost_point_is_explained(verdict: Verdict, heading: str) -> None:
    """A check without its points is listed under why."""
    table = summary(PLAN, [entry("1.1.1", verdict)], TITLES)
    assert f"\n{heading}" in table


@pytest.mark.parametrize(
    ("visibility", "when"),
    [
        ("hidden", "1 more check is not shown to students."),
        ("after_due_date", "1 more check appears after the due date."),
        ("after_published", "1 more check appears when grades are published."),
    ],
)
def test_the_summary_for_students_reveals_no_hidden_check(visibility: str, when: str) -> None:
    """Neither points nor words of a hidden check are shown, but what the whole is worth, is."""
    plan = (check("1.1.1", 4.0), check("1.1.2", 1.0, visibility))
    secret = entry("1.1.2", Verdict.FAILED, feedback="The canary.")
    table = summary(plan, [entry("1.1.1", Verdict.PASSED), secret], TITLES)
    assert f"\nShown so far: 4 of 5 points; {when}" in table
    assert "Total" not in table
    assert "canary" not in table
    assert "1.1.2" not in table
    everything = summary(plan, [secret], TITLES, show_hidden=True)
    assert "canary" in everything
    assert "0 / 5" in everything


def test_the_summary_says_what_a_part_is_worth_of_which_not_all_is_shown() -> None:
    """Without it, "1 / 1" reads as if the part were complete."""
    later = "after_due_date"
    of_1_1 = (check("1.1.1", 1.0), check("1.1.2", 4.0, later))
    plan = (*of_1_1, check("1.2.1", 5.0, later), check("1.2.2", None, "hidden"))
    assert summary(plan, [entry("1.1.1", Verdict.PASSED)], TITLES) == (
        "All visible checks passed.\n"
        "\n"
        "Points  Whole part  Passed  Part\n"
        "---------------------------------\n"
        " 1 / 1           5  1 of 1  1.1 MADE.forward\n"
        " 0 / 0           5  0 of 0  1.2 MADE.inverse\n"
        "---------------------------------\n"
        " 1 / 1          10  1 of 1  Shown so far\n"
        "\n"
        "Shown so far: 1 of 10 points; 2 more checks appear after the due date, "
        "1 more check is not shown to students."
    )


def test_hidden_advice_leaves_the_total_a_total() -> None:
    """All points are shown, so the sum is that of the whole."""
    plan = (check("1.1.1", 1.0), check("1.1.2", None, "hidden"))
    table = summary(plan, [entry("1.1.1", Verdict.PASSED)], TITLES)
    assert "  Total" in table
    assert table.endswith("\n\n1 more check is not shown to students.")


@given(gradings(), st.data())
def test_the_summary_for_students_depends_on_visible_checks_only(
    grading: tuple[list[PlannedCheck], list[Entry]], data: st.DataObject
) -> None:
    """Whatever the verdicts of the others are, the text is the same, and so are visible tests."""
    visibility = st.sampled_from(VISIBILITIES)
    plan = [replace(c, visibility=data.draw(visibility)) for c in grading[0]]
    hidden = {c.check_id for c in plan if c.visibility != "visible"}
    others = [
        entry(c.number, data.draw(verdicts), feedback=data.draw(any_text))
        for c in plan
        if c.check_id in hidden
    ]
    entries = grading[1]
    changed = [e for e in entries if e.check_id not in hidden] + others
    assert summary(plan, entries, TITLES) == summary(plan, changed, TITLES)

    def seen(of: list[Entry]) -> list[dict[str, Any]]:
        return [t for t in listed(results(plan, of)) if t["visibility"] == "visible"]

    assert seen(entries) == seen(changed)


def test_a_quoted_line_is_short_and_harmless() -> None:
    """A summary quotes one line, escaped and cut."""
    loud = entry("1.1.1", Verdict.FAILED, feedback="\n\x1b[2J" + "x" * 1000 + "\nsecond")
    table = summary(PLAN, [loud], TITLES)
    assert "\x1b" not in table
    assert max(map(len, table.splitlines())) <= 400
    assert "second" not in table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Look at the sign of alpha.", "Look at the sign of alpha."),
        ("Look at the sign of their alpha.", "Look at the sign of..."),
        ("Look at the sign of the alpha.", "Look at the sign of the..."),
        ("Look at the sign of it beside z.", "Look at the sign of it..."),
        ("Look at supercalifragilistic words", "Look at supercalifragil..."),
        ("x" * 40, "x" * 23 + "..."),
    ],
)
def test_a_line_is_cut_between_words(text: str, shown: str) -> None:
    """Only a word that fills half of the line is cut in two."""
    assert one_line(text, 26) == shown


@given(gradings())
def test_any_grading_has_a_summary(grading: tuple[list[PlannedCheck], list[Entry]]) -> None:
    """The summary is plain text that results.json takes as it is."""
    table = summary(*grading, TITLES, show_hidden=True)
    assert clean_text(table) == table
