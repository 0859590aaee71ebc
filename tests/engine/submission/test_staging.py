"""Intake takes what students really hand in, and refuses the rest with one clear error."""

from __future__ import annotations

import hashlib
import os
import random
import re
import socket
import stat
from pathlib import Path

import pytest

from autograder.engine.submission.encoding import SAVE_AS_UTF8
from autograder.engine.submission.entries import SubmissionLimits
from autograder.engine.submission.staging import stage
from tests.engine.submission.made_submissions import (
    BOTH,
    FLOW,
    GAN,
    WANTED,
    Files,
    Make,
    as_folder,
    as_zip,
    either,
    make_folder,
    make_zip,
    refused,
    refused_in_time,
    take,
)

# ---- what is taken ---------------------------------------------------------------------------


@either
@pytest.mark.parametrize(
    "layout",
    [
        ("codebase/flow_network.py", "codebase/gan.py"),
        ("flow_network.py", "gan.py"),
        ("hw3/codebase/flow_network.py", "hw3/codebase/gan.py"),
        ("hw3/flow_network.py", "hw3/gan.py"),
        ("Codebase\\flow_network.py", "Codebase\\gan.py"),
        ("codebase\\flow_network.py", "codebase\\gan.py"),
        ("codebase/flow_network.py", "gan.py"),
        ("hw3 (1)/codebase/flow_network.py", "hw3 (1)/gan.py"),
        ("repo-main/hw3/codebase/flow_network.py", "repo-main/hw3/codebase/gan.py"),
        ("a/b/c/d/e/f/flow_network.py", "a/b/c/d/e/f/gan.py"),
    ],
)
def test_every_usual_layout_is_taken(
    tmp_path: Path, pristine: Path, make: Make, layout: tuple[str, str]
) -> None:
    """Under codebase/ or not, at the root or below any folders; backslashes too."""
    source = make(tmp_path, dict(zip(layout, BOTH.values(), strict=True)))
    staged = take(source, pristine)
    assert staged.root == tmp_path / "staged"
    assert staged.found == WANTED
    assert staged.missing == ()
    assert (staged.root / FLOW).read_bytes() == BOTH[FLOW]
    assert (staged.root / GAN).read_bytes() == BOTH[GAN]


def test_a_zip_with_dot_slash_names_is_taken(tmp_path: Path, pristine: Path) -> None:
    """Some tools write ./codebase/gan.py and list the folders too."""
    names = [("./", b""), ("./codebase/", b""), ("./codebase/gan.py", b"x"), ("./" + FLOW, b"y")]
    assert take(make_zip(tmp_path / "s.zip", names), pristine).found == WANTED


@either
def test_the_rest_comes_from_the_pristine_tree(tmp_path: Path, pristine: Path, make: Make) -> None:
    """A student's network.py, conftest.py or sitecustomize.py is never staged."""
    extras = {
        "codebase/network.py": b"evil = 1\n",
        "codebase/__init__.py": b"evil = 1\n",
        "codebase/helpers.py": b"evil = 1\n",
        "codebase/__pycache__/gan.cpython-310.pyc": b"evil",
        "conftest.py": b"evil = 1\n",
        "sitecustomize.py": b"evil = 1\n",
        "maf/samples_epoch50.png": b"\x89PNG",
    }
    staged = take(make(tmp_path, {**BOTH, **extras}), pristine)
    held = {p.relative_to(staged.root).as_posix() for p in staged.root.rglob("*") if p.is_file()}
    assert held == {FLOW, GAN, "codebase/__init__.py", "codebase/network.py"}
    assert (staged.root / "codebase/network.py").read_text() == "# pristine network.py\n"
    [note] = staged.notes
    assert "ignored: 'codebase/helpers.py', 'conftest.py', 'sitecustomize.py'." in note


@either
def test_a_missing_file_is_said_and_its_stub_is_not_put_there(
    tmp_path: Path, pristine: Path, make: Make
) -> None:
    """One file alone can be graded; the other's place stays empty."""
    staged = take(make(tmp_path, {GAN: b"x", "codebase/Flow_Network (1).py": b"y"}), pristine)
    assert staged.found == (GAN,)
    assert staged.missing == (FLOW,)
    assert not (staged.root / FLOW).exists()
    assert (
        f"{FLOW} is not in the submission. Similar names: 'codebase/Flow_Network (1).py'."
        in staged.notes
    )


@either
def test_macos_litter_is_ignored(tmp_path: Path, pristine: Path, make: Make) -> None:
    """__MACOSX, ._files and .DS_Store are neither candidates nor worth a word."""
    litter = {
        "__MACOSX/codebase/._gan.py": b"litter",
        "__MACOSX/codebase/gan.py": b"litter",
        "__MACOSX/gan.py": b"litter",
        "codebase/._gan.py": b"litter",
        "codebase/.DS_Store": b"litter",
        ".DS_Store": b"litter",
    }
    staged = take(make(tmp_path, {**BOTH, **litter}), pristine)
    assert (staged.root / GAN).read_bytes() == BOTH[GAN]
    assert staged.notes == ()


@either
def test_a_dot_folder_is_no_wrapping_folder(tmp_path: Path, pristine: Path, make: Make) -> None:
    """An editor's backup under a hidden folder is not a second version."""
    staged = take(make(tmp_path, {**BOTH, ".history/gan.py": b"old"}), pristine)
    assert (staged.root / GAN).read_bytes() == BOTH[GAN]


@either
def test_two_identical_copies_are_one(tmp_path: Path, pristine: Path, make: Make) -> None:
    """A file that lies in two places is no riddle when both say the same."""
    staged = take(make(tmp_path, {**BOTH, "gan.py": BOTH[GAN], "a/gan.py": BOTH[GAN]}), pristine)
    assert staged.found == WANTED
    assert staged.notes == ()


@either
def test_a_file_from_another_place_is_noted(tmp_path: Path, pristine: Path, make: Make) -> None:
    """Who reads the result can see which file was graded."""
    staged = take(make(tmp_path, {"a/flow_network.py": b"x", "b/gan.py": b"y"}), pristine)
    assert staged.notes == (
        f"{FLOW} was taken from 'a/flow_network.py'.",
        f"{GAN} was taken from 'b/gan.py'.",
    )


@either
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("x = 1".encode("utf-16"), "is saved as UTF-16, not as UTF-8"),
        (b"x\n = 1\0", "contains NUL bytes (the first is in line 2), so it is not UTF-8"),
        ("x = 1".encode("utf-16-le"), "contains NUL bytes (the first is in line 1), so it is not"),
        (b"x = 1\n# caf\xe9", "is not UTF-8 (see line 2)"),
        (b"# coding: utf-8\n# caf\xe9", "is not UTF-8 (see line 2)"),
    ],
)
def test_odd_encodings_stay_as_they_are_and_are_noted(
    tmp_path: Path, pristine: Path, make: Make, content: bytes, fault: str
) -> None:
    """The worker finds out what Python makes of it; the student reads why, and what to do."""
    staged = take(make(tmp_path, {**BOTH, GAN: content}), pristine)
    assert (staged.root / GAN).read_bytes() == content
    [note] = staged.notes
    assert note.startswith(f"{GAN} {fault}")
    assert note.endswith(SAVE_AS_UTF8)


@either
def test_a_line_that_names_the_encoding_is_enough(
    tmp_path: Path, pristine: Path, make: Make
) -> None:
    """Python reads such a file, so there is nothing to say."""
    content = b"#!/usr/bin/env python\n# -*- coding: latin-1 -*-\n# caf\xe9"
    assert take(make(tmp_path, {**BOTH, GAN: content}), pristine).notes == ()


@either
@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("codebase/gan.ipynb", "There is a notebook, 'codebase/gan.ipynb', but notebooks are not"),
        ("homework.ipynb", "There is a notebook, 'homework.ipynb', but notebooks are not graded"),
        ("rest.tar.gz", "There is an archive, 'rest.tar.gz', but archives are not opened: submit"),
    ],
)
def test_a_notebook_or_archive_in_place_of_a_file_is_named(
    tmp_path: Path, pristine: Path, make: Make, name: str, hint: str
) -> None:
    """Who sees 0 points for gan.py learns that the notebook is why."""
    staged = take(make(tmp_path, {FLOW: b"x", name: b"{}"}), pristine)
    assert staged.missing == (GAN,)
    assert f"{GAN} is not in the submission. {hint}" in staged.notes[0]


@either
def test_a_file_of_exactly_the_limit_is_taken(tmp_path: Path, pristine: Path, make: Make) -> None:
    """The limit is the most that is allowed, and one byte more is refused."""
    limits = SubmissionLimits(max_file_bytes=70_000)
    content = random.Random(0).randbytes(70_000)
    staged = take(make(tmp_path, {**BOTH, GAN: content}), pristine, limits)
    assert (staged.root / GAN).read_bytes() == content


@either
def test_the_hash_is_of_names_and_contents_only(tmp_path: Path, pristine: Path, make: Make) -> None:
    """The same two files give the same hash wherever they lie, other files another."""
    plain = take(make(tmp_path, BOTH), pristine).sha256
    expected = hashlib.sha256()
    for name, content in BOTH.items():
        expected.update(f"{name}\0{len(content)}\0".encode() + content)
    assert plain == expected.hexdigest()
    other = tmp_path / "other"
    other.mkdir()
    wrapped = make(other, {f"hw/{k}": v for k, v in BOTH.items()} | {"hw/notes.txt": b"x"})
    again = stage(wrapped, other / "staged", wanted=WANTED, pristine=pristine)
    assert again.sha256 == plain
    swapped = make_zip(tmp_path / "swapped.zip", [(FLOW, BOTH[GAN]), (GAN, BOTH[FLOW])])
    assert stage(swapped, other / "s2", wanted=WANTED, pristine=pristine).sha256 != plain


@either
def test_staged_files_can_be_read_by_all_and_written_by_none_but_the_owner(
    tmp_path: Path, pristine: Path, make: Make
) -> None:
    """An unprivileged worker reads them whatever the umask and the submission's own modes."""
    source = make(tmp_path, BOTH)
    if source.is_dir():
        (source / GAN).chmod(0o777)
    before = os.umask(0o077)
    try:
        staged = take(source, pristine)
    finally:
        os.umask(before)
    for path in (staged.root, *staged.root.rglob("*")):
        expected = 0o755 if path.is_dir() else 0o644
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_a_destination_that_exists_and_is_empty_is_used(tmp_path: Path, pristine: Path) -> None:
    """The supervisor makes the folder beforehand."""
    (tmp_path / "staged").mkdir(mode=0o700)
    assert take(as_folder(tmp_path, BOTH), pristine).found == WANTED


def test_a_destination_with_something_in_it_is_refused(tmp_path: Path, pristine: Path) -> None:
    """A stale file could be imported in place of the student's."""
    make_folder(tmp_path / "staged", {"codebase/gan.pyc": b"stale"})
    with pytest.raises(ValueError, match=r"destination '.*staged' must be empty, and is not"):
        take(as_folder(tmp_path, BOTH), pristine)


def test_a_pristine_tree_without_the_folder_is_the_installations_fault(
    tmp_path: Path, pristine: Path
) -> None:
    """The student is not blamed for a broken installation."""
    with pytest.raises(FileNotFoundError, match=r"pristine tree '.*' has no 'codebase' folder"):
        take(as_folder(tmp_path, BOTH), pristine / "codebase")


# ---- nothing to grade ------------------------------------------------------------------------


@either
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"hw3.ipynb": b"{}"}, r"Found: 'hw3\.ipynb'\. Notebooks are not graded"),
        ({"writeup.pdf": b"%PDF"}, r"Found: 'writeup\.pdf'\. Written answers are not graded here"),
        ({"Gan.py": b"x", "z.pdf": b""}, r"Found: 'Gan\.py', 'z\.pdf'\. File names must match e"),
        ({"codebase/gan.py.txt": b"x"}, r"Found: 'codebase/gan\.py\.txt', 'codebase/'\. File nam"),
        ({"submission.zip": b"PK"}, r"Found: 'submission\.zip'\. There is an archive inside"),
        ({"venv/gan.py": b"x", "a.c": b""}, r"Found: .*Files in hidden folders, caches and env"),
        ({f"{i}.png": b"x" for i in range(9)}, r"Found: '0\.png', .*'4\.png' and 4 more\. Run mak"),
    ],
)
def test_without_any_wanted_file_the_message_says_what_was_found(
    tmp_path: Path, pristine: Path, make: Make, files: Files, expected: str
) -> None:
    """Expected names, names found, and a hint where there is one."""
    if make is as_zip:
        expected = expected.replace(", 'codebase/'", "")
    message = refused(make(tmp_path, files), pristine, expected)
    assert f"Expected: {FLOW} and {GAN}, as in the template." in message
    assert "make_submission.py" in message


@either
def test_an_empty_submission_is_said_to_be_empty(
    tmp_path: Path, pristine: Path, make: Make
) -> None:
    """A submission without any file gets its own message."""
    refused(make(tmp_path, {}), pristine, f"The submission is empty. Expected: {FLOW} and {GAN}")


def test_no_submission_at_all(tmp_path: Path, pristine: Path) -> None:
    """A path that is not there is named."""
    refused(tmp_path / "nothing.zip", pristine, r"no submission at '.*nothing\.zip'")


def test_a_fifo_as_submission_does_not_hang(tmp_path: Path, pristine: Path) -> None:
    """Neither a folder nor a file; refused at once."""
    os.mkfifo(tmp_path / "submission")
    refused_in_time(tmp_path / "submission", pristine, "is a fifo: a folder or zip is expected")


def test_a_socket_as_submission_is_an_error(tmp_path: Path, pristine: Path) -> None:
    """What cannot even be opened is named with the system's reason."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        refused(tmp_path / "s", pristine, r"'.*s' cannot be read: No such device")


def test_names_in_messages_are_escaped_and_cut(tmp_path: Path, pristine: Path) -> None:
    """A file name cannot paint on a terminal or flood a page."""
    names = {"\x1b[2J\u202e.txt": b"", "n" * 200: b"", os.fsdecode(b"\xff.txt"): b""}
    message = refused(as_folder(tmp_path, names), pristine, re.escape(r"'\x1b[2J\u202e.txt'"))
    assert r"'\udcff.txt'" in message
    assert "n" * 28 + "..." + "n" * 46 + "'" in message
    assert "n" * 76 not in message
