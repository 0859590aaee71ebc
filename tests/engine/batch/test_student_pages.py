"""Pages to hand out: only what the student may see."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from autograder.engine.batch.metadata import Submitter
from autograder.engine.batch.page import About, write_views
from autograder.engine.batch.store import Listed, Record, Store
from autograder.engine.batch.student_pages import file_name
from autograder.engine.grading.ledger import VISIBILITIES
from tests.engine.batch.made_class import (
    HOSTILE_NAME,
    PARTS,
    WORTH,
    changed,
    make_store,
    record,
    results_of,
)

ABOUT = About("Homework", PARTS, WORTH, {})


def with_secrets(key: str) -> Record:
    """A record with a check of each visibility, named in its text."""
    made = record(key, log="LOG", trouble="")
    for number, visibility in zip(("1.1.1", "1.1.2", "1.2.1", "1.2.2"), VISIBILITIES, strict=True):
        made = changed(
            made, number, visibility=visibility, name=f"{number} T.", output=f"IT IS {visibility}"
        )
    return made


def pages(store: Store, when: str = "visible") -> dict[str, str]:
    """Write the pages; return those in the folder, which must equal those in the zip."""
    write_views(store, ABOUT, for_students=when)
    found = {
        path.name: path.read_text(encoding="utf-8") for path in (store.root / "students").iterdir()
    }
    with zipfile.ZipFile(store.root / "students.zip") as archive:
        zipped = {n.removeprefix("students/"): archive.read(n).decode() for n in archive.namelist()}
    assert zipped == found
    return found


@pytest.mark.parametrize(
    ("when", "seen"),
    [
        ("visible", {"visible"}),
        ("after_due_date", {"visible", "after_due_date"}),
        ("after_published", {"visible", "after_due_date", "after_published"}),
    ],
)
def test_a_page_shows_the_checks_visible_at_that_time(
    tmp_path: Path, when: str, seen: set[str]
) -> None:
    """No hidden check or its points, nothing for the staff, no link."""
    store = make_store(tmp_path / "out", 1)
    store.write(with_secrets("submission_1000"))
    (page,) = pages(store, when).values()
    assert set(re.findall(r"IT IS (\w+)", page)) == seen
    for word in ("LOG", "staff", "href", "The whole class", "src="):
        assert word not in page
    hidden = sum({"hidden": 1.0, "after_due_date": 0.5, "after_published": 1.0}[v]
                 for v in VISIBILITIES if v not in seen)  # fmt: skip
    shown = f"{65 - hidden:g}"
    assert re.search(rf"Shown here</th><td>{shown} / {shown} <span[^>]*>of 65<", page)


def test_a_page_with_all_checks_has_a_total(tmp_path: Path) -> None:
    """Its points are those in the class's table."""
    (page,) = pages(make_store(tmp_path / "out", 1)).values()
    assert re.search(r"Total</th><td>[\d.]+ / 65<", page)
    assert "not shown here" not in page


def test_every_page_has_its_own_file_name(tmp_path: Path) -> None:
    """A hostile name is only text; two students with one name have two pages."""
    store = make_store(tmp_path / "out", 3)
    twins = [Listed(key, (Submitter("Li Wei"),)) for key in ("Li Wei", "Li_Wei", "../Li")]
    for twin in twins:
        store.write(record(twin.key))
    store.write_list([*store.listed(), *twins])
    found = pages(store)
    assert len(found) == 6
    assert all(re.fullmatch(r"[\w-]+\.html", name) for name in found)
    assert not any("<script" in page or HOSTILE_NAME in page for page in found.values())
    assert file_name(Listed("submission_7", (Submitter("Zoë O'Brien"),))) == (
        "Zoë_O_Brien-submission_7.html"
    )


def test_a_page_without_a_grade_has_the_reason_and_no_points(tmp_path: Path) -> None:
    """A refusal has its message, a grader error an apology; an absent student has no page."""
    store = make_store(tmp_path / "out", 4)
    keys = [listed.key for listed in store.listed()]
    store.write(Record(keys[0], results=results_of(()), refused="It is a RAR archive."))
    store.write(Record(keys[1], trouble="TROUBLE", log="LOG"))
    store.write(Record(keys[2], refused="There is no file.", absent=True))
    store.path("results", keys[3], "json").unlink()
    refused, error = (
        page for _, page in sorted(pages(store).items(), key=lambda p: "RAR" not in p[1])
    )
    assert "It is a RAR archive." in refused
    assert "This is not your fault" in error
    for page in (refused, error):
        assert not re.search(r"TROUBLE|LOG|<table|/ 65", page)


def test_earlier_pages_are_removed(tmp_path: Path) -> None:
    """They may be out of date."""
    store = make_store(tmp_path / "out", 1)
    pages(store)
    write_views(store, ABOUT)
    assert not (store.root / "students").exists()
    assert not (store.root / "students.zip").exists()
