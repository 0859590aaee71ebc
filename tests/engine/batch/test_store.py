"""The results of a class: stored, counted, anonymous, and as a table of scores."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from autograder.commands.class_ import _about
from autograder.engine.batch.export import NotGraded, Submission
from autograder.engine.batch.metadata import Submitter
from autograder.engine.batch.page import write_views
from autograder.engine.batch.privacy import Pseudonyms, key_for
from autograder.engine.batch.scores import ScoresWriter, defused
from autograder.engine.batch.store import (
    Listed,
    Record,
    Store,
    StoreError,
    relative,
    title_of,
)
from autograder.engine.batch.summary import ABSENT, ERROR, GRADED, MISSING, REFUSED, Summary
from autograder.engine.grading.ledger import Entry, Verdict
from autograder.engine.results.replacing import replacing
from tests.engine.batch.made_class import ABOUT, PLAN, changed, make_store, record, results_of
from tests.this_homework import THIS

# ---- store ------------------------------------------------------------------------------------


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Its file is inside the store for every key."""
    store = Store(tmp_path / "out")
    store.prepare(anonymous=False)
    for key in ("submission_1", "../../evil", "a/b", "\ud800", ".hidden", "x" * 300, "Zoë"):
        store.write(record(key))
        assert store.read(key) == record(key)
        assert store.path("results", key, "json").resolve().is_relative_to(store.root.resolve())


def test_a_damaged_record_counts_as_none(tmp_path: Path) -> None:
    """The submission is graded again."""
    store = Store(tmp_path / "out")
    store.prepare(anonymous=False)
    assert store.read("a") is None
    store.write(record("a"))
    path = store.path("results", "a", "json")
    for text in (
        path.read_text(encoding="utf-8")[:-20],
        "[]",
        '{"key": "a", "more": 1}',
        "[" * 9999,
    ):
        path.write_text(text, encoding="utf-8")
        assert store.read("a") is None


def test_a_record_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """It calls the payload a parcel."""
    store = Store(tmp_path)
    store.write(record("a"))
    path = store.path("results", "a", "json")
    path.write_text(path.read_text(encoding="utf-8").replace('"payload"', '"parcel"'))
    assert store.read("a") == record("a")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    """A writer that fails leaves the old file and nothing else."""
    (tmp_path / "a").write_text("before")
    with pytest.raises(TypeError), replacing(tmp_path / "a", "utf-8") as file:
        file.writelines(["half", None])
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def test_only_the_owner_can_read_the_results(tmp_path: Path) -> None:
    """The folder has names and grades."""
    store = Store(tmp_path / "out")
    store.prepare(anonymous=False)
    assert store.root.stat().st_mode & 0o077 == 0


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    """Results are not mixed with other files."""
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(StoreError, match="not empty and has no results"):
        Store(tmp_path).prepare(anonymous=False)
    with pytest.raises(StoreError, match="has no results of a class"):
        Store(tmp_path).settings()
    with pytest.raises(StoreError, match="has no class list"):
        next(Store(tmp_path).listed())


@pytest.mark.parametrize(("before", "repeat"), [(False, "without"), (True, "with")])
def test_names_and_pseudonyms_are_never_mixed(tmp_path: Path, before: bool, repeat: str) -> None:
    """A store keeps names, or pseudonyms."""
    store = Store(tmp_path / "out")
    store.prepare(anonymous=before)
    store.prepare(anonymous=before)
    with pytest.raises(StoreError, match=f"repeat the command {repeat} --anonymous"):
        store.prepare(anonymous=not before)


@pytest.mark.parametrize("name", ["It holds.", "1.2.3 It holds."])
def test_a_check_s_title_has_its_number_once(name: str) -> None:
    """In results of earlier versions the name has the number too."""
    assert title_of({"number": "1.2.3", "name": name}) == "1.2.3 It holds."


# ---- counting ---------------------------------------------------------------------------------


def failed_by(mistake: str | None) -> Record:
    """A record in which 5.5.1 and 5.5.2 fail with this mistake."""
    ids = {check.number: check.check_id for check in PLAN}
    failed = {ids["5.5.1"], ids["5.5.2"]}
    return record(
        "a",
        results=results_of(
            Entry(c.check_id, Verdict.FAILED, 0.0, "No.", mistake)
            if c.check_id in failed
            else Entry(c.check_id, Verdict.PASSED, 1.0, "")
            for c in PLAN
        ),
    )


def test_a_mistake_counts_once_for_each_submission() -> None:
    """However many checks name it; mistakes with the same answers stay together."""
    summary = Summary({"gp-missing": "There is no penalty.", "b": "It is b."})
    for i, mistake in enumerate(["gp-missing", "gp-missing", "b+gp-missing", None]):
        summary.add(Listed(str(i)), failed_by(mistake), None)
    found = [(m.count, m.sentences, m.where) for m in summary.most_made]
    assert found == [
        (2, ("There is no penalty.",), "5.5.1, 5.5.2"),
        (1, ("It is b.", "There is no penalty."), "5.5.1, 5.5.2"),
    ]
    assert [check.number for check in summary.hardest[:2]] == ["5.5.1", "5.5.2"]


def test_zeros_of_grader_errors_are_not_counted() -> None:
    """They are no points, mistakes or failures of a student."""
    summary = Summary({})
    error = results_of(Entry(c.check_id, Verdict.GRADER_ERROR, 0.0, "no zygote") for c in PLAN)
    summary.add(Listed("a"), record("a"), None)
    summary.add(Listed("b"), record("b", results=error), None)
    summary.add(Listed("c"), record("c", results={}, trouble="It died."), None)
    summary.add(Listed("d"), None, None)
    assert dict(summary.states) == {GRADED: 1, ERROR: 2, MISSING: 1}
    assert (summary.all.count, summary.all.mean) == (1, 65)
    assert [fault.what for fault in summary.faults] == ["no zygote", "It died."]


def test_refused_and_missing_submissions_are_counted_separately() -> None:
    """Their zeros do not count in the mean, and the table shows no points."""
    summary = Summary({})
    summary.add(Listed("a", late="1:00:00"), record("a"), None)
    refused = summary.add(
        Listed("b"), record("b", results=results_of(()), refused="It is no zip."), None
    )
    absent = Record("c", refused="There is no file.", absent=True)
    summary.add(Listed("c"), absent, None)
    assert dict(summary.states) == {GRADED: 1, REFUSED: 1, ABSENT: 1}
    assert (summary.all.count, summary.all.mean, summary.late) == (1, 65, 1)
    assert refused[:2] == [None, []]
    assert [fault.what for fault in summary.faults] == ["It is no zip.", "There is no file."]


def test_entries_that_are_not_submissions_are_stored_with_the_reason(tmp_path: Path) -> None:
    """So pages can be made again without the export; a damaged file is an empty list."""
    store = Store(tmp_path)
    assert store.not_graded() == []
    found = [NotGraded("notes.txt", "a file by itself")]
    store.write_not_graded(found)
    assert store.not_graded() == found
    (tmp_path / "not_graded.json").write_text("{}")
    assert store.not_graded() == []


def test_histograms_have_few_bars_and_one_for_full_marks() -> None:
    """Every submission is in exactly one bar."""
    summary = Summary({})
    for i, skill in enumerate([1.0, 0.9, 0.5, 0.0]):
        summary.add(Listed(str(i)), record("a", skill), None)
    for part in (summary.all, *summary.parts.values()):
        assert len(part.bars) <= 12
        assert sum(count for _, count in part.bars) == 4
        assert part.bars[-1][0] == f"{part.max_score:g}"
    assert summary.parts["1.1"].median <= 5


def test_a_mistake_is_listed_with_its_function() -> None:
    """By itself, "Returns plus the sum of alpha" could be about two functions."""
    sentences = _about(THIS, None).sentences
    about = {name: sentence.partition(": ")[0] for name, sentence in sentences.items()}
    assert about["inverse-log-det-sign"] == "MADE.inverse"
    assert about["gp-missing"] == "loss_wasserstein_gp_d"
    assert all(re.match(r"(MADE|MAF)\.|(conditional_)?loss_", where) for where in about.values())


# ---- scores.csv -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://x")',
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "\uff1d1",
        "\ufeff=1",
    ],
)
def test_a_formula_is_defused(text: str) -> None:
    """An apostrophe in front makes it text for a spreadsheet."""
    assert defused(text).startswith("'")


@pytest.mark.parametrize("text", ["Ada Lovelace", "O'Brien", "محمد", "submission_1", "3=3", ""])
def test_names_are_left_as_they_are(text: str) -> None:
    """Only formulas are changed."""
    assert defused(text) == text


def test_scores_have_a_row_for_each_student_and_a_column_for_each_part() -> None:
    """A group is several rows with the same points; without a grade the points are empty."""
    file = io.StringIO()
    writer = ScoresWriter(file, {"1.1": "First", "1.2": "Second"}, {"1.1": 5, "1.2": 2.5})
    people = (Submitter("=Ada", "1", "a@x"), Submitter("Bob\nB", "2", "b@x"))
    group = Listed("s", people, "2026-11-21 10:00 Z", "0:05:00")
    writer.write(group, {"1.1": 2.5, "1.2": 1.0}, GRADED)
    writer.write(Listed("t"), {}, REFUSED, "=It is\nno zip.")
    late = ("2026-11-21 10:00 Z", "0:05:00")
    assert list(csv.reader(file.getvalue().splitlines())) == [
        [
            "Name",
            "Student number",
            "Email",
            "Submission",
            "1.1 First (of 5)",
            "1.2 Second (of 2.5)",
            "Total (of 7.5)",
            "State",
            "Reason",
            "Handed in",
            "Late",
        ],
        ["'=Ada", "1", "a@x", "s", "2.5", "1", "3.5", "graded", "", *late],
        ["Bob B", "2", "b@x", "s", "2.5", "1", "3.5", "graded", "", *late],
        ["", "", "", "t", "", "", "", "refused", "'=It is no zip.", "", ""],
    ]


def test_scores_open_as_utf_8_in_a_spreadsheet(tmp_path: Path) -> None:
    """The file starts with the mark that Excel needs; a hostile name is one cell."""
    store = make_store(tmp_path / "out", 3)
    write_views(store, ABOUT)
    assert (store.root / "scores.csv").read_bytes().startswith(b"\xef\xbb\xbfName,")
    rows = list(csv.DictReader((store.root / "scores.csv").open(encoding="utf-8-sig")))
    assert len(rows) == 3
    assert all(row["State"] == "graded" for row in rows)


# ---- without names ----------------------------------------------------------------------------

ADA = Submission("Ada_Lovelace.zip", (Submitter("Ada Lovelace", "00123", "ada.l@example.org"),))


def test_pseudonyms_are_the_same_for_the_same_key_only() -> None:
    """Only with the key can a rerun recognise a submission."""
    one = Pseudonyms(b"k" * 16).listed(ADA)
    assert one == Pseudonyms(b"k" * 16).listed(ADA)
    assert one.key != Pseudonyms(b"l" * 16).listed(ADA).key
    assert one.submitters == ()


def test_names_are_removed_from_texts() -> None:
    """In every spelling that a file name may have; points, checks and mistakes stay."""
    text = "taken from 'ada_lovelace/gan.py' by AdaLovelace, ADA.L@EXAMPLE.ORG, 00123, Lovelace"
    results = {**record("a").results, "output": text}
    before = record("a", results=results, trouble=text, log=text)
    after = Pseudonyms(b"k").cleaned(changed(before, "1.1.1", output=text), ADA)
    text = json.dumps(vars(after)).lower()
    for piece in ("lovelace", "00123", "example.org"):
        assert piece not in text
    assert (
        after.tests[0]["output"] == "taken from '[name]/gan.py' by [name], [name], [name], [name]"
    )
    assert after.tests[1:] == before.tests[1:]


def test_the_key_is_next_to_the_results_and_shared_with_those_compared(
    tmp_path: Path,
) -> None:
    """Only its owner can read it."""
    first = key_for(tmp_path / "old", None)
    assert key_for(tmp_path / "old", None) == first
    assert key_for(tmp_path / "new", tmp_path / "old") == first
    assert key_for(tmp_path / "other", None) != first
    assert (tmp_path / "old.key").stat().st_mode & 0o077 == 0


def test_paths_of_submissions_are_spread_over_folders() -> None:
    """100,000 submissions are 256 folders of about 400 files."""
    folders = {relative("results", f"submission_{i}", "json").split("/")[1] for i in range(5000)}
    assert len(folders) == 256
