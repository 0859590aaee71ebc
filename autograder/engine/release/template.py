"""The students' copy of the homework: made from the reference by cutting the solutions out.

In the reference, full-line comments mark what students do not get:

    # BEGIN SOLUTION 1.1 MADE.forward     becomes a stub between two student markers
    # END SOLUTION
    # BEGIN REFERENCE ONLY                is cut without trace
    # END REFERENCE ONLY

Nothing here imports or parses the code it handles: all of it works line by line.
"""

import enum
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BEGIN_SOLUTION = re.compile(r"^( *)# BEGIN SOLUTION (\d+\.\d+) ([A-Za-z_][\w.]*)$")
_END_SOLUTION = re.compile(r"^( *)# END SOLUTION$")
_BEGIN_REFERENCE_ONLY = re.compile(r"^( *)# BEGIN REFERENCE ONLY$")
_END_REFERENCE_ONLY = re.compile(r"^( *)# END REFERENCE ONLY$")
# Whatever looks like a marker must be one: a slip of the pen would hand out the solution.
_LOOKS_LIKE_MARKER = re.compile(r"\b(BEGIN|END)[\s_-]*(SOLUTION|REFERENCE)", re.IGNORECASE)
_IMPORT = re.compile(r"(import|from) ")
# A statement on one line, over several by a backslash, or in parentheses.
_ONLY_IMPORT = re.compile(
    r"^[ \t]*(?:import[ \t]|from[ \t]+[.\w]+[ \t]+import\b)"
    r"(?:[ \t]*\([^()]*\)[ \t]*|(?:[\w.,* \t]|\\\n)*)(?:#.*)?$",
    re.MULTILINE,
)

_STUDENT_BEGIN = "# >>> YOUR CODE HERE"
_STUDENT_END = "# <<< END OF YOUR CODE"

_CODE_FOLDER = "codebase"
_SUBMISSION_SCRIPTS = ("make_submission.sh", "make_submission.py")
# Beside these, `make_template` hands out the submission scripts that lie next to the reference.
_HANDED_OUT = (f"{_CODE_FOLDER}/**/*.py", "run_*.py", "*.md", "requirements*.txt")
_SHORTEST_DISTINCTIVE_LINE = 12  # characters; below that a line is an `else:` or a `z = x`


class MarkerError(ValueError):
    """The solution markers of a file do not fit together; the message begins with file:line."""


class _Kind(enum.Enum):
    GIVEN = "given"
    SOLUTION = "SOLUTION"
    REFERENCE_ONLY = "REFERENCE ONLY"


@dataclass(frozen=True)
class _Block:
    """Neighbouring lines of one kind, without their markers."""

    kind: _Kind
    lines: tuple[str, ...]
    indent: str = ""
    title: str = ""  # "1.1 MADE.forward", for a solution


def make_template_text(text: str, name: str) -> str:
    """Return the students' version of one reference file.

    Args:
        text: the reference file.
        name: what errors call the file.

    Returns:
        The text with each solution replaced by a stub that raises NotImplementedError naming its
        handout part, and with the reference-only regions cut out.

    Raises:
        MarkerError: a marker is misspelt, unclosed, nested, stray, or closes at another
            indentation; or a region is empty, or student markers stand in the reference.
    """
    lines: list[str] = []
    cut_before = False
    for block in _blocks(text, name):
        if block.kind is _Kind.SOLUTION:
            lines += _stub(block)
        elif block.kind is _Kind.GIVEN:
            given = block.lines
            # Where a cut leaves a blank line on either side, one of them belonged to what was cut.
            if cut_before and given and not given[0] and (not lines or not lines[-1]):
                given = given[1:]
            lines += given
        cut_before = block.kind is _Kind.REFERENCE_ONLY
    return "\n".join(lines).rstrip("\n") + "\n" if any(lines) else ""


def make_template(reference: Path, destination: Path) -> list[Path]:
    """Write the students' tree made from `reference` into `destination`.

    Students get the code folder's Python files, the drivers, text at the top level, and the
    submission scripts that lie beside the reference; no caches, outputs or written answers.
    Files already in `destination` that are not part of the template are left alone;
    `compare_template` names them.

    Returns:
        The files written, sorted.

    Raises:
        FileNotFoundError: `reference` holds no code folder.
        MarkerError: see `make_template_text`; nothing has been written then.
    """
    contents = _template_files(reference)
    for relative, content in contents.items():
        target = destination / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.text)
        target.chmod(0o755 if content.executable else 0o644)
    return [destination / relative for relative in contents]


def compare_template(reference: Path, template: Path) -> list[str]:
    """Return how `template` differs from what the reference gives now, one line a difference.

    Returns:
        Sorted lines naming missing, changed, unexpected and no longer executable files; empty
        when the two are in step. Caches and training outputs are not looked at.

    Raises:
        FileNotFoundError, MarkerError: as `make_template`.
    """
    expected = _template_files(reference)
    found = _handed_out_files(template)
    differences: list[str] = []
    for relative in sorted(expected.keys() | found.keys()):
        path = found.get(relative)
        content = expected.get(relative)
        if path is None:
            differences.append(f"{relative}: missing from {template}")
        elif content is None:
            differences.append(f"{relative}: not made from {reference}; delete it")
        elif (line := _first_difference(content.text, path.read_bytes())) is not None:
            differences.append(f"{relative}:{line}: differs from what {reference} gives")
        elif content.executable and not _is_executable(path):
            differences.append(f"{relative}: is not executable")
    return differences


def collapse_regions(text: str) -> str:
    """Return template or student text with what lies between the student markers removed.

    Line endings, trailing whitespace, a byte-order mark and blank lines at the end are
    normalised, so that two texts are equal after this if and only if they differ inside the
    marked regions alone. A region that is not closed is left as it is.

    The time taken is linear in the length of the text, which may be anything.
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

    What lies between the student markers does not count, nor do imports: a solution may need more
    of them, and they change nothing that was given. The time taken is linear in the lengths.
    """
    found, expected = (
        _ONLY_IMPORT.sub("", collapse_regions(each)).splitlines() for each in (text, given)
    )
    known, kept = set(expected), set(found)
    added = [line.strip() for line in found if line.strip() and line not in known]
    return added, [line.strip() for line in expected if line.strip() and line not in kept]


def solution_fragments(text: str, name: str = "reference") -> list[str]:
    """Return the distinctive code lines of a reference file's solutions.

    None of them may appear in what students can see.

    Args:
        text: the reference file.
        name: what errors call the file.

    Returns:
        Stripped lines of code without trailing comments, in order of appearance and without
        repetition. Left out are comments, imports (other files may well be given the same),
        short lines, and lines that also occur in the given code.

    Raises:
        MarkerError: see `make_template_text`.
    """
    blocks = list(_blocks(text, name))
    given = {_code(line) for block in blocks if block.kind is _Kind.GIVEN for line in block.lines}
    fragments: dict[str, None] = {}  # a set that keeps its order
    for block in blocks:
        if block.kind is _Kind.GIVEN:
            continue
        for line in map(_code, block.lines):
            telling = len(line) >= _SHORTEST_DISTINCTIVE_LINE and not _IMPORT.match(line)
            if telling and line not in given:
                fragments[line] = None
    return list(fragments)


def solution_regions(text: str, name: str = "reference") -> list[tuple[str, str]]:
    """Return title ("1.1 MADE.forward") and code of every region that students do not get.

    Args:
        text: the reference file.
        name: what errors call the file.

    Raises:
        MarkerError: see `make_template_text`.
    """
    return [
        (block.title or "what only the reference has", "\n".join(block.lines))
        for block in _blocks(text, name)
        if block.kind is not _Kind.GIVEN
    ]


@dataclass(frozen=True)
class _Content:
    text: bytes
    executable: bool


def _template_files(reference: Path) -> dict[str, _Content]:
    """Return the template's files by their relative path, sorted."""
    if not (reference / _CODE_FOLDER).is_dir():
        raise FileNotFoundError(
            f"{reference} holds no folder {_CODE_FOLDER}/: is this the reference solution?"
        )
    sources = _handed_out_files(reference)
    for name in _SUBMISSION_SCRIPTS:
        script = reference.parent / name
        if name not in sources and script.is_file():
            sources[name] = script
    return {
        relative: _Content(
            make_template_text(source.read_text(encoding="utf-8"), relative).encode("utf-8"),
            _is_executable(source),
        )
        for relative, source in sorted(sources.items())
    }


def _handed_out_files(root: Path) -> dict[str, Path]:
    """Return what students get, or could have got, of a tree, by relative path."""
    patterns = (*_HANDED_OUT, *_SUBMISSION_SCRIPTS)
    return {
        path.relative_to(root).as_posix(): path
        for pattern in patterns
        for path in root.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }


def _is_executable(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IXUSR)


def _first_difference(expected: bytes, found: bytes) -> int | None:
    """Return the number of the first line in which two files differ, or None."""
    if expected == found:
        return None
    lines, others = expected.split(b"\n"), found.split(b"\n")
    for number, (line, other) in enumerate(zip(lines, others, strict=False), start=1):
        if line != other:
            return number
    return min(len(lines), len(others)) + 1


def _stub(block: _Block) -> list[str]:
    return [
        f"{block.indent}{_STUDENT_BEGIN} ({block.title})",
        f'{block.indent}raise NotImplementedError("{block.title} is not implemented yet")',
        f"{block.indent}{_STUDENT_END}",
    ]


def _lines(text: str) -> list[str]:
    """Return the lines without their endings (of any system) and without trailing whitespace."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return [line.rstrip() for line in text.split("\n")]


def _code(line: str) -> str:
    """Return a line's code, stripped of its indentation and of a comment after it."""
    stripped = line.strip()
    return "" if stripped.startswith("#") else stripped.split("  #", 1)[0].rstrip()


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
                f"{where}: malformed marker {line.strip()!r}; expected a line of its own: "
                "'# BEGIN SOLUTION 1.1 Class.method', '# END SOLUTION', '# BEGIN REFERENCE ONLY' "
                "or '# END REFERENCE ONLY'"
            )
        elif _STUDENT_BEGIN in line or _STUDENT_END in line:
            raise MarkerError(
                f"{where}: {line.strip()!r} is a student marker; they are made, not written: "
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
