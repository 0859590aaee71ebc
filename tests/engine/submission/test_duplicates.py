"""Which copy of a file is taken where a submission has several, and when none is."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.engine.submission.entries import SubmissionLimits
from tests.engine.submission.made_submissions import (
    BOTH,
    FLOW,
    GAN,
    WANTED,
    Make,
    either,
    make_zip,
    refused,
    take,
)


@either
@pytest.mark.parametrize("other", ["gan.py", "old/gan.py", "old/codebase/gan.py", "old\\gan.py"])
def test_the_copy_in_the_templates_place_is_taken(
    tmp_path: Path, pristine: Path, make: Make, other: str
) -> None:
    """An older copy elsewhere costs nothing, and the note names it."""
    staged = take(make(tmp_path, {**BOTH, other: b"other"}), pristine)
    assert (staged.root / GAN).read_bytes() == BOTH[GAN]
    shown = other.replace("\\", "/")
    assert f"{GAN} was taken from '{GAN}'; other copies are ignored: '{shown}'." in staged.notes


@either
@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("codebase", "a/codebase"),
        ("codebase", ""),
        ("hw3/codebase", "hw3/old/codebase"),
        ("z/codebase", "a/b/codebase"),
        ("hw3/codebase", "hw3"),
        ("hw3", "hw3/old"),
    ],
)
def test_the_templates_folder_counts_before_the_depth(
    tmp_path: Path, pristine: Path, make: Make, better: str, worse: str
) -> None:
    """Of two differing pairs, one rule says which is graded, and it is graded as a pair."""
    files = {f"{better}/{name}".lstrip("/"): b"better" for name in ("gan.py", "flow_network.py")}
    files |= {f"{worse}/{name}".lstrip("/"): b"worse" for name in ("gan.py", "flow_network.py")}
    staged = take(make(tmp_path, files), pristine)
    assert [(staged.root / name).read_bytes() for name in WANTED] == [b"better", b"better"]
    assert len(staged.notes) == 2


@either
def test_both_files_come_from_one_folder_where_one_has_both(
    tmp_path: Path, pristine: Path, make: Make
) -> None:
    """A lone gan.py of another exercise, in a better place, is not mixed into a whole pair."""
    pair = {f"course/hw3/{name}": content for name, content in BOTH.items()}
    staged = take(make(tmp_path, {**pair, "hw1/codebase/gan.py": b"another"}), pristine)
    assert [(staged.root / name).read_bytes() for name in WANTED] == list(BOTH.values())
    assert any("'hw1/codebase/gan.py'" in note for note in staged.notes)


@either
def test_two_versions_in_equal_places_are_refused(
    tmp_path: Path, pristine: Path, make: Make
) -> None:
    """Either could be the right one, so both are named."""
    files = {f"{folder}/{name}": b"x" for name in WANTED for folder in ("a", "b")}
    source = make(tmp_path, {**files, f"b/{GAN}": b"other"})
    refused(source, pristine, f"different versions of {GAN}: 'a/{GAN}' and 'b/{GAN}'")


@either
@pytest.mark.parametrize(
    "folder",
    ["venv", ".venv", "x/.git", "lib/site-packages", "node_modules", ".ipynb_checkpoints"],
)
def test_what_lies_in_caches_and_environments_is_ignored(
    tmp_path: Path, pristine: Path, make: Make, folder: str
) -> None:
    """Nobody wrote what lies there, so it is neither a copy nor worth a word."""
    wrapped = {f"repo/{name}": content for name, content in BOTH.items()}
    files = {f"{folder}/codebase/gan.py": b"other", f"{folder}/gan.py": b"", f"{folder}/q.py": b""}
    staged = take(make(tmp_path, {**wrapped, **files}), pristine)
    assert (staged.root / GAN).read_bytes() == BOTH[GAN]
    assert not any(folder in note for note in staged.notes)


@either
def test_the_public_checks_in_an_upload_of_the_whole_handout_are_not_mentioned(
    tmp_path: Path, pristine: Path, make: Make
) -> None:
    """They are ours, though one has a wanted name; a student's own extra file is mentioned."""
    checks = "grader/autograder/homework"
    files = {f"{checks}/experiments/gan.py": b"ours", f"{checks}/student.py": b"", "mine.py": b""}
    staged = take(make(tmp_path, {**BOTH, **files}), pristine)
    (note,) = staged.notes
    assert "'mine.py'" in note
    assert "grader" not in note


@either
@pytest.mark.parametrize(("folders", "taken"), [(3, True), (4, False)])
def test_files_below_the_greatest_depth_are_not_taken(
    tmp_path: Path, pristine: Path, make: Make, folders: int, taken: bool
) -> None:
    """The walk has a bound."""
    source = make(tmp_path, {"gan.py": b"x", "/".join(["f"] * folders) + "/flow_network.py": b"y"})
    staged = take(source, pristine, SubmissionLimits(max_depth=3))
    assert (FLOW in staged.found) is taken


def test_one_name_twice_in_a_zip_is_refused(tmp_path: Path, pristine: Path) -> None:
    """Tools disagree on whether the first or the last entry counts."""
    with pytest.warns(UserWarning, match="Duplicate name"):  # zipfile's own, about writing it
        twice = make_zip(tmp_path / "s.zip", [*BOTH.items(), (GAN, b"other")])
    refused(twice, pristine, f"different versions of {GAN}: '{GAN}' and '{GAN}'")


def test_thousands_of_copies_are_not_all_read(tmp_path: Path, pristine: Path) -> None:
    """Comparing ten thousand megabytes would cost minutes."""
    bomb = make_zip(tmp_path / "s.zip", [(f"{i}/gan.py", b"x") for i in range(50)])
    refused(bomb, pristine, "different versions of codebase/gan.py: '0/gan.py' and '1/gan.py'")
