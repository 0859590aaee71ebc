"""Folders as submissions: links, pipes and devices in them are refused, and nothing hangs."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.engine.submission.entries import InvalidSubmission
from autograder.engine.submission.staging import stage
from tests.engine.submission.made_submissions import (
    BOTH,
    FLOW,
    GAN,
    WANTED,
    as_folder,
    as_zip,
    make_folder,
    refused,
    refused_in_time,
    take,
)


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


def test_a_symlinked_folder_in_a_worse_place_does_not_matter(
    tmp_path: Path, pristine: Path
) -> None:
    """Who hands in the whole homework may have links elsewhere."""
    outside = make_folder(tmp_path / "outside", {"gan.py": b"canary"})
    source = as_folder(tmp_path, {**BOTH, "old/notes.txt": b""})
    (source / "old/codebase").symlink_to(outside)
    (source / "old/gan.py").symlink_to(outside / "gan.py")
    staged = take(source, pristine)
    assert (staged.root / GAN).read_bytes() == BOTH[GAN]
    assert not any("canary" in note for note in staged.notes)


def test_a_symlinked_wrapping_folder_is_not_entered(tmp_path: Path, pristine: Path) -> None:
    """A link at the root is listed and nothing more."""
    make_folder(tmp_path / "outside", BOTH)
    source = as_folder(tmp_path, {"notes.txt": b""})
    (source / "hw3").symlink_to(tmp_path / "outside")
    refused(source, pristine, r"Found: 'hw3', 'notes\.txt'")


def test_a_link_to_itself_does_not_loop(tmp_path: Path, pristine: Path) -> None:
    """A folder with a link to its parent is walked once."""
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
    """A list in place of the iterator of os.scandir()."""

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
        with pytest.raises(InvalidSubmission, match="None of your code was found"):
            take(bad, pristine)
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(tmp_path: Path, pristine: Path) -> None:
    """A mode of 000 gives a message, not a traceback."""
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
