"""The leak check: every kind of leak is planted once and must be found."""

from __future__ import annotations

import base64
import gzip
import io
import py_compile
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.engine.release.leaks import Leak, Secrets, collect_secrets, find_leaks
from autograder.engine.release.template import solution_regions

ROOT = Path(__file__).resolve().parents[3]
REFERENCE, TEMPLATE = ROOT / "reference", ROOT / "student_template"
PRIVATE = ROOT / "autograder" / "homework" / "checks" / "private"

# Part 1.3 has the densest line. Read from the reference, so that no copy must be kept here.
_REGIONS = {
    title: code
    for path in sorted(REFERENCE.glob("codebase/*.py"))
    for title, code in solution_regions(path.read_text(encoding="utf-8"), path.name)
}
SOLUTION = _REGIONS["1.3 MAF.log_probs"]
WHAT = "a piece of the solution of 1.3 MAF.log_probs"


@pytest.fixture(scope="module")
def secrets() -> Secrets:
    """The real secrets."""
    return collect_secrets(REFERENCE, TEMPLATE, PRIVATE)


def zipped(content: bytes, name: str = "notes.txt") -> bytes:
    """A zip that holds one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def tarred(content: bytes) -> bytes:
    """A tar that holds one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("notes.txt")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def png(kind: bytes, body: bytes) -> bytes:
    """A PNG with one chunk of text."""
    crc = zlib.crc32(kind + body)
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", crc)
    )


PLANTS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda text: text,
    "on one line": lambda text: b" ".join(text.split()),
    "without spaces": lambda text: text.replace(b" ", b""),
    "broken into words": lambda text: text.replace(b" ", b"\n\n   "),
    "as comments": lambda text: b"# " + text.replace(b"\n", b"\n# "),
    "in UTF-16": lambda text: text.decode().encode("utf-16"),
    "in a binary file": lambda text: b"\xff\xfe\xfd\0\1\2" + text + b"\0\xff",
    "gzipped": gzip.compress,
    "zipped": zipped,
    "zipped twice": lambda text: zipped(zipped(text), "inner.zip"),
    "tarred and gzipped": lambda text: gzip.compress(tarred(text)),
    "behind other bytes": lambda text: b"#!/bin/sh\nexit\n" + zipped(text),
    "in a PNG's text": lambda text: png(b"tEXt", b"Comment\0" + text),
    "in a PNG's packed text": lambda text: png(b"zTXt", b"Comment\0\0" + zlib.compress(text)),
    "in base64": lambda text: b"data = '" + base64.b64encode(text) + b"'",
}


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS.keys())
def test_a_solution_is_found_however_it_is_packed(
    plant: Callable[[bytes], bytes], secrets: Secrets, tmp_path: Path
) -> None:
    """A region of the reference in a file of the handout is a leak that names its part."""
    archive = tmp_path / "handout.zip"
    archive.write_bytes(zipped(plant(SOLUTION.encode()), "a/file"))
    leaks = find_leaks(archive, secrets)
    assert leaks, "nothing was found"
    assert {leak.what for leak in leaks} == {WHAT}
    assert all(leak.where.startswith("handout.zip!/a/file") for leak in leaks)


@pytest.mark.parametrize("title", sorted(title for title in _REGIONS if title[0].isdigit()))
def test_every_region_alone_is_found(title: str, secrets: Secrets, tmp_path: Path) -> None:
    """Each of the nine solutions has pieces that tell it."""
    (tmp_path / "x.py").write_text(_REGIONS[title], encoding="utf-8")
    assert f"a piece of the solution of {title}" in {
        leak.what for leak in find_leaks(tmp_path, secrets)
    }


def test_the_place_of_a_leak_is_named(secrets: Secrets, tmp_path: Path) -> None:
    """The message names file and line."""
    (tmp_path / "x.py").write_text("import torch\n\n" + SOLUTION, encoding="utf-8")
    (leak,) = find_leaks(tmp_path, secrets)
    assert str(leak).startswith("x.py, line ")
    assert leak == Leak(leak.where, WHAT)


def test_compiled_python_is_a_leak_whatever_its_name(secrets: Secrets, tmp_path: Path) -> None:
    """Bytecode can be turned back into source; and its constants are read."""
    source = tmp_path / "x.py"
    source.write_text(f'"""{SOLUTION}"""\n', encoding="utf-8")
    folder = tmp_path / "out"
    folder.mkdir()
    py_compile.compile(str(source), cfile=str(folder / "x.bin"))
    kinds = {leak.what for leak in find_leaks(folder, secrets)}
    assert kinds == {WHAT, "compiled Python, which can be turned back into its source"}


def test_names_cases_and_numbers_of_private_checks_are_found(tmp_path: Path) -> None:
    """A private check's name, its written-out cases and its telling numbers are secrets."""
    private = tmp_path / "private"
    private.mkdir()
    (private / "test_a.py").write_text(
        "CASE = Case(size=2, width=4, seed=77)\n\n\n"
        "def test_the_secret_property():\n    assert f(CASE) == 1.234567\n",
        encoding="utf-8",
    )
    secrets = collect_secrets(REFERENCE, TEMPLATE, private)
    out = tmp_path / "out"
    out.mkdir()
    for name, text, what in (
        ("a.md", "see test_the_secret_property", "the name of a private check"),
        ("b.json", '{"answer": 1.234567}', "the number 1.234567"),
        ("c.py", "x = Case(size=2,\n  width=4, seed=77)", "a constant of the private checks"),
        ("test_the_secret_property.txt", "", "in the file's name"),
    ):
        (out / name).write_text(text, encoding="utf-8")
        assert any(
            leak.where.startswith(name) and what in leak.what for leak in find_leaks(out, secrets)
        ), name
    (out / "d.json").write_text('{"answer": 1.23456, "n": 2}', encoding="utf-8")
    assert not [leak for leak in find_leaks(out, secrets) if leak.where.startswith("d.json")]


def test_a_name_inside_an_archive_is_read_too(secrets: Secrets, tmp_path: Path) -> None:
    """An empty file can tell a private check by what it is called."""
    archive = tmp_path / "handout.zip"
    archive.write_bytes(zipped(b"", "test_density_integrates_to_one.py"))
    leaks = find_leaks(archive, secrets)
    assert {leak.what for leak in leaks} == {
        "the name of a private check, test_density_integrates_to_one"
    }


def test_an_archive_that_never_ends_is_refused(secrets: Secrets, tmp_path: Path) -> None:
    """Archives that are nested too deeply to be read are reported."""
    data = b"harmless"
    for _ in range(10):
        data = gzip.compress(data)
    (tmp_path / "x.gz").write_bytes(data)
    (leak,) = find_leaks(tmp_path, secrets)
    assert leak.what == "packed more than 5 times, so it cannot be read"


def test_what_students_are_given_is_no_leak(secrets: Secrets, tmp_path: Path) -> None:
    """The template and the public checks reveal nothing."""
    for folder in (TEMPLATE, PRIVATE.with_name("public")):
        given = tmp_path / folder.name
        shutil.copytree(folder, given, ignore=shutil.ignore_patterns("__pycache__"))
        assert find_leaks(given, secrets) == []


def test_a_wrong_folder_is_refused(tmp_path: Path) -> None:
    """Without secrets there would be nothing to find, and that would look like success."""
    with pytest.raises(FileNotFoundError, match="contains no Python files"):
        collect_secrets(REFERENCE, TEMPLATE, tmp_path)
