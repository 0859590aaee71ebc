"""Zips as submissions, and sizes: no promise of a zip is believed, and any bytes are survived."""

from __future__ import annotations

import contextlib
import io
import random
import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from autograder.engine.submission.entries import InvalidSubmission, SubmissionLimits
from autograder.engine.submission.staging import stage
from tests.engine.submission.made_submissions import (
    BOTH,
    FLOW,
    GAN,
    MIB,
    WANTED,
    Make,
    as_folder,
    as_zip,
    either,
    make_zip,
    refused,
    take,
)

# ---- size ------------------------------------------------------------------------------------


@either
def test_a_file_one_byte_over_the_limit_is_refused(
    tmp_path: Path, pristine: Path, make: Make
) -> None:
    """Code is small; the default is 1 MiB."""
    source = make(tmp_path, {**BOTH, GAN: b"#" * (MIB + 1)})
    refused(source, pristine, f"'{GAN}' is larger than 1,048,576 bytes")


def test_a_sparse_file_of_gigabytes_is_refused_at_once(tmp_path: Path, pristine: Path) -> None:
    """Reading stops at the limit, whatever size the header states."""
    source = as_folder(tmp_path, {FLOW: b"x"})
    with (source / GAN).open("wb") as file:
        file.truncate(8 * 1024**3)
    refused(source, pristine, "is larger than 1,048,576 bytes")


@either
def test_too_many_files_are_refused(tmp_path: Path, pristine: Path, make: Make) -> None:
    """Litter counts too, for it costs the same."""
    crowd = {f"data/._{i}": b"" for i in range(20)}
    limits = SubmissionLimits(max_entries=20)
    refused(make(tmp_path, {**BOTH, **crowd}), pristine, "too many files: at most 20", limits)


def test_a_listing_of_gigabytes_is_not_read(tmp_path: Path, pristine: Path) -> None:
    """zipfile would read a listing whole before anyone could count it."""
    source = make_zip(tmp_path / "s.zip", [(f"{i:0200d}", b"") for i in range(300)])
    limits = SubmissionLimits(max_listing_bytes=70_000)
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
    refused(
        tmp_path / "s.zip", pristine, f"'{GAN}' is compressed with method {method}: only stored and"
    )


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
    message = refused(source, pristine, "a path outside the zip's folder")
    assert repr(name) in message


def test_a_name_with_a_nul_is_refused(tmp_path: Path, pristine: Path) -> None:
    """zipfile ends a name at the first NUL, so codebase/gan.py would be two different files."""
    source = make_zip(tmp_path / "s.zip", [(FLOW, b"x"), (GAN + "?.png", b"x")])
    source.write_bytes(source.read_bytes().replace(b"gan.py?", b"gan.py\0"))
    refused(source, pristine, r"a name with a NUL character")


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
    ("content", "expected"),
    [
        (b"", "is an empty file"),
        (b"import torch\n", "is not a zip"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "is a 7z archive"),
        (b"Rar!\x1a\7\1\0", "is a RAR archive"),
        (b"\x1f\x8b\x08\0", "is a gzip file"),
        (b"BZh91AY", "is a bzip2 file"),
        (b"\xfd7zXZ\0", "is an xz file"),
        (b"%PDF-1.7", "is a PDF"),
        (b"PK\x03\x04" + bytes(50), "is a damaged zip, perhaps cut short"),
    ],
)
def test_what_is_no_zip_is_said_to_be_what_it_is(
    tmp_path: Path, pristine: Path, content: bytes, expected: str
) -> None:
    """A renamed archive or a half upload is named as such."""
    source = tmp_path / "submission.zip"
    source.write_bytes(content)
    message = refused(source, pristine, rf"submission\.zip' {expected}")
    assert "A folder or zip is expected." in message


@pytest.mark.parametrize(
    ("name", "expected"),
    [("gan.py", "is a single Python file"), ("hw3.ipynb", "is a notebook")],
)
def test_a_single_file_is_said_to_be_one(
    tmp_path: Path, pristine: Path, name: str, expected: str
) -> None:
    """A class's export may hold a loose file."""
    (tmp_path / name).write_bytes(b"{}")
    refused(tmp_path / name, pristine, rf"{expected}\. A folder or zip is expected\.")


def test_a_zip_with_a_damaged_file_is_refused(tmp_path: Path, pristine: Path) -> None:
    """A wrong checksum gives a message with advice."""
    source = make_zip(tmp_path / "s.zip", [(GAN, random.Random(1).randbytes(3000))])
    data = bytearray(source.read_bytes())
    data[1500] ^= 0xFF
    source.write_bytes(data)
    refused(
        source, pristine, r"'codebase/gan\.py' is damaged inside the zip \(.*\)\. Create the zip"
    )


def test_a_zip_of_a_later_format_is_refused(tmp_path: Path, pristine: Path) -> None:
    """A format that the parser does not know is refused, not a crash."""
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
    """Stage bytes; any exception but InvalidSubmission gets out and fails the test."""
    source = folder / "submission.zip"
    source.write_bytes(data)
    with contextlib.suppress(InvalidSubmission):
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
