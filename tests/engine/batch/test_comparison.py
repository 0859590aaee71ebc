"""The results of a class compared with earlier ones: in points, in shares, and in feedback."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from autograder.engine.batch.comparison import FEEDBACK, POINTS, SHARES, compare
from autograder.engine.batch.page import write_views
from autograder.engine.batch.store import Listed, Record
from autograder.engine.batch.summary import Summary
from tests.engine.batch.made_class import ABOUT, changed, make_store, record


def test_the_same_results_are_no_change() -> None:
    """Times and attempts may differ."""
    assert compare("a", record("a"), record("a", seconds=99.0, attempts=2)) is None
    assert compare("a", None, None) is None


def test_a_change_has_its_checks_and_the_difference_in_points() -> None:
    """Each check has both texts and both verdicts."""
    old = record("a")
    new = changed(old, "5.5.3", score=0.0, output="Now it is wrong.")
    change = compare("a", old, new)
    assert change is not None
    (check,) = change.checks
    assert (change.kind, change.delta) == (POINTS, -(check.old_score or 0))
    assert (check.number, check.old_text, check.new_text) == (
        "5.5.3",
        "Passed.",
        "Now it is wrong.",
    )


def test_a_change_of_texts_is_a_kind_of_its_own() -> None:
    """The texts of a check, or the text about the whole submission."""
    old = record("a")
    change = compare("a", old, changed(old, "5.5.3", output="Said otherwise."))
    assert change is not None
    assert (change.kind, change.delta) == (FEEDBACK, 0)
    other = Record(**{**vars(old), "results": {**old.results, "output": "Other."}})
    change = compare("a", old, other)
    assert change is not None
    assert (change.checks, change.new_output) == ((), "Other.")


def reshared(before: Record, passes: bool = True) -> Record:
    """The record after a check was added to 1.1 and takes points from another."""
    results = json.loads(json.dumps(before.results))
    first = results["tests"][1]
    assert first["number"] == "1.1.2"
    came = {**first, "number": "1.1.99", "name": "1.1.99 New.", "max_score": 0.25, "output": ""}
    came["score"] = 0.25 * passes
    came["extra_data"] = {"verdict": "passed" if passes else "failed"}
    worth = first["max_score"]
    first["max_score"] = worth - 0.25
    first["score"] *= first["max_score"] / worth
    results["tests"].append(came)
    for part in results["extra_data"]["parts"][:1]:
        of_part = [t for t in results["tests"] if t["number"].startswith("1.1.")]
        part["score"] = sum(t["score"] for t in of_part)
    return Record(**{**vars(before), "results": results})


def test_other_shares_of_the_same_points_are_a_kind_of_their_own() -> None:
    """A new check that passes moves points within a part; the student's points and texts stay."""
    change = compare("a", record("a"), reshared(record("a")))
    assert change is not None
    assert (change.kind, change.delta) == (SHARES, 0)
    assert [check.number for check in change.checks] == ["1.1.2", "1.1.99"]
    assert all(check.reads_the_same for check in change.checks)
    failing = compare("a", record("a"), reshared(record("a"), passes=False))
    assert failing is not None
    assert (failing.kind, failing.delta) == (POINTS, -0.25)


def test_the_summary_of_changes_is_in_sentences() -> None:
    """Shares that moved within a part do not change a score."""
    summary = Summary({})
    old, wrong = record("a"), changed(record("a"), "5.5.3", score=0.0)
    assert summary.what_changed == ["Nothing changed."]
    for i in range(8):
        summary.add(Listed(str(i)), old, compare(str(i), old, reshared(old)))
    assert summary.what_changed == [
        "No score changed.",
        "8 differ only in how the points of 1.1 are shared.",
    ]
    for now in (wrong, changed(old, "5.5.3", output="Otherwise."), None):
        summary.add(Listed("b"), now, compare("b", old, now))
    summary.add(Listed("c"), old, compare("c", None, old))
    assert summary.what_changed == [
        "1 of 12 submissions changed in points: 0 gained and 1 lost points.",
        "1 changed in feedback only.",
        "8 differ only in how the points of 1.1 are shared.",
        "1 is new.",
        "1 is no longer in the class.",
    ]


def test_unchanged_texts_are_not_on_the_page_of_a_change(tmp_path: Path) -> None:
    """Only different texts are shown side by side."""
    older, newer = make_store(tmp_path / "old", 1), make_store(tmp_path / "new", 1)
    before = changed(record("submission_1000"), "5.5.3", output="A text that stays.")
    older.write(before)
    for after, seen in [
        (changed(before, "5.5.3", max_score=0.25), 0),
        (changed(before, "5.5.3", output="Another text."), 1),
    ]:
        newer.write(after)
        write_views(newer, ABOUT, older)
        (page,) = (newer.root / "compare").glob("*/*.html")
        assert page.read_text(encoding="utf-8").count("A text that stays.") == seen


def test_an_added_or_removed_check_is_a_change() -> None:
    """The missing check has no score."""
    old = record("a")
    fewer = {**old.results, "tests": old.tests[1:]}
    change = compare("a", old, Record(**{**vars(old), "results": fewer}))
    assert change is not None
    assert change.checks[0].new_verdict == ""
    assert change.checks[0].new_score is None


def test_new_and_removed_submissions_are_listed(tmp_path: Path) -> None:
    """A submission in only one of two stores is a change."""
    older, store = make_store(tmp_path / "old", 3), make_store(tmp_path / "new", 3)
    listed = list(store.listed())
    store.write(record("late"))
    store.write_list([*listed[1:], Listed("late")])
    summary = write_views(store, ABOUT, older)
    assert dict(summary.changes) == {"gone": 1, "new": 1}
    rows = list(csv.DictReader((store.root / "changes.csv").open(encoding="utf-8-sig")))
    assert [(row["Submission"], row["Kind"]) for row in rows] == [
        ("late", "new"),
        (listed[0].key, "gone"),
    ]


def test_an_earlier_comparison_is_removed(tmp_path: Path) -> None:
    """It does not belong to the new pages."""
    older, store = make_store(tmp_path / "old", 2), make_store(tmp_path / "new", 2)
    store.write(changed(record("submission_1000"), "1.1.1", output="Other."))
    write_views(store, ABOUT, older)
    assert (store.root / "compare").is_dir()
    assert "What changed" in (store.root / "index.html").read_text(encoding="utf-8")
    write_views(store, ABOUT)
    assert not (store.root / "compare").exists()
    assert not (store.root / "changes.csv").exists()
    assert "What changed" not in (store.root / "index.html").read_text(encoding="utf-8")
