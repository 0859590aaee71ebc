"""The layouts of exports: the student of each file, and entries that are not submissions."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autograder.engine.batch.export import Export, NotGraded, Submission, open_export
from autograder.engine.batch.metadata import Submitter, moment
from autograder.engine.batch.payload import UnreadableSubmission
from autograder.engine.submission.entries import InvalidSubmission
from autograder.engine.submission.staging import stage

WANTED = ("codebase/flow_network.py", "codebase/gan.py")
ROOT = Path(__file__).resolve().parents[3]
TEMPLATE = ROOT / "student_template"
MOODLE = "_assignsubmission_file_"


def write(folder: Path, *names: str) -> Path:
    """Write files that contain the end of their names."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"# {name[-6:]}\n", encoding="utf-8")
    return folder


def write_zip(path: Path, *names: str, text: str = "") -> Path:
    """Write a zip of files, which contain `text` or the end of their names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, text or f"# {name[-6:]}\n")
    return path


@contextmanager
def opened(folder: Path, kind: str) -> Iterator[Export]:
    """Open a folder of submissions: as it is, zipped, or inside other folders."""
    path = folder
    if kind == "zip":
        path = Path(shutil.make_archive(str(folder.parent / "export"), "zip", folder))
    elif kind == "wrapped zip":
        path = Path(
            shutil.make_archive(str(folder.parent / "x"), "zip", folder.parent, folder.name)
        )
    elif kind == "two folders":
        path = folder.parent / "outer"
        shutil.copytree(folder, path / "middle" / "inner", symlinks=True)
    with open_export(path, WANTED) as export:
        yield export


KINDS = pytest.mark.parametrize("kind", ["folder", "zip", "wrapped zip", "two folders"])


def staged(export: Export, name: str, tmp_path: Path) -> dict[str, str]:
    """The staged files of a submission by name, or the refusal under ""."""
    place = tmp_path / f"payload-{len(list(tmp_path.iterdir()))}"
    place.mkdir()
    (place / "submission.zip").write_bytes(export.payload(name, WANTED))
    try:
        found = stage(
            place / "submission.zip", place / "staged", wanted=WANTED, pristine=TEMPLATE
        ).found
    except InvalidSubmission as refused:
        return {"": str(refused)}
    return {each: (place / "staged" / each).read_text(encoding="utf-8") for each in found}


BOTH = {name: f"# {name[-6:]}\n" for name in WANTED}


# ---- Moodle -----------------------------------------------------------------------------------


@KINDS
def test_moodle_export_has_a_folder_with_a_zip_for_each_submission(
    tmp_path: Path, kind: str
) -> None:
    """The folder has name and participant; the zip inside is graded."""
    root = tmp_path / "CS236-Homework 3-123"
    write_zip(root / f"Ada Lovelace_12{MOODLE}" / "submission.zip", *WANTED)
    write_zip(root / f"Bob O_Neil_7{MOODLE}" / "hw3.zip", *(f"hw3/{name}" for name in WANTED))
    write(root / f"Cleo_9{MOODLE}", "gan.py", "flow_network.py", "report.pdf")
    write(root / "Ada Lovelace_12_assignsubmission_onlinetext_", "onlinetext.html")
    with opened(root, kind) as export:
        assert list(export.submissions()) == [
            Submission("Ada Lovelace_12", (Submitter("Ada Lovelace", "Participant 12"),)),
            Submission("Bob O_Neil_7", (Submitter("Bob O_Neil", "Participant 7"),)),
            Submission("Cleo_9", (Submitter("Cleo", "Participant 9"),)),
        ]
        for submission in export.submissions():
            assert staged(export, submission.name, tmp_path) == BOTH
        assert export.not_graded == [
            NotGraded(
                "Ada Lovelace_12_assignsubmission_onlinetext_",
                "not a file that a student handed in",
            )
        ]


@KINDS
def test_moodle_export_without_folders(tmp_path: Path, kind: str) -> None:
    """File names start with the student, who may have several files."""
    root = tmp_path / "Homework"
    write_zip(root / f"Ada_12{MOODLE}submission.zip", *WANTED)
    write(root, f"Bob_7{MOODLE}gan.py", f"Bob_7{MOODLE}flow_network.py", f"Bob_7{MOODLE}x.pdf")
    with opened(root, kind) as export:
        assert [s.name for s in export.submissions()] == ["Ada_12", "Bob_7"]
        assert staged(export, "Ada_12", tmp_path) == BOTH
        assert staged(export, "Bob_7", tmp_path) == BOTH


def test_a_class_of_one_on_moodle_keeps_the_name(tmp_path: Path) -> None:
    """The only folder is a submission, not a wrapping folder."""
    write_zip(tmp_path / f"Ada_12{MOODLE}" / "submission.zip", *WANTED)
    with open_export(tmp_path, WANTED) as export:
        assert [s.name for s in export.submissions()] == ["Ada_12"]


# ---- Canvas -----------------------------------------------------------------------------------


@KINDS
def test_canvas_download_is_grouped_by_student(tmp_path: Path, kind: str) -> None:
    """LATE is read; a student's loose files are one submission; the latest version counts."""
    root = tmp_path / "submissions"
    write_zip(root / "lovelaceada_LATE_12_900_submission.zip", *WANTED)
    write(root, "babbagecharles_7_901_gan.py", "babbagecharles_7_902_flow_network.py")
    write_zip(root / "wei_8_905_hw-1.zip", *WANTED)
    write_zip(root / "wei_8_904_hw-2.zip", *WANTED)
    write(root, "wei_8_906_report.pdf", "li_5_910_gan-2.py", "li_5_911_gan.py")
    write(root, "li_5_912_flow_network.py", "grades.csv")
    with opened(root, kind) as export:
        assert list(export.submissions()) == [
            Submission("babbagecharles_7", (Submitter("babbagecharles", "7"),)),
            Submission("li_5", (Submitter("li", "5"),)),
            Submission("lovelaceada_12", (Submitter("lovelaceada", "12"),), late="late"),
            Submission("wei_8", (Submitter("wei", "8"),)),
        ]
        assert {s.name: staged(export, s.name, tmp_path) for s in export.submissions()} == (
            dict.fromkeys(("babbagecharles_7", "li_5", "lovelaceada_12", "wei_8"), BOTH)
            | {"li_5": {**BOTH, "codebase/gan.py": "# n-2.py\n"}}
        )
        again = "an earlier version of a file that was replaced"
        assert [(each.name, each.reason) for each in export.not_graded][1:] == [
            ("li_5_911_gan.py", again),
            ("wei_8_905_hw-1.zip", again),
        ]
        assert export.not_graded[0].name == "grades.csv"


def test_zips_with_dates_in_their_names_are_not_a_canvas_download(tmp_path: Path) -> None:
    """Canvas has one flat folder."""
    write(tmp_path / "bob", *WANTED)
    write_zip(tmp_path / "ada_2026_11_20.zip", *WANTED)
    with open_export(tmp_path, WANTED) as export:
        assert [s.name for s in export.submissions()] == ["ada_2026_11_20.zip", "bob"]


# ---- Gradescope -------------------------------------------------------------------------------

METADATA = """\
submission_12:
  :submitters:
  - :name: Ada
  :created_at: 2026-11-21 01:04:59.123456789 Z
submission_7:
  :submitters:
  - :name: Bob
  :created_at: 2026-11-20T22:59:00Z
"""


@KINDS
def test_gradescope_export_inside_any_wrapping_folders(tmp_path: Path, kind: str) -> None:
    """The metadata is found and names the students."""
    root = tmp_path / "assignment_1_export"
    write(root / "submission_12", *WANTED)
    write(root / "submission_7", *WANTED)
    (root / "submission_metadata.yml").write_text(METADATA, encoding="utf-8")
    (root / "readme.txt").write_text("x", encoding="utf-8")
    with opened(root, kind) as export:
        assert [s.submitters[0].name for s in export.submissions()] == ["Ada", "Bob"]
        assert staged(export, "submission_7", tmp_path) == BOTH
        assert [each.name for each in export.not_graded] == ["readme.txt"]


def test_lateness_is_the_time_since_the_deadline(tmp_path: Path) -> None:
    """In hours, minutes and seconds as in Gradescope's own table, with time zones."""
    write(tmp_path / "submission_12", *WANTED)
    (tmp_path / "submission_metadata.yml").write_text(METADATA, encoding="utf-8")
    with open_export(tmp_path, WANTED, moment("2026-11-20 23:59 +0100")) as export:
        ada, bob = export.submissions()
    assert (ada.late, bob.late) == ("2:05:59", "")
    assert bob.handed_in == "2026-11-20T22:59:00Z"


@pytest.mark.parametrize("text", ["", "2026-11-20 23:59", "2026-02-31 10:00 Z", "tomorrow"])
def test_a_time_without_a_zone_is_not_read(text: str) -> None:
    """An error of ten hours would mark the wrong students as late."""
    assert moment(text) is None


def test_a_student_cannot_fake_the_export_s_metadata(tmp_path: Path) -> None:
    """Metadata counts only in the folder of the submissions."""
    for name in ("submission_1", "submission_2"):
        write(tmp_path / name, *WANTED)
    (tmp_path / "submission_1" / "submission_metadata.yml").write_text("x: {}\n")
    with open_export(tmp_path, WANTED) as export:
        assert [s.name for s in export.submissions()] == ["submission_1", "submission_2"]
    shutil.rmtree(tmp_path / "submission_2")
    with open_export(tmp_path, WANTED) as export:
        assert [s.name for s in export.submissions()] == ["submission_1"]


def test_a_zip_inside_a_gradescope_submission_is_refused(tmp_path: Path) -> None:
    """A class is graded as on Gradescope."""
    write_zip(tmp_path / "submission_12" / "inner.zip", *WANTED)
    (tmp_path / "submission_metadata.yml").write_text(METADATA, encoding="utf-8")
    with open_export(tmp_path, WANTED) as export:
        assert "archive inside" in staged(export, "submission_12", tmp_path)[""]


# ---- any other ----------------------------------------------------------------------------------


@KINDS
def test_archives_of_other_kinds_are_refused_submissions(tmp_path: Path, kind: str) -> None:
    """They belong to students, so they are listed; staging gives the reason."""
    root = write(tmp_path / "class" / "ada", *WANTED).parent
    (root / "bob.tar.gz").write_bytes(b"\x1f\x8b\x08")
    (root / "cleo.rar").write_bytes(b"Rar!\x1a\x07")
    with opened(root, kind) as export:
        names = [s.name for s in export.submissions()]
        assert names == ["ada", "bob.tar.gz", "cleo.rar"]
        assert "is a gzip file" in staged(export, "bob.tar.gz", tmp_path)[""]
        assert "is a RAR archive" in staged(export, "cleo.rar", tmp_path)[""]


def test_loose_files_and_an_archive_complete_each_other(tmp_path: Path) -> None:
    """One loose file and one in a zip are both found; with both files loose a zip is not read.

    A zip counts as a folder, so staging takes the files that are together.
    """
    one = write(tmp_path / "class" / "one", "gan.py", "report.pdf")
    write_zip(one / "flow.zip", "codebase/flow_network.py")
    both = write(tmp_path / "class" / "two", *WANTED)
    write_zip(both / "backup.zip", *WANTED, text="# older\n")
    differing = write(tmp_path / "class" / "three", "gan.py")
    write_zip(differing / "all.zip", *WANTED, text="# older\n")
    with open_export(tmp_path / "class", WANTED) as export:
        assert staged(export, "one", tmp_path) == BOTH
        assert staged(export, "two", tmp_path) == BOTH
        assert set(staged(export, "three", tmp_path).values()) == {"# older\n"}


@KINDS
def test_a_damaged_zip_in_a_folder_is_refused_as_such(tmp_path: Path, kind: str) -> None:
    """Its bytes are sent as they are."""
    root = tmp_path / "class"
    write(root / f"Ada_1{MOODLE}", "report.pdf")
    (root / f"Ada_1{MOODLE}" / "submission.zip").write_bytes(b"PK\3\4 cut short")
    with opened(root, kind) as export:
        assert "is a damaged zip" in staged(export, "Ada_1", tmp_path)[""]


def test_a_huge_zip_in_a_zipped_export_is_not_the_student_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not unpacked, and the message says what to do."""
    monkeypatch.setattr("autograder.engine.batch.trees._MOST_INNER_BYTES", 10)
    root = tmp_path / "class"
    write_zip(root / f"Ada_1{MOODLE}" / "submission.zip", *WANTED)
    with (
        opened(root, "zip") as export,
        pytest.raises(UnreadableSubmission, match="unzip the export and pass the folder"),
    ):
        export.payload("Ada_1", WANTED)
