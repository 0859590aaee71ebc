"""results.json agrees with the ledger and has the form that Gradescope accepts."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict
from autograder.engine.results import text
from autograder.engine.results.text import clean_text
from tests.engine.results.gradings_kit import (
    PLAN,
    SCHEMA,
    VALIDATOR,
    any_text,
    check,
    entry,
    gradings,
    listed,
    results,
)


def exact_sum(numbers: Sequence[float]) -> Decimal:
    """Sum as Gradescope's readers would, in the decimals that are written."""
    return sum((Decimal(repr(number)) for number in numbers), Decimal(0))


# ---- to_results ------------------------------------------------------------------------------


def test_the_schema_itself_is_sound() -> None:
    """A schema with a mistake in it would accept anything."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda made: made.update(score=65),
        lambda made: made.pop("output_format"),
        lambda made: made.update(output_format="html"),
        lambda made: made.update(output="x" * 100_000),
        lambda made: made.update(output="\x1b[2J"),
        lambda made: made.update(output="a\u202eb"),
        lambda made: made.update(tests=[]),
        lambda made: made["tests"][0].update(status=None),
        lambda made: made["tests"][0].update(status="error"),
        lambda made: made["tests"][0].update(visibility="secret"),
        lambda made: made["tests"][0].update(number="1.1"),
        lambda made: made["tests"][0].update(name="1.1.1 two\nlines"),
        lambda made: made["tests"][0].update(score=-1),
        lambda made: made["tests"][0].pop("score"),
        lambda made: made["tests"][3].update(max_score=0),
        lambda made: made["tests"][3].update(status="failed"),
        lambda made: made["tests"][0]["extra_data"].pop("verdict"),
    ],
)
def test_the_schema_refuses_what_breaks_a_promise(spoil: Any) -> None:
    """The schema that the other tests lean on can fail."""
    made = json.loads(json.dumps(results()))
    spoil(made)
    assert not VALIDATOR.is_valid(made)


def test_every_planned_check_is_listed_without_any_entry() -> None:
    """Before a check has run all of them are there, at 0 and "not run"."""
    tests = listed(results())
    assert [test["number"] for test in tests] == ["1.1.1", "1.1.2", "1.2.1", "1.2.2"]
    assert [test["extra_data"]["verdict"] for test in tests] == ["not run"] * 4
    assert [test.get("score") for test in tests] == [0, 0, 0, None]
    assert all(test["output"].startswith("Not run") for test in tests)


def test_entries_that_are_not_planned_are_left_out() -> None:
    """Nothing can add a line, and so points, that the plan does not have."""
    stray = entry("9.9.9", Verdict.PASSED)
    assert len(listed(results(entries=[stray]))) == len(PLAN)


def test_there_is_no_score_of_the_whole() -> None:
    """Gradescope sums the tests; a score of our own could differ from what is listed."""
    assert "score" not in results()


def test_a_passed_check_has_full_points_and_says_so() -> None:
    """Score, max_score and status; a name without the number, which the platform prints."""
    test = listed(results(entries=[entry("1.1.1", Verdict.PASSED)]))[0]
    assert test == {
        "number": "1.1.1",
        "name": "It is right.",
        "output": "Passed.",
        "visibility": "visible",
        "score": 4.0,
        "max_score": 4.0,
        "status": "passed",
        "extra_data": {"check_id": "id-1.1.1", "verdict": "passed", "mistake": None},
    }


@pytest.mark.parametrize("verdict", [v for v in Verdict if v is not Verdict.PASSED])
def test_every_other_verdict_is_no_pass(verdict: Verdict) -> None:
    """Neither an error nor a check that did not run turns into credit, or into a green line."""
    test = listed(results(entries=[entry("1.1.1", verdict)]))[0]
    assert (test["score"], test["max_score"], test["status"]) == (0, 4.0, "failed")
    assert test["output"].strip()


def test_a_partial_share_earns_points_but_no_pass() -> None:
    """Half of the points is a failed check with half of the points."""
    test = listed(results(entries=[entry("1.1.1", Verdict.FAILED, 0.5)]))[0]
    assert (test["score"], test["status"]) == (2.0, "failed")


def test_a_share_that_rounds_up_stays_below_full_points() -> None:
    """No rounding gives a failed check the points of a pass."""
    test = listed(results(entries=[entry("1.1.1", Verdict.FAILED, 1 - 1e-12)]))[0]
    assert test["score"] == 3.9999


@pytest.mark.parametrize("verdict", list(Verdict))
def test_advice_has_neither_points_nor_status(verdict: Verdict) -> None:
    """Advice cannot look like lost points."""
    test = listed(results(entries=[entry("1.2.2", verdict, feedback="Mind the device.")]))[3]
    assert {"score", "max_score", "status"}.isdisjoint(test)
    assert "Mind the device." in test["output"]


def test_a_grader_error_is_called_the_graders_fault() -> None:
    """A student whose check the grader could not run reads that it was not their code."""
    test = listed(results(entries=[entry("1.1.1", Verdict.GRADER_ERROR, feedback="Sorry.")]))[0]
    assert test["output"].startswith("The autograder failed here, not your code.")
    assert test["output"].endswith("\nSorry.")


def test_the_mistake_is_kept_for_instructors() -> None:
    """The id of a known mistake is in extra_data."""
    failed = replace(entry("1.1.1", Verdict.FAILED), mistake="mu-and-alpha-swapped")
    test = listed(results(entries=[failed]))[0]
    assert test["extra_data"]["mistake"] == "mu-and-alpha-swapped"


def test_visibility_is_the_plans() -> None:
    """A hidden check stays hidden."""
    plan = (check("1.1.1", visibility="hidden"), check("1.1.2", visibility="after_published"))
    assert [t["visibility"] for t in listed(results(plan))] == ["hidden", "after_published"]


def test_a_leaderboard_is_there_only_when_it_is_given() -> None:
    """Its columns are passed on, texts cleaned; without any there is no such key."""
    column = {"name": "nats\u202e", "value": -1.19, "order": "desc"}
    made = results(leaderboard=[column])
    assert made["leaderboard"] == [{"name": "nats\\u202e", "value": -1.19, "order": "desc"}]
    assert "leaderboard" not in results()


def test_the_whole_carries_summary_parts_and_what_reproduces_it() -> None:
    """The top level has the given summary and data, and the points of every part."""
    made = results(entries=[entry("1.1.2", Verdict.PASSED)])
    assert made["output"] == "A summary."
    assert made["execution_time"] == 4.5
    assert made["extra_data"]["seed"] == 7
    assert made["extra_data"]["parts"] == [
        {"part": "1.1", "title": "MADE.forward", "score": 1.0, "max_score": 5.0},
        {"part": "1.2", "title": "MADE.inverse", "score": 0.0, "max_score": 5.0},
    ]


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -1.0])
def test_an_impossible_execution_time_is_refused(seconds: float) -> None:
    """JSON has no NaN; a bad time is an error where it arises."""
    with pytest.raises(ValueError, match=r"execution_time=.* must be finite and >= 0 seconds"):
        results(execution_time=seconds)


@given(gradings())
def test_any_grading_gives_valid_results(grading: tuple[list[PlannedCheck], list[Entry]]) -> None:
    """Whatever texts and points there are, the schema accepts them and the points add up."""
    plan, entries = grading
    made = results(plan, entries)  # validates
    tests = listed(made)
    assert [test["number"] for test in tests] == [c.number for c in plan]
    for test, planned in zip(tests, plan, strict=True):
        assert ("max_score" in test) == (planned.points is not None)
        if planned.points is not None:
            assert test["max_score"] == planned.points
            assert 0 <= test["score"] <= test["max_score"]
            assert (test["status"] == "passed") == (test["extra_data"]["verdict"] == "passed")
            assert round(test["score"], 4) == test["score"]
            assert round(test["max_score"], 4) == test["max_score"]
    json.dumps(made, allow_nan=False).encode("utf-8")


@given(gradings())
def test_points_add_up_to_the_plans_total(grading: tuple[list[PlannedCheck], list[Entry]]) -> None:
    """No point is lost in the sum of a part or of all parts."""
    plan, entries = grading
    made = results(plan, entries)
    worth = [test["max_score"] for test in listed(made) if "max_score" in test]
    total = sum((Decimal(repr(c.points or 0)) for c in plan), Decimal(0))
    assert exact_sum(worth) == total
    for part in made["extra_data"]["parts"]:
        tests = [t for t in listed(made) if t["number"].startswith(f"{part['part']}.")]
        of_part = exact_sum([t["max_score"] for t in tests if "max_score" in t])
        assert of_part == Decimal(repr(part["max_score"]))
        scores = exact_sum([t["score"] for t in tests if "score" in t])
        assert scores == Decimal(repr(part["score"]))


# ---- text ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\0b", r"a\x00b"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x9b31m", r"\x9b31m"),
        ("over\rwritten", r"over\rwritten"),
        ("dos\r\nline", "dos\nline"),
        ("\x07\x08\x7f", r"\x07\x08\x7f"),
        ("1\u202e56/0", r"1\u202e56/0"),
        ("\u2066\u2069\u200e\u200f\u061c", r"\u2066\u2069\u200e\u200f\u061c"),
        ("a\u2028b\u2029", r"a\u2028b\u2029"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
        ("tab\tand\nnewline", "tab\tand\nnewline"),
        ("<b>σ² ≈ 0, 東京, नि\u200dन", "<b>σ² ≈ 0, 東京, नि\u200dन"),
    ],
)
def test_what_a_page_would_obey_is_spelled_out(text: str, shown: str) -> None:
    """Control characters, bidi marks and lone surrogates show as escapes; the rest stays."""
    assert clean_text(text) == shown


@pytest.mark.parametrize("character", ["x", "\0", "\U000e0041", "\n", "\r\n"])
@pytest.mark.parametrize("length", [text.MAX_OUTPUT + 1, 300_000])
def test_a_long_output_is_cut_with_a_note(character: str, length: int) -> None:
    """A flood stays under Gradescope's limit even when every character is escaped."""
    flood = entry("1.1.1", Verdict.FAILED, feedback="It broke." + character * length)
    output = listed(results(entries=[flood], output=character * length))[0]["output"]
    assert len(output) <= text.MAX_OUTPUT
    assert output.startswith("It broke.")
    assert output.endswith(f"[cut here: {9 + len(character) * length:,} characters in all]")


def test_text_of_exactly_the_limit_is_not_cut() -> None:
    """The note appears only where something is missing."""
    assert clean_text("x" * 50, limit=50) == "x" * 50
    assert clean_text("x" * 51, limit=50).endswith("[cut here: 51 characters in all]")


def test_text_that_only_its_escapes_make_too_long_is_cut() -> None:
    """The limit counts the escaped text."""
    shown = clean_text("\0" * 50, limit=60)
    assert len(shown) == 60
    assert shown.endswith("[cut here: 50 characters in all]")


@given(any_text, st.integers(40, 80))
def test_clean_text_never_exceeds_its_limit(text: str, limit: int) -> None:
    """Escapes and note are counted too."""
    shown = clean_text(text, limit)
    assert len(shown) <= limit
    assert clean_text(shown, limit) == shown


def test_extra_data_is_cleaned_however_deep() -> None:
    """Texts of a student's code are escaped in the data too."""
    made = results(extra_data={"k\0": [{"deep": ("\ud800", 1, None)}]})
    assert made["extra_data"]["k\\x00"] == [{"deep": ["\\ud800", 1, None]}]
