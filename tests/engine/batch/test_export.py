"""The export of a class: its students, and the payloads of its submissions."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.engine.batch.export import NothingHandedIn, open_export
from autograder.engine.batch.metadata import ExportError, Submitter, read_metadata
from autograder.engine.batch.payload import UnreadableSubmission, hash_of, pack
from autograder.engine.submission.entries import InvalidSubmission
from autograder.engine.submission.staging import stage

WANTED = ("codebase/flow_network.py", "codebase/gan.py")
ROOT = Path(__file__).resolve().parents[3]
TEMPLATE = ROOT / "student_template"
METADATA = """\
---
submission_12:
  :submitters:
  - :name: Ada Lovelace
    :sid: '0012'
    :email: ada@example.org
  - :name: "Charles \\u202e Babbage"
    :sid: 77
    :email:
  :created_at: 2026-01-01 10:00:00.000000000 Z
  :score: 3.5
  :history:
  - :score: 1.0
submission_7:
  :submitters:
  - :name: No
    :sid: &number 010
    :email: !binary bsO2QGV4YW1wbGUub3Jn
submission_8:
  :submitters:
  - :name: !ruby/object:Evil
      x: 1
    :sid: *number
"""


def submitters_of(text: str) -> dict[str, tuple[Submitter, ...]]:
    """The students in a metadata file, by folder."""
    entries = read_metadata(io.BytesIO(text.encode()), "submission_metadata.yml")
    return {name: handed.submitters for name, handed in entries}


def filled(folder: Path, text: str = "x = 1\n") -> Path:
    """A folder with the wanted files."""
    for name in WANTED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def gradescope(tmp_path: Path) -> Path:
    """A Gradescope export with three submissions, one of which has no folder."""
    root = tmp_path / "assignment_1_export"
    for name in ("submission_12", "submission_7", "submission_99"):
        filled(root / name)
    (root / "submission_metadata.yml").write_text(METADATA, encoding="utf-8")
    return root


# ---- students ----------------------------------------------------------------------------------


def test_a_group_is_several_students_of_one_folder() -> None:
    """Numbers keep their zeros, missing fields are empty."""
    ada, charles = submitters_of(METADATA)["submission_12"]
    assert ada == Submitter("Ada Lovelace", "0012", "ada@example.org")
    assert (charles.sid, charles.email) == ("77", "")


def test_every_scalar_stays_text() -> None:
    """A student called No, an octal number, Ruby's binary text."""
    assert submitters_of(METADATA)["submission_7"] == (Submitter("No", "010", "nö@example.org"),)


def test_a_ruby_object_is_not_created_and_an_alias_is_followed() -> None:
    """Tags are ignored; an object is not a name."""
    assert submitters_of(METADATA)["submission_8"] == (Submitter("", "010", ""),)


def test_metadata_that_is_not_yaml_is_refused_with_its_line() -> None:
    """The error has the line, and how to grade without names."""
    with pytest.raises(ExportError, match=r"(?s)cannot be read.*line 3.*grade without names"):
        submitters_of("a:\n  - b: [\n")


def test_metadata_that_is_a_list_is_refused() -> None:
    """A mapping from folders is expected."""
    with pytest.raises(ExportError, match="must be a mapping"):
        submitters_of("- a\n- b\n")


def test_metadata_that_is_nested_too_deeply_is_refused() -> None:
    """The limit is below that of Python's stack."""
    with pytest.raises(ExportError, match="more than 50 levels"):
        submitters_of("a: " + "[" * 400 + "]" * 400 + "\n")


# ---- where ------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
def test_gradescope_export_is_read_as_folder_and_as_zip(tmp_path: Path, packed: bool) -> None:
    """First the metadata's order, then other folders; the payloads are the same."""
    root = gradescope(tmp_path)
    path = tmp_path
    if packed:
        path = Path(shutil.make_archive(str(tmp_path / "export"), "zip", tmp_path, root.name))
    with open_export(path, WANTED) as export:
        found = [submission.name for submission in export.submissions()]
        assert found == ["submission_12", "submission_7", "submission_8", "submission_99"]
        assert hash_of(export.payload("submission_7", WANTED)) == hash_of(
            pack(root / "submission_7", WANTED)
        )
        with pytest.raises(NothingHandedIn, match="contains no file from submission_8"):
            export.payload("submission_8", WANTED)


def test_a_folder_of_folders_and_zips_is_a_class(tmp_path: Path) -> None:
    """Each folder or zip is a submission; other entries are listed, but not litter."""
    filled(tmp_path / "ada")
    shutil.make_archive(str(tmp_path / "bob"), "zip", filled(tmp_path.parent / f"{tmp_path.name}b"))
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "gan.py").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / ".DS_Store").touch()
    with open_export(tmp_path, WANTED) as export:
        assert [s.name for s in export.submissions()] == ["ada", "bob.zip"]
        by_itself = "a file by itself: put the files of each student into a folder or a zip"
        assert [(each.name, each.reason) for each in export.not_graded] == [
            ("gan.py", by_itself),
            ("notes.txt", by_itself),
            ("pipe", "neither a folder nor a file"),
        ]
        assert export.payload("ada", WANTED) == export.payload("bob.zip", WANTED)


def test_metadata_cannot_name_a_folder_outside_of_the_export(tmp_path: Path) -> None:
    """A name with a slash is not a folder of the export."""
    root = gradescope(tmp_path)
    (root / "submission_metadata.yml").write_text("../../etc:\n  :submitters: []\n")
    with open_export(root, WANTED) as export:
        assert "../../etc" not in [s.name for s in export.submissions()]


def test_a_missing_export_is_refused(tmp_path: Path) -> None:
    """A folder or a zip is expected."""
    with pytest.raises(ExportError, match="no export at"), open_export(tmp_path / "no", WANTED):
        pass


def test_an_empty_export_is_refused(tmp_path: Path) -> None:
    """A folder without submissions is probably the wrong one."""
    with pytest.raises(ExportError, match="contains no submission"), open_export(tmp_path, WANTED):
        pass


def test_a_damaged_export_is_refused(tmp_path: Path) -> None:
    """A download may be incomplete."""
    (tmp_path / "export.zip").write_bytes(b"PK\3\4 cut")
    with (
        pytest.raises(ExportError, match="download the export again"),
        open_export(tmp_path / "export.zip", WANTED),
    ):
        pass


# ---- payloads ----------------------------------------------------------------------------------


def staging_of(source: Path, tmp_path: Path) -> str:
    """The result of staging: files and notes, or the refusal."""
    place = tmp_path / f"staged-{len(list(tmp_path.iterdir()))}"
    try:
        staged = stage(source, place, wanted=WANTED, pristine=TEMPLATE)
    except InvalidSubmission as error:
        return str(error).replace(str(source), "SOURCE")
    return f"{staged.sha256} {staged.found} {staged.notes}"


def make_link(folder: Path) -> None:
    (folder / "codebase" / "gan.py").unlink()
    (folder / "codebase" / "gan.py").symlink_to("/etc/passwd")


def make_fifo(folder: Path) -> None:
    (folder / "codebase" / "gan.py").unlink()
    os.mkfifo(folder / "codebase" / "gan.py")


def make_large(folder: Path) -> None:
    (folder / "codebase" / "gan.py").write_bytes(bytes(2_000_000))


def make_many(folder: Path) -> None:
    for i in range(10_001):
        (folder / str(i)).touch()


def make_odd(folder: Path) -> None:
    (folder / "C:\\..\\evil.py").write_text("x")
    (folder / "\u202e.py").write_text("x")
    (folder / os.fsdecode(b"\xff.py")).write_text("x")


def make_empty(folder: Path) -> None:
    shutil.rmtree(folder / "codebase")


def make_wrapped(folder: Path) -> None:
    (folder / "codebase").rename(folder / "hw3")
    (folder / "hw3" / "extra.py").write_text("x")


@pytest.mark.parametrize(
    "spoil",
    [make_link, make_fifo, make_large, make_many, make_empty, make_wrapped],
    ids=lambda make: make.__name__,
)
def test_a_payload_is_staged_like_its_submission(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """With the same files, notes and refusals."""
    folder = filled(tmp_path / "submission")
    spoil(folder)
    (tmp_path / "payload.zip").write_bytes(pack(folder, WANTED))
    result = staging_of(tmp_path / "payload.zip", tmp_path)
    assert result == staging_of(folder, tmp_path)


def test_odd_names_in_a_folder_are_packed(tmp_path: Path) -> None:
    """A drive letter, a path upwards, bytes that are not text."""
    folder = filled(tmp_path / "submission")
    make_odd(folder)
    (tmp_path / "payload.zip").write_bytes(pack(folder, WANTED))
    assert "('codebase/flow_network.py', 'codebase/gan.py')" in staging_of(
        tmp_path / "payload.zip", tmp_path
    )


@pytest.mark.parametrize("content", [b"", b"PK\3\4 cut short", b"Rar!", b"no zip at all"])
def test_a_refused_zip_is_sent_as_it_is(tmp_path: Path, content: bytes) -> None:
    """Staging gives the student the reason."""
    (tmp_path / "submission.zip").write_bytes(content)
    assert pack(tmp_path / "submission.zip", WANTED) == content


def test_a_payload_has_no_pictures(tmp_path: Path) -> None:
    """Only wanted files have content; the same submission always gives the same bytes."""
    folder = filled(tmp_path / "submission", "x = 1\n" * 1000)
    before = pack(folder, WANTED)
    (folder / "samples.png").write_bytes(os.urandom(500_000))
    assert len(pack(folder, WANTED)) < len(before) + 500
    os.utime(folder / "codebase" / "gan.py", (1, 1))
    (folder / "samples.png").unlink()
    assert pack(folder, WANTED) == before
    (folder / "codebase" / "gan.py").write_text("x = 2\n")
    assert hash_of(pack(folder, WANTED)) != hash_of(before)


def test_a_missing_submission_is_not_the_student_s_fault(tmp_path: Path) -> None:
    """It is an error, not a refusal."""
    with pytest.raises(UnreadableSubmission, match="There is no submission"):
        pack(tmp_path / "gone", WANTED)


def test_a_huge_refused_zip_is_not_sent(tmp_path: Path) -> None:
    """The limit is 32 MiB."""
    with (tmp_path / "huge.zip").open("wb") as file:
        file.truncate(33 * 1024 * 1024)
    with pytest.raises(UnreadableSubmission, match="more than 32 MiB"):
        pack(tmp_path / "huge.zip", WANTED)


def test_a_damaged_file_in_the_export_is_not_the_student_s_fault(tmp_path: Path) -> None:
    """A broken download must not cost a student points."""
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("submission_1/codebase/gan.py", "x = 1\n" * 100)
    data = bytearray(path.read_bytes())
    data[60:70] = b"##########"
    path.write_bytes(data)
    with (
        open_export(path, WANTED) as export,
        pytest.raises(UnreadableSubmission, match="damaged inside the export"),
    ):
        export.payload("submission_1", WANTED)
