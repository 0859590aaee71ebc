"""Leak check: find secrets in the files for students.

A secret is a sequence of tokens: a piece of a solution, or the name, a case or a number of a
private check. Whitespace is no token, so indentation and line breaks hide nothing. Archives (also
nested ones), compressed text in images, strings in binary files and base64 are unpacked.
"""

from __future__ import annotations

import ast
import base64
import binascii
import gzip
import io
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from autograder.engine.release.template import solution_regions

# Tokens in a piece of code that nobody writes by chance: `z = g(y).mean()` has ten.
PIECE = 10
# A shorter text is a secret as a whole, but not `else:` or `z = x`.
_SHORTEST = 6
_TELLING_NUMBER = re.compile(r"\d+\.\d{3,}|\d{6,}")

_TOKEN = re.compile(r"[^\W\d]\w*|\d[\w.]*|[^\s\w]")
_COMMENT = re.compile(r"#[^\n]*")
_IMPORT = re.compile(r"^[ \t]*(?:import|from)[ \t][^\n]*", re.MULTILINE)
_PRINTABLE = re.compile(rb"[\t\n\r\x20-\x7e]{4,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
_PNG = b"\x89PNG\r\n\x1a\n"
_ZIP, _GZIP, _TAR_AT, _TAR = b"PK\x03\x04", b"\x1f\x8b", 257, b"ustar"
_MAX_DEPTH = 5
_MAX_BYTES = 200_000_000  # of one unpacked file

Tokens = tuple[str, ...]
Secrets = Mapping[Tokens, str]  # token sequences, each with a description


@dataclass(frozen=True)
class Leak:
    """A secret, and where it was found: "handout.zip!/a/b.py, line 3"."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def collect_secrets(reference: Path, template: Path, private_checks: Path) -> Secrets:
    """Return the secrets of a homework.

    Args:
        reference: the folder of the solution, with its marked regions.
        template: the students' version of it; nothing in it is secret.
        private_checks: the folder of the private checks.

    Raises:
        MarkerError: the reference's markers do not match.
        FileNotFoundError: one of the folders contains no Python files.
    """
    given = {
        piece
        for path in _python_files(template)
        for piece in _pieces(_tokens_of_code(path.read_text(encoding="utf-8")))
    }
    secrets: dict[Tokens, str] = {}
    for path in _python_files(reference):
        for title, code in solution_regions(path.read_text(encoding="utf-8"), path.name):
            for piece in _pieces(_tokens_of_code(code)):
                if piece not in given:
                    secrets[piece] = f"a piece of the solution of {title}"
    return {**secrets, **_secrets_of_checks(private_checks)}


def _secrets_of_checks(private_checks: Path) -> Secrets:
    """Return the names, cases and long numbers of private checks."""
    secrets: dict[Tokens, str] = {}
    for path in _python_files(private_checks):
        source = path.read_text(encoding="utf-8")
        module = ast.parse(source)
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                secrets[(node.name,)] = f"the name of a private check, {node.name}"
            elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
                text = ast.get_source_segment(source, node) or ""
                if _TELLING_NUMBER.fullmatch(text):
                    secrets[(text,)] = f"the number {text} of the private checks in {path.name}"
        for node in module.body:  # cases and expected values that are written out
            if isinstance(node, ast.Assign):
                for piece in _pieces(_tokens_of_code(ast.unparse(node.value))):
                    secrets[piece] = f"a constant of the private checks in {path.name}"
    return secrets


def find_leaks(path: Path, secrets: Secrets) -> list[Leak]:
    """Return every leak in a file, a folder or an archive, sorted by place.

    Compiled Python counts as a leak: it can be turned back into its source.

    Raises:
        OSError: it cannot be read.
    """
    leaks: set[Leak] = set()
    by_length: dict[int, dict[Tokens, str]] = {}
    for secret, what in secrets.items():
        by_length.setdefault(len(secret), {})[secret] = what
    for file in [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]:
        name = file.relative_to(path).as_posix() if path.is_dir() else file.name
        for _, what in _matches(name, by_length):
            leaks.add(Leak(name, f"{what} (in the file's name)"))
        for text in _texts(file.read_bytes(), name, 0):
            if isinstance(text, Leak):
                leaks.add(text)
                continue
            for line, what in _matches(text[1], by_length):
                leaks.add(Leak(f"{text[0]}, line {line}", what))
    return sorted(leaks, key=lambda leak: (leak.where, leak.what))


def _matches(text: str, secrets: Mapping[int, Mapping[Tokens, str]]) -> Iterator[tuple[int, str]]:
    """Yield line and description of every secret in a text, once for each way of reading it."""
    # Also without comment signs, for a solution in a comment, and without comments.
    for view in (text, text.replace("#", " "), _COMMENT.sub("", text)):
        matches = list(_TOKEN.finditer(view))
        words = tuple(match.group() for match in matches)
        reported: set[str] = set()
        for length, sequences in secrets.items():
            for i in range(len(words) - length + 1):
                what = sequences.get(words[i : i + length])
                if what is not None and what not in reported:
                    reported.add(what)
                    yield 1 + view.count("\n", 0, matches[i].start()), what


def _texts(data: bytes, name: str, depth: int) -> Iterator[tuple[str, str] | Leak]:
    """Yield every text in some bytes with its place, and a leak for what may not be packed."""
    if depth > _MAX_DEPTH:
        yield Leak(name, f"packed more than {_MAX_DEPTH} times, so it cannot be read")
        return
    if _is_bytecode(data, name):
        yield Leak(name, "compiled Python, which can be turned back into its source")
    packed = list(_unpacked(data))
    for inner, content in packed:
        if inner:
            yield f"{name}!/{inner}", inner
        yield from _texts(content, f"{name}!/{inner}" if inner else name, depth + 1)
    text = _decoded(data)
    if text is None:
        text = "\n".join(run.decode("ascii") for run in _PRINTABLE.findall(data))
    yield name, text
    for match in _BASE64.finditer(text):
        try:
            hidden = base64.b64decode(match.group(), validate=True)
        except (binascii.Error, ValueError):
            continue
        yield from _texts(hidden, f"{name} (base64)", depth + 1)


def _unpacked(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name (may be empty) and content of every file packed in some bytes."""
    if data.startswith(_PNG):
        yield from (("", chunk) for chunk in _png_texts(data))
    elif data.startswith(_GZIP):
        with gzip.open(io.BytesIO(data)) as file:
            yield "", file.read(_MAX_BYTES)
    elif data[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                opened = archive.extractfile(member) if member.isfile() else None
                yield member.name, opened.read(_MAX_BYTES) if opened else b""
    elif _ZIP in data and zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            yield "", packed.comment
            for entry in packed.infolist():
                with packed.open(entry) as stream:
                    yield entry.filename, stream.read(_MAX_BYTES)


def _png_texts(data: bytes) -> Iterator[bytes]:
    """Yield the compressed texts of a PNG; plain ones are found without this."""
    place = len(_PNG)
    while place + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        if kind in (b"zTXt", b"iTXt"):
            # Keyword, flags and languages, then the stream, whose start must be searched for.
            for start in (i for i in range(len(body)) if body[i] == 0x78):
                try:
                    yield zlib.decompressobj().decompress(body[start:], _MAX_BYTES)
                    break
                except zlib.error:
                    continue
        place += 12 + length


def _is_bytecode(data: bytes, name: str) -> bool:
    # A .pyc begins with two bytes of version and "\r\n"; a code object follows at byte 16.
    marked = len(data) > 16 and data[2:4] == b"\r\n" and data[16] & 0x7F == ord("c")
    return marked or name.endswith((".pyc", ".pyo"))


def _decoded(data: bytes) -> str | None:
    """Decode UTF-8 or UTF-16; return None if the bytes are no text."""
    encodings = ["utf-8-sig"]
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif data[1:2] == b"\0":
        encodings = ["utf-16-le"]
    elif data[:1] == b"\0" and data[1:2] != b"\0":
        encodings = ["utf-16-be"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    return None


def _tokens_of_code(code: str) -> Tokens:
    """Cut code into tokens, without comments and imports: any file may import the same."""
    return tuple(_TOKEN.findall(_IMPORT.sub("", _COMMENT.sub("", code))))


def _pieces(words: Tokens) -> Iterable[Tokens]:
    """Return all runs of PIECE tokens; the whole of a shorter text."""
    if len(words) <= PIECE:
        return [words] if len(words) >= _SHORTEST else []
    return [words[i : i + PIECE] for i in range(len(words) - PIECE + 1)]


def _python_files(folder: Path) -> list[Path]:
    files = sorted(p for p in folder.rglob("*.py") if "__pycache__" not in p.parts)
    if not files:
        raise FileNotFoundError(f"{folder} contains no Python files: is this the right folder?")
    return files
