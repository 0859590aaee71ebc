"""The leak linter: reads what is to be handed out and finds what nobody may be told.

A secret is a sequence of tokens: a piece of a solution, the name of a private check, a case or a
number that private checks hold. Texts are cut into tokens without their whitespace,
so that neither indentation nor line breaks hide anything. What is packed is unpacked: archives
within archives, compressed text in images, strings in binary files, base64.
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

# Tokens of a piece of code that nobody writes by accident: `z = g(y).mean()` has ten.
PIECE = 10
# Whole texts that are shorter; below that it is an `else:` or a `z = x`.
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


@dataclass(frozen=True)
class Leak:
    """One find.

    Args:
        where: the file, and within archives the way to it: "handout.zip!/a/b.py, line 3".
        what: which secret it is.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True)
class Secrets:
    """What must not be found.

    Args:
        phrases: token sequences, each with what it is.
    """

    phrases: Mapping[Tokens, str]

    def __or__(self, other: Secrets) -> Secrets:
        """All secrets of both."""
        return Secrets({**self.phrases, **other.phrases})


def collect_secrets(reference: Path, template: Path, private_checks: Path) -> Secrets:
    """Return the secrets of a homework.

    Args:
        reference: the folder of the solution, with its regions marked.
        template: what students are given of it; what stands there is no secret.
        private_checks: the folder of the checks that only the grader has.

    Raises:
        MarkerError: the reference's regions do not fit together.
        FileNotFoundError: one of the folders holds no Python files.
    """
    given = {
        piece
        for path in _python_files(template)
        for piece in _pieces(_tokens_of_code(path.read_text(encoding="utf-8")))
    }
    phrases: dict[Tokens, str] = {}
    for path in _python_files(reference):
        for title, code in solution_regions(path.read_text(encoding="utf-8"), path.name):
            for piece in _pieces(_tokens_of_code(code)):
                if piece not in given:
                    phrases[piece] = f"a piece of the solution of {title}"
    return Secrets(phrases) | secrets_of_checks(private_checks)


def secrets_of_checks(private_checks: Path) -> Secrets:
    """Return what only private checks say: their names, their cases, their long numbers.

    Raises:
        FileNotFoundError: the folder holds no Python files.
    """
    phrases: dict[Tokens, str] = {}
    for path in _python_files(private_checks):
        source = path.read_text(encoding="utf-8")
        module = ast.parse(source)
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                phrases[(node.name,)] = f"the name of a private check, {node.name}"
            elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
                text = ast.get_source_segment(source, node) or ""
                if _TELLING_NUMBER.fullmatch(text):
                    phrases[(text,)] = f"the number {text} of the private checks in {path.name}"
        for node in module.body:  # cases that are written out, and what is expected of them
            if isinstance(node, ast.Assign):
                for piece in _pieces(_tokens_of_code(ast.unparse(node.value))):
                    phrases[piece] = f"a constant of the private checks in {path.name}"
    return Secrets(phrases)


def find_leaks(path: Path, secrets: Secrets) -> list[Leak]:
    """Return every secret that a file, a folder or an archive tells, sorted by place.

    Compiled Python is a leak by itself: it can be turned back into its source.

    Raises:
        OSError: it cannot be read.
    """
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    found: set[Leak] = set()
    by_length: dict[int, dict[Tokens, str]] = {}
    for phrase, what in secrets.phrases.items():
        by_length.setdefault(len(phrase), {})[phrase] = what
    for file in files:
        name = file.relative_to(path).as_posix() if path.is_dir() else file.name
        found.update(_leaks_of_name(name, by_length))
        found.update(_leaks_of(file.read_bytes(), name, by_length))
    return sorted(found, key=lambda leak: (leak.where, leak.what))


def tokens(text: str) -> Tokens:
    """Cut any text into words, numbers and signs; whitespace is lost."""
    return tuple(_TOKEN.findall(text))


_ByLength = Mapping[int, Mapping[Tokens, str]]


def _leaks_of_name(name: str, secrets: _ByLength) -> Iterator[Leak]:
    for _, what in _found_in(name, secrets):
        yield Leak(name, f"{what} (in the file's name)")


def _leaks_of(data: bytes, name: str, secrets: _ByLength) -> Iterator[Leak]:
    for read in _texts(data, name, 0):
        if isinstance(read, Leak):
            yield read
            continue
        where, text = read
        for line, what in _found_in(text, secrets):
            yield Leak(f"{where}, line {line}", what)


def _found_in(text: str, secrets: _ByLength) -> Iterator[tuple[int, str]]:
    """Yield line and meaning of every secret in a text, the first time it is met."""
    # Comment signs too are left out once, for a solution that is handed out as a comment.
    for view in (text, text.replace("#", " "), _COMMENT.sub("", text)):
        matches = list(_TOKEN.finditer(view))
        words = tuple(match.group() for match in matches)
        told: set[str] = set()
        for length, phrases in secrets.items():
            for i in range(len(words) - length + 1):
                what = phrases.get(words[i : i + length])
                if what is not None and what not in told:
                    told.add(what)
                    yield 1 + view.count("\n", 0, matches[i].start()), what


def _texts(data: bytes, name: str, depth: int) -> Iterator[tuple[str, str] | Leak]:
    """Yield all that can be read in some bytes, each with its place; what must not be there."""
    if depth > _MAX_DEPTH:
        yield Leak(name, f"packed more than {_MAX_DEPTH} times over, so it cannot be read")
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
    """Yield what is packed in some bytes: name (may be empty) and content."""
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
    """Yield the compressed texts of a PNG; the plain ones are found as they are."""
    place = len(_PNG)
    while place + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        if kind in (b"zTXt", b"iTXt"):
            # keyword, then flags and languages, then the stream: its beginning is searched for.
            for start in (i for i in range(len(body)) if body[i] == 0x78):
                try:
                    yield zlib.decompressobj().decompress(body[start:], _MAX_BYTES)
                    break
                except zlib.error:
                    continue
        place += 12 + length


def _is_bytecode(data: bytes, name: str) -> bool:
    # A .pyc begins with two bytes of version and "\r\n"; 16 bytes on stands a code object.
    marked = len(data) > 16 and data[2:4] == b"\r\n" and data[16] & 0x7F == ord("c")
    return marked or name.endswith((".pyc", ".pyo"))


def _decoded(data: bytes) -> str | None:
    """Return the text that some bytes are, or None when they are none."""
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
    """Cut code into tokens, without its comments and imports: others may import the same."""
    return tokens(_IMPORT.sub("", _COMMENT.sub("", code)))


def _pieces(words: Tokens) -> Iterable[Tokens]:
    """Return all runs of PIECE tokens; of a shorter text the whole."""
    if len(words) <= PIECE:
        return [words] if len(words) >= _SHORTEST else []
    return [words[i : i + PIECE] for i in range(len(words) - PIECE + 1)]


def _python_files(folder: Path) -> list[Path]:
    found = sorted(p for p in folder.rglob("*.py") if "__pycache__" not in p.parts)
    if not found:
        raise FileNotFoundError(f"{folder} holds no Python files: is this the right folder?")
    return found
