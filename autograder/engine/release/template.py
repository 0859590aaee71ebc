"""The template for students: the reference with the solutions cut out.

Full-line comments in the reference mark the regions that students do not get:

    # BEGIN SOLUTION 1.1 gradient         replaced by a stub between two student markers
    # END SOLUTION
    # BEGIN REFERENCE ONLY                cut without trace
    # END REFERENCE ONLY

The code is read line by line; it is neither imported nor parsed.
"""

import enum
import itertools
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.engine.release.archive import File

_BEGIN_SOLUTION = re.compile(r"^( *)# BEGIN SOLUTION (\d+\.\d+) ([A-Za-z_][\w.]*)$")
_END_SOLUTION = re.compile(r"^( *)# END SOLUTION$")
_BEGIN_REFERENCE_ONLY = re.compile(r"^( *)# BEGIN REFERENCE ONLY$")
_END_REFERENCE_ONLY = re.compile(r"^( *)# END REFERENCE ONLY$")
# A line that resembles a marker must be one: a typo would give students the solution.
_LOOKS_LIKE_MARKER = re.compile(r"\b(BEGIN|END)[\s_-]*(SOLUTION|REFERENCE)", re.IGNORECASE)
# On one line, on several with backslashes, or in parentheses.
_ONLY_IMPORT = re.compile(
    r"^[ \t]*(?:import[ \t]|from[ \t]+[.\w]+[ \t]+import\b)"
    r"(?:[ \t]*\([^()]*\)[ \t]*|(?:[\w.,* \t]|\\\n)*)(?:#.*)?$",
    re.MULTILINE,
)

_STUDENT_BEGIN = "# >>> YOUR CODE HERE"
_STUDENT_END = "# <<< END OF YOUR CODE"

_SUBMISSION_SCRIPTS = ("make_submission.sh", "make_submission.py")
# The template's files, without the submission scripts next to the reference.
_GIVEN_FILES = ("run_*.py", "*.md", "requirements*.txt")


class MarkerError(ValueError):
    """The solution markers of a file do not match; the message begins with file:line."""


class _Kind(enum.Enum):
    GIVEN = "given"
    SOLUTION = "SOLUTION"
    REFERENCE_ONLY = "REFERENCE ONLY"


@dataclass(frozen=True)
class _Block:
    """Consecutive lines of one kind, without their markers."""

    kind: _Kind
    lines: tuple[str, ...]
    indent: str = ""
    title: str = ""  # "1.1 gradient", for a solution


def make_template_text(text: str, name: str) -> str:
    """Return the students' version of one reference file.

    Args:
        text: the reference file.
        name: the file's name in errors.

    Returns:
        The text without reference-only regions, and with each solution replaced by a stub that
        raises NotImplementedError with the name of the part.

    Raises:
        MarkerError: a marker is misspelt, unclosed, nested, stray, or closes at another
            indentation; or a region is empty, or the reference contains student markers.
    """
    lines: list[str] = []
    cut_before = False
    for block in _blocks(text, name):
        if block.kind is _Kind.SOLUTION:
            lines += _stub(block)
        elif block.kind is _Kind.GIVEN:
            given = block.lines
            # A cut between two blank lines takes one of them.
            if cut_before and given and not given[0] and (not lines or not lines[-1]):
                given = given[1:]
            lines += given
        cut_before = block.kind is _Kind.REFERENCE_ONLY
    return "\n".join(lines).rstrip("\n") + "\n" if any(lines) else ""


def make_template(reference: Path, destination: Path, code: str) -> list[Path]:
    """Write the template made from `reference` into `destination`; return its files, sorted.

    It contains the Python files of the code folder, the drivers, the texts at the top level and
    the submission scripts next to the reference, but no caches, outputs or written answers. Other
    files in `destination` stay; `compare_template` names them.

    Raises:
        FileNotFoundError: `reference` has no folder `code`.
        MarkerError: see `make_template_text`; nothing is written.
    """
    contents = _template_files(reference, code)
    for relative, content in contents.items():
        target = destination / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.data)
        target.chmod(content.mode)
    return [destination / relative for relative in contents]


def compare_template(reference: Path, template: Path, code: str) -> list[str]:
    """Compare `template` with the template that `reference` gives now.

    Caches and outputs do not count.

    Returns:
        A line for each missing, changed, unexpected or no longer executable file, sorted.

    Raises:
        FileNotFoundError, MarkerError: as `make_template`.
    """
    expected = _template_files(reference, code)
    present = _given_files(template, code)
    differences: list[str] = []
    for relative in sorted(expected.keys() | present.keys()):
        path = present.get(relative)
        content = expected.get(relative)
        if path is None:
            differences.append(f"{relative}: missing from {template}")
        elif content is None:
            differences.append(f"{relative}: not made from {reference}; delete it")
        elif (line := _first_difference(content.data, path.read_bytes())) is not None:
            differences.append(f"{relative}:{line}: differs from the text made from {reference}")
        elif content.executable and not _is_executable(path):
            differences.append(f"{relative}: not executable")
    return differences


def collapse_regions(text: str) -> str:
    """Remove the lines between the student markers of a template or a student's text.

    Line endings, trailing whitespace, a byte-order mark and blank lines at the end are
    normalised: two texts that differ only inside the marked regions become equal. A region that
    is not closed stays. The time is linear in the length of the text.
    """
    kept: list[str] = []
    inside: list[str] | None = None
    for line in _lines(text.removeprefix("\ufeff")):
        stripped = line.strip()
        if inside is not None:
            if stripped == _STUDENT_END:
                inside = None
                kept.append(line)
            else:
                inside.append(line)
        else:
            kept.append(line)
            if stripped.startswith(_STUDENT_BEGIN):
                inside = []
    kept += inside or []
    return "\n".join(kept).rstrip("\n") + "\n"


def edits_outside_regions(text: str, given: str) -> tuple[list[str], list[str]]:
    """Return the lines that a student's text adds to a template, and those that it lacks.

    Lines between the student markers and imports do not count: a solution may need more imports,
    and they change nothing that was given. The time is linear in the lengths.
    """
    ours, theirs = (
        _ONLY_IMPORT.sub("", collapse_regions(each)).splitlines() for each in (given, text)
    )

    def missing_from(other: list[str], lines: list[str]) -> list[str]:
        others = set(other)
        return [line.strip() for line in lines if line.strip() and line not in others]

    return missing_from(ours, theirs), missing_from(theirs, ours)


def solution_regions(text: str, name: str = "reference") -> list[tuple[str, str]]:
    """Return title ("1.1 gradient") and code of every region that students do not get.

    Args:
        text: the reference file.
        name: the file's name in errors.

    Raises:
        MarkerError: see `make_template_text`.
    """
    return [
        (block.title or "a reference-only region", "\n".join(block.lines))
        for block in _blocks(text, name)
        if block.kind is not _Kind.GIVEN
    ]


def _template_files(reference: Path, code: str) -> dict[str, File]:
    """Return the template's files by their relative path, sorted."""
    if not (reference / code).is_dir():
        raise FileNotFoundError(f"{reference} has no folder {code}/: is it the reference?")
    sources = _given_files(reference, code)
    for name in _SUBMISSION_SCRIPTS:
        script = reference.parent / name
        if name not in sources and script.is_file():
            sources[name] = script
    return {
        relative: File(
            make_template_text(source.read_text(encoding="utf-8"), relative).encode("utf-8"),
            _is_executable(source),
        )
        for relative, source in sorted(sources.items())
    }


def _given_files(root: Path, code: str) -> dict[str, Path]:
    """Return the files of a tree that a template may contain, by relative path."""
    patterns = (f"{code}/**/*.py" if code else "*.py", *_GIVEN_FILES, *_SUBMISSION_SCRIPTS)
    return {
        path.relative_to(root).as_posix(): path
        for pattern in patterns
        for path in root.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }


def _is_executable(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IXUSR)


def _first_difference(expected: bytes, actual: bytes) -> int | None:
    """Return the number of the first line in which two files differ, or None."""
    pairs = enumerate(itertools.zip_longest(expected.split(b"\n"), actual.split(b"\n")), start=1)
    return next((number for number, (line, other) in pairs if line != other), None)


def _stub(block: _Block) -> list[str]:
    return [
        f"{block.indent}{_STUDENT_BEGIN} ({block.title})",
        f'{block.indent}raise NotImplementedError("{block.title} is not implemented yet")',
        f"{block.indent}{_STUDENT_END}",
    ]


def _lines(text: str) -> list[str]:
    """Return the lines without line endings (of any system) and trailing whitespace."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return [line.rstrip() for line in text.split("\n")]


def _blocks(text: str, name: str) -> Iterator[_Block]:
    """Split a reference file into given, solution and reference-only blocks.

    Raises:
        MarkerError: see `make_template_text`.
    """
    kind, indent, title, opened = _Kind.GIVEN, "", "", 0
    collected: list[str] = []
    for number, line in enumerate(_lines(text), start=1):
        where = f"{name}:{number}"
        begin = _BEGIN_SOLUTION.match(line) or _BEGIN_REFERENCE_ONLY.match(line)
        end = _END_SOLUTION.match(line) or _END_REFERENCE_ONLY.match(line)
        if begin:
            if kind is not _Kind.GIVEN:
                raise MarkerError(
                    f"{where}: {line.strip()!r} inside the {kind.value} region opened in line "
                    f"{opened}; close that one first, regions do not nest"
                )
            yield _Block(kind, tuple(collected))
            opened, collected, indent = number, [], begin[1]
            kind = _Kind.SOLUTION if begin.re is _BEGIN_SOLUTION else _Kind.REFERENCE_ONLY
            title = f"{begin[2]} {begin[3]}" if kind is _Kind.SOLUTION else ""
        elif end:
            closes = _Kind.SOLUTION if end.re is _END_SOLUTION else _Kind.REFERENCE_ONLY
            if kind is _Kind.GIVEN:
                raise MarkerError(f"{where}: {line.strip()!r} closes nothing; no region is open")
            if kind is not closes:
                raise MarkerError(
                    f"{where}: {line.strip()!r} cannot close the {kind.value} region opened in "
                    f"line {opened}; expected '# END {kind.value}'"
                )
            if end[1] != indent:
                raise MarkerError(
                    f"{where}: {line.strip()!r} is indented by {len(end[1])} spaces, its beginning "
                    f"in line {opened} by {len(indent)}; indent them alike"
                )
            if not any(collected):
                raise MarkerError(f"{where}: the region opened in line {opened} is empty")
            yield _Block(kind, tuple(collected), indent, title)
            kind, collected = _Kind.GIVEN, []
        elif _LOOKS_LIKE_MARKER.search(line):
            raise MarkerError(
                f"{where}: malformed marker {line.strip()!r}; expected a separate line: "
                "'# BEGIN SOLUTION 1.1 Class.method', '# END SOLUTION', '# BEGIN REFERENCE ONLY' "
                "or '# END REFERENCE ONLY'"
            )
        elif _STUDENT_BEGIN in line or _STUDENT_END in line:
            raise MarkerError(
                f"{where}: {line.strip()!r} is a student marker, which only the template has; "
                "mark the region with '# BEGIN SOLUTION ...' instead"
            )
        else:
            collected.append(line)
    if kind is not _Kind.GIVEN:
        raise MarkerError(
            f"{name}:{opened}: the {kind.value} region opened here is not closed; "
            f"expected '# END {kind.value}'"
        )
    yield _Block(kind, tuple(collected))
