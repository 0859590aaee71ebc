"""Intake takes what students really hand in, and refuses the rest with one clear error."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import random
import re
import socket
import stat
import struct
import threading
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from autograder.engine.intake import StagedSubmission, stage
from autograder.engine.listing import IntakeError, IntakeLimits

FLOW, GAN = "codebase/flow_network.py", "codebase/gan.py"
WANTED = (FLOW, GAN)
BOTH = {FLOW: b"flow = 1\n", GAN: b"gan = 1\n"}
MIB = 1024 * 1024

Files = Mapping[str, bytes]


@pytest.fixture
def pristine(tmp_path: Path) -> Path:
    """The template's tree: its stubs must never stand in for the student's files."""
    root = tmp_path / "pristine"
    (root / "codebase" / "__pycache__").mkdir(parents=True)
    for name in ("__init__.py", "network.py", "gan.py", "flow_network.py"):
        (root / "codebase" / name).write_text(f"# pristine {name}\n")
    (root / "codebase" / "__pycache__" / "network.pyc").write_bytes(b"")
    (root / "run_flow.py").write_text("# driver\n")
    return root


def take(source: Path, pristine: Path, limits: IntakeLimits | None = None) -> StagedSubmission:
    """Stage a submission beside the pristine tree."""
    destination = pristine.parent / "staged"
    return stage(
        source, destination, wanted=WANTED, pristine=pristine, limits=limits or IntakeLimits()
    )


def make_folder(root: Path, files: Files) -> Path:
    """Write files under a new folder."""
    root.mkdir()
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def make_zip(path: Path, files: Iterable[tuple[str | zipfile.ZipInfo, bytes]]) -> Path:
    """Write a zip, entry by entry; names may repeat."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            if isinstance(name, str):
                info = zipfile.ZipInfo("x")
                info.filename, name = name, info  # past the constructor, which changes names
            name.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(name, content)
    return path


def as_folder(tmp_path: Path, files: Files) -> Path:
    """The submission as Gradescope lays it out."""
    return make_folder(tmp_path / "submission", files)


def as_zip(tmp_path: Path, files: Files) -> Path:
    """The submission as make_submission.sh makes it."""
    return make_zip(tmp_path / "submission.zip", files.items())


either = pytest.mark.parametrize("make", [as_folder, as_zip])
Make = Callable[[Path, Files], Path]


def refused(source: Path, pristine: Path, match: str, limits: IntakeLimits | None = None) -> str:
    """Assert that a submission is refused with a message, and that nothing was staged."""
    with pytest.raises(IntakeError, match=match) as caught:
        take(source, pristine, limits)
    assert not (pristine.parent / "staged").exists()
    assert str(caught.value).isprintable()
    return str(caught.value)


def refused_in_time(source: Path, pristine: Path, match: str) -> None:
    """Like `refused`, for what might hang: fails after ten seconds instead."""
    ended: list[str] = []
    thread = threading.Thread(
        target=lambda: ended.append(refused(source, pristine, match)), daemon=True
    )
    thread.start()
    thread.join(10)
    assert ended, "intake hangs, or does not refuse as expected"


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
    ],
)
def test_every_usual_layout_is_taken(
    tmp_path: Path, pristine: Path, make: Make, layout: tuple[str, str]
) -> None:
    """Under codebase/, at the root, or either under one wrapping folder; backslashes too."""
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
        f"{FLOW} is not in the submission. Names like it: 'codebase/Flow_Network (1).py'."
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
    ("content", "note"),
    [
        ("x = 1".encode("utf-16"), "is saved as UTF-16"),
        (b"x = 1\0", "holds a NUL byte at offset 5"),
        (b"# caf\xe9", "is not UTF-8 at byte offset 5"),
    ],
)
def test_odd_encodings_stay_as_they_are_and_are_noted(
    tmp_path: Path, pristine: Path, make: Make, content: bytes, note: str
) -> None:
    """The worker finds out what Python makes of it; the student reads why."""
    staged = take(make(tmp_path, {**BOTH, GAN: content}), pristine)
    assert (staged.root / GAN).read_bytes() == content
    assert staged.notes == (f"{GAN} {note}: Python may refuse it. Save it as UTF-8.",)


@either
def test_a_file_of_exactly_the_limit_is_taken(tmp_path: Path, pristine: Path, make: Make) -> None:
    """The limit is the most that is allowed, and one byte more is refused."""
    limits = IntakeLimits(max_file_bytes=70_000)
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
    ("files", "said"),
    [
        ({"hw3.ipynb": b"{}"}, r"Found: 'hw3\.ipynb'\. Notebooks are not graded"),
        ({"writeup.pdf": b"%PDF"}, r"Found: 'writeup\.pdf'\. Written answers are not graded here"),
        ({"Gan.py": b"x", "z.pdf": b""}, r"Found: 'Gan\.py', 'z\.pdf'\. File names must be exac"),
        ({"codebase/gan.py.txt": b"x"}, r"Found: 'codebase/gan\.py\.txt', 'codebase/'\. File nam"),
        ({"submission.zip": b"PK"}, r"Found: 'submission\.zip'\. There is an archive inside"),
        ({"a/b/codebase/gan.py": b"x"}, r"Found: 'a/b/codebase/gan\.py'.*The files lie too deep"),
        ({f"{i}.png": b"x" for i in range(9)}, r"Found: '0\.png', .*'4\.png' and 4 more\. Run mak"),
    ],
)
def test_without_any_wanted_file_the_message_says_what_was_found(
    tmp_path: Path, pristine: Path, make: Make, files: Files, said: str
) -> None:
    """Expected names, found names, and a hint where one is apt."""
    if make is as_zip:
        said = said.replace("'codebase/gan\\.py\\.txt', 'codebase/'", "'codebase/gan\\.py\\.txt'")
    message = refused(make(tmp_path, files), pristine, said)
    assert f"Expected: {FLOW} and {GAN}, as in the template." in message
    assert "make_submission.sh" in message


@either
def test_an_empty_submission_is_said_to_be_empty(
    tmp_path: Path, pristine: Path, make: Make
) -> None:
    """No files at all is a case of its own."""
    refused(make(tmp_path, {}), pristine, f"The submission is empty. Expected: {FLOW} and {GAN}")


def test_no_submission_at_all(tmp_path: Path, pristine: Path) -> None:
    """A path that is not there is named."""
    refused(tmp_path / "nothing.zip", pristine, r"no submission at '.*nothing\.zip'")


def test_a_fifo_as_submission_does_not_hang(tmp_path: Path, pristine: Path) -> None:
    """Neither a folder nor a file: said at once."""
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
    assert "n" * 75 + "...'" in message
    assert "n" * 76 not in message


# ---- duplicates ------------------------------------------------------------------------------


@either
@pytest.mark.parametrize("other", ["gan.py", "old/gan.py", "old/codebase/gan.py", "old\\gan.py"])
def test_two_versions_of_a_file_are_refused(
    tmp_path: Path, pristine: Path, make: Make, other: str
) -> None:
    """Which one is meant cannot be known, so both are named."""
    message = refused(make(tmp_path, {**BOTH, other: b"other"}), pristine, "different versions")
    assert f"'{GAN}' and '{other}'".replace("\\", "/") in message


def test_one_name_twice_in_a_zip_is_refused(tmp_path: Path, pristine: Path) -> None:
    """Tools disagree on whether the first or the last entry counts."""
    with pytest.warns(UserWarning, match="Duplicate name"):  # zipfile's own, about writing it
        twice = make_zip(tmp_path / "s.zip", [*BOTH.items(), (GAN, b"other")])
    refused(twice, pristine, f"different versions of {GAN}: '{GAN}' and '{GAN}'")


def test_thousands_of_copies_are_not_all_read(tmp_path: Path, pristine: Path) -> None:
    """Comparing ten thousand megabytes would cost minutes."""
    bomb = make_zip(tmp_path / "s.zip", [(f"{i}/gan.py", b"x") for i in range(50)])
    refused(bomb, pristine, "different versions of codebase/gan.py: '0/gan.py' and '1/gan.py'")


# ---- folders ---------------------------------------------------------------------------------


def test_a_symlinked_file_is_refused(tmp_path: Path, pristine: Path) -> None:
    """A link to the grader's own source must not be read."""
    (tmp_path / "secret.py").write_text("canary")
    source = as_folder(tmp_path, {FLOW: b"x"})
    (source / GAN).symlink_to(tmp_path / "secret.py")
    message = refused(source, pristine, f"'{GAN}' is a symbolic link, but a plain file is expected")
    assert "canary" not in message


@pytest.mark.parametrize("where", ["codebase", "hw3/codebase"])
def test_a_symlinked_folder_is_refused(tmp_path: Path, pristine: Path, where: str) -> None:
    """Nothing is looked for behind a linked folder, even where the other file lies elsewhere."""
    outside = make_folder(tmp_path / "outside", {"gan.py": b"canary"})
    source = as_folder(tmp_path, {"flow_network.py": b"x", "hw3/notes.txt": b""})
    (source / where).symlink_to(outside)
    refused(source, pristine, f"'{where}' is a symbolic link, but a folder is expected there")


def test_a_symlinked_wrapping_folder_is_not_entered(tmp_path: Path, pristine: Path) -> None:
    """A link at the root is listed and nothing more."""
    make_folder(tmp_path / "outside", BOTH)
    source = as_folder(tmp_path, {"notes.txt": b""})
    (source / "hw3").symlink_to(tmp_path / "outside")
    refused(source, pristine, r"Found: 'hw3', 'notes\.txt'")


def test_a_link_to_itself_does_not_loop(tmp_path: Path, pristine: Path) -> None:
    """A folder that holds a link to its parent is walked once."""
    source = as_folder(tmp_path, BOTH)
    (source / "again").symlink_to(source)
    assert take(source, pristine).found == WANTED


def make_socket(path: str) -> None:
    """Leave a socket's name behind."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)


@pytest.mark.parametrize(
    ("make_odd", "kind"),
    [
        (os.mkfifo, "a fifo"),
        (os.mkdir, "a folder"),
        (make_socket, "a socket"),
    ],
)
def test_what_is_no_file_is_refused_without_hanging(
    tmp_path: Path,
    pristine: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_odd: Callable[[str], None],
    kind: str,
) -> None:
    """A fifo would wait for a writer for ever, and a folder cannot be imported."""
    source = as_folder(tmp_path, {FLOW: b"x"})
    monkeypatch.chdir(source / "codebase")  # a socket's path may have 107 characters at most
    make_odd("gan.py")
    refused_in_time(source, pristine, f"'{GAN}' is {kind}, but a plain file is expected")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device")
def test_a_device_is_refused(tmp_path: Path, pristine: Path) -> None:
    """/dev/zero in place of a file would never end."""
    source = as_folder(tmp_path, {FLOW: b"x"})
    try:
        os.mknod(source / GAN, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("this container may not make devices")
    refused(source, pristine, f"'{GAN}' is a device")


@pytest.mark.parametrize("step", [GAN, "codebase"])
def test_a_file_swapped_for_a_link_after_the_listing_is_refused(
    tmp_path: Path, pristine: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Every step is opened without following links, not only looked at before."""
    outside = make_folder(tmp_path / "outside", {"gan.py": b"canary", "flow_network.py": b"canary"})
    source = as_folder(tmp_path, BOTH)
    listing = os.scandir

    def swap_when_listed(fd: int) -> object:
        entries = list(listing(fd))
        for e in entries:
            e.stat(follow_symlinks=False)  # kept by the entry: the listing shows what was there
        if entries and {e.name for e in entries} >= {"gan.py"}:
            (source / step).rename(tmp_path / "aside")
            (source / step).symlink_to(outside if step == "codebase" else outside / "gan.py")
        return _Context(entries)

    monkeypatch.setattr(os, "scandir", swap_when_listed)
    name = GAN if step == GAN else FLOW
    refused(source, pristine, f"'{name}' cannot be read: (Too many levels|Not a directory)")


class _Context(list[object]):
    """A list that can stand in for what os.scandir() returns."""

    def __enter__(self) -> _Context:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_a_file_swapped_for_a_fifo_after_the_listing_does_not_hang(
    tmp_path: Path, pristine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is looked at once more after it has been opened, and opening does not wait."""
    source = as_folder(tmp_path, {GAN: b"x"})
    real_open = os.open

    def swapping_open(
        path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> int:
        if path == "gan.py" and dir_fd is not None:
            (source / GAN).unlink()
            os.mkfifo(source / GAN)
        return real_open(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swapping_open)
    refused_in_time(source, pristine, f"'{GAN}' is a fifo, but a plain file is expected")


def test_no_file_descriptor_is_left_open(tmp_path: Path, pristine: Path) -> None:
    """Refusals and successes alike close what they opened; workers inherit nothing."""
    (tmp_path / "bad").mkdir()
    good, bad = as_folder(tmp_path, BOTH), as_folder(tmp_path / "bad", {"x/y/z": b""})
    packed = as_zip(tmp_path, BOTH)
    before = len(os.listdir("/dev/fd"))
    for i in range(20):
        stage(good, tmp_path / f"a{i}", wanted=WANTED, pristine=pristine)
        stage(packed, tmp_path / f"b{i}", wanted=WANTED, pristine=pristine)
        with pytest.raises(IntakeError, match="None of your code was found"):
            take(bad, pristine)
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(tmp_path: Path, pristine: Path) -> None:
    """A mode of 000 is said, not raised."""
    source = as_folder(tmp_path, BOTH)
    (source / GAN).chmod(0)
    refused(source, pristine, f"'{GAN}' cannot be read: Permission denied")


def test_a_folder_that_cannot_be_listed_is_named(
    tmp_path: Path, pristine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk's error while listing is a clear message too."""

    def broken(fd: int) -> object:
        raise OSError(5, "Input/output error", "codebase")

    monkeypatch.setattr(os, "scandir", broken)
    refused(as_folder(tmp_path, BOTH), pristine, "'codebase' cannot be listed: Input/output error")


# ---- size ------------------------------------------------------------------------------------


@either
def test_a_file_one_byte_over_the_limit_is_refused(
    tmp_path: Path, pristine: Path, make: Make
) -> None:
    """Code is small; the default is 1 MiB."""
    source = make(tmp_path, {**BOTH, GAN: b"#" * (MIB + 1)})
    refused(source, pristine, f"'{GAN}' is larger than 1,048,576 bytes")


def test_a_sparse_file_of_gigabytes_is_refused_at_once(tmp_path: Path, pristine: Path) -> None:
    """Reading stops at the cap, whatever the size is said to be."""
    source = as_folder(tmp_path, {FLOW: b"x"})
    with (source / GAN).open("wb") as file:
        file.truncate(8 * 1024**3)
    refused(source, pristine, "is larger than 1,048,576 bytes")


@either
def test_too_many_files_are_refused(tmp_path: Path, pristine: Path, make: Make) -> None:
    """Litter counts too, for it costs the same."""
    crowd = {f"data/._{i}": b"" for i in range(20)}
    limits = IntakeLimits(max_entries=20)
    refused(make(tmp_path, {**BOTH, **crowd}), pristine, "too many files: at most 20", limits)


def test_a_listing_of_gigabytes_is_not_read(tmp_path: Path, pristine: Path) -> None:
    """zipfile would read a listing whole before anyone could count it."""
    source = make_zip(tmp_path / "s.zip", [(f"{i:0200d}", b"") for i in range(300)])
    limits = IntakeLimits(max_listing_bytes=70_000)
    refused(source, pristine, "too many files", limits)
    assert stage(
        as_zip(tmp_path, BOTH), tmp_path / "fits", wanted=WANTED, pristine=pristine, limits=limits
    ).found


def patch_sizes(path: Path, name: str, size: int) -> None:
    """Lie about an entry's unpacked size, in both of its headers."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(name)
    struct.pack_into("<L", data, info.header_offset + 22, size)
    at = data.index(b"PK\x01\x02")
    while data[at + 46 : at + 46 + len(name)] != name.encode():
        at = data.index(b"PK\x01\x02", at + 4)
    struct.pack_into("<L", data, at + 24, size)
    path.write_bytes(data)


@pytest.mark.parametrize("promised", [0, 10, MIB, 2**31])
def test_a_zip_bomb_is_stopped_whatever_it_promises(
    tmp_path: Path, pristine: Path, promised: int
) -> None:
    """64 MiB of zeros in 64 KiB never reach memory."""
    source = as_zip(tmp_path, {FLOW: b"x", GAN: bytes(64 * MIB)})
    patch_sizes(source, GAN, promised)
    tracemalloc.start()
    try:
        refused(source, pristine, f"'{GAN}' (is larger than|is damaged inside the zip)")
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()


def test_a_size_that_promises_too_much_is_refused(tmp_path: Path, pristine: Path) -> None:
    """A file shorter than its header says was cut somewhere."""
    source = as_zip(tmp_path, BOTH)
    patch_sizes(source, GAN, 1000)
    refused(source, pristine, f"'{GAN}' is damaged inside the zip")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_without_bound_are_refused(
    tmp_path: Path, pristine: Path, method: int
) -> None:
    """A few bytes of bzip2 can yield a gigabyte in one step."""
    with zipfile.ZipFile(tmp_path / "s.zip", "w", method) as archive:
        archive.writestr(GAN, bytes(MIB))
    refused(tmp_path / "s.zip", pristine, f"'{GAN}' is packed by method {method}: only stored and")


# ---- zips ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "../evil.py",
        "codebase/../../evil.py",
        "..",
        "/etc/passwd",
        "//server/share",
        "C:/evil.py",
        "c:evil.py",
        "..\\evil.py",
        "\\evil.py",
        "codebase\\..\\..\\evil.py",
        "__MACOSX/../../evil.py",
    ],
)
def test_a_name_that_points_outside_refuses_the_zip(
    tmp_path: Path, pristine: Path, name: str
) -> None:
    """Zip slip, in every spelling, even for a file that nobody wants."""
    source = make_zip(tmp_path / "s.zip", [*BOTH.items(), (name, b"evil")])
    message = refused(source, pristine, "points outside of its own folder")
    assert repr(name) in message


def test_a_name_with_a_nul_is_refused(tmp_path: Path, pristine: Path) -> None:
    """zipfile ends a name at the first NUL, so codebase/gan.py would be two different files."""
    source = make_zip(tmp_path / "s.zip", [(FLOW, b"x"), (GAN + "?.png", b"x")])
    source.write_bytes(source.read_bytes().replace(b"gan.py?", b"gan.py\0"))
    refused(source, pristine, r"a name with a NUL in it")


def unix_entry(name: str, mode: int) -> zipfile.ZipInfo:
    """An entry as zip on Unix writes it."""
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        (stat.S_IFLNK | 0o777, "a symbolic link"),
        (stat.S_IFIFO | 0o644, "a fifo"),
        (stat.S_IFSOCK | 0o644, "a socket"),
        (stat.S_IFCHR | 0o644, "a device"),
        (stat.S_IFDIR | 0o755, "a folder"),
    ],
)
def test_a_wanted_entry_that_is_no_file_is_refused(
    tmp_path: Path, pristine: Path, mode: int, kind: str
) -> None:
    """A symlink's content is a path; it must not be graded as code."""
    source = make_zip(tmp_path / "s.zip", [(FLOW, b"x"), (unix_entry(GAN, mode), b"/etc/passwd")])
    refused(source, pristine, f"'{GAN}' is {kind}, but a plain file is expected there")


def test_a_folder_entry_in_place_of_a_file_is_refused(tmp_path: Path, pristine: Path) -> None:
    """A name that ends in a slash is a folder."""
    source = make_zip(tmp_path / "s.zip", [(FLOW, b"x"), (GAN + "/", b"")])
    refused(source, pristine, f"'{GAN}' is a folder, but a plain file is expected there")


def test_a_symlink_entry_for_the_folder_is_refused(tmp_path: Path, pristine: Path) -> None:
    """An unpacker would write codebase/gan.py through it."""
    link = unix_entry("codebase", stat.S_IFLNK | 0o777)
    source = make_zip(tmp_path / "s.zip", [(link, b"/tmp"), *BOTH.items()])
    refused(source, pristine, "'codebase' is a symbolic link, but a folder is expected there")


def test_a_symlink_that_nobody_wants_is_ignored(tmp_path: Path, pristine: Path) -> None:
    """Only wanted files matter."""
    link = unix_entry("data", stat.S_IFLNK | 0o777)
    assert take(make_zip(tmp_path / "s.zip", [(link, b"/d"), *BOTH.items()]), pristine).found


def test_a_zip_made_on_unix_with_plain_modes_is_taken(tmp_path: Path, pristine: Path) -> None:
    """The mode of a regular file is no reason to refuse it."""
    entries = [(unix_entry(n, stat.S_IFREG | 0o600), c) for n, c in BOTH.items()]
    assert take(make_zip(tmp_path / "s.zip", entries), pristine).found == WANTED


def test_an_encrypted_entry_is_refused(tmp_path: Path, pristine: Path) -> None:
    """Nobody can type the password here."""
    source = as_zip(tmp_path, BOTH)
    data = bytearray(source.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := data.find(signature, at + 1)) >= 0:
            data[at + offset] |= 1
    source.write_bytes(data)
    refused(source, pristine, f"'{FLOW}' is encrypted: a zip without a password is expected")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is an empty file"),
        (b"import torch\n", "is not a zip"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "is a 7z archive"),
        (b"Rar!\x1a\7\1\0", "is a RAR archive"),
        (b"\x1f\x8b\x08\0", "is a gzip file"),
        (b"%PDF-1.7", "is a PDF"),
        (b"PK\x03\x04" + bytes(50), "is a damaged zip, perhaps cut short"),
    ],
)
def test_what_is_no_zip_is_said_to_be_what_it_is(
    tmp_path: Path, pristine: Path, content: bytes, said: str
) -> None:
    """A renamed archive or a half upload is named as such."""
    source = tmp_path / "submission.zip"
    source.write_bytes(content)
    message = refused(source, pristine, rf"submission\.zip' {said}")
    assert "A folder or zip is expected." in message


def test_a_zip_with_a_damaged_file_is_refused(tmp_path: Path, pristine: Path) -> None:
    """A checksum that does not fit is told with what to do."""
    source = make_zip(tmp_path / "s.zip", [(GAN, random.Random(1).randbytes(3000))])
    data = bytearray(source.read_bytes())
    data[1500] ^= 0xFF
    source.write_bytes(data)
    refused(source, pristine, r"'codebase/gan\.py' is damaged inside the zip \(.*\)\. Make the zip")


def test_a_zip_of_a_later_format_is_refused(tmp_path: Path, pristine: Path) -> None:
    """What the parser does not know is no crash of the grader."""
    source = as_zip(tmp_path, BOTH)
    data = bytearray(source.read_bytes())
    data[data.index(b"PK\x01\x02") + 6] = 99  # the version needed to extract
    source.write_bytes(data)
    refused(source, pristine, "is a damaged zip")


def small_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in BOTH.items():
            archive.writestr(name, content * 20)
    return buffer.getvalue()


SMALL_ZIP = small_zip()


def succeeds_or_is_refused(data: bytes, folder: Path, pristine: Path) -> None:
    """Stage bytes; any exception but IntakeError gets out and fails the test."""
    source = folder / "submission.zip"
    source.write_bytes(data)
    with contextlib.suppress(IntakeError):
        assert stage(source, folder / "staged", wanted=WANTED, pristine=pristine).found


fuzz = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@fuzz
@given(data=st.binary(max_size=400) | st.binary(max_size=200).map(SMALL_ZIP.__add__))
@example(data=b"PK\x05\x06" + bytes(18))
def test_any_bytes_are_taken_or_refused(
    data: bytes, pristine: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No rubbish makes intake raise anything but its own error."""
    succeeds_or_is_refused(data, tmp_path_factory.mktemp("fuzz"), pristine)


@fuzz
@given(kept=st.integers(0, len(SMALL_ZIP) - 1), dropped=st.integers(0, 60))
def test_a_truncated_zip_is_refused(
    kept: int, dropped: int, pristine: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An upload cut short anywhere, at either end, is refused or still whole where it matters."""
    data = SMALL_ZIP[min(dropped, kept) : kept]
    succeeds_or_is_refused(data, tmp_path_factory.mktemp("fuzz"), pristine)


@fuzz
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(SMALL_ZIP) - 1), st.integers(0, 255)), min_size=1, max_size=8
    )
)
def test_a_zip_with_changed_bytes_is_taken_or_refused(
    changes: list[tuple[int, int]], pristine: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Broken headers reach every corner of the parser; what is staged is what was packed."""
    data = bytearray(SMALL_ZIP)
    for at, value in changes:
        data[at] = value
    folder = tmp_path_factory.mktemp("fuzz")
    succeeds_or_is_refused(bytes(data), folder, pristine)
    for name, content in BOTH.items():
        staged = folder / "staged" / name
        assert not staged.exists() or staged.read_bytes() == content * 20
