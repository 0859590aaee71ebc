"""Find what the grader's older Python cannot read or import in a student's file."""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

# What the standard library has since which version, as far as a homework might use it.
_MODULES = {"tomllib": (3, 11), "annotationlib": (3, 14), "compression": (3, 14)}
_NAMES = {
    "typing": {
        (3, 11): "Self LiteralString Never assert_never assert_type reveal_type Required "
        "NotRequired Unpack TypeVarTuple dataclass_transform",
        (3, 12): "override TypeAliasType",
        (3, 13): "ReadOnly TypeIs NoDefault",
    },
    "enum": {(3, 11): "StrEnum ReprEnum verify property member nonmember"},
    "math": {(3, 11): "cbrt exp2", (3, 12): "sumprod", (3, 13): "fma"},
    "itertools": {(3, 12): "batched"},
    "datetime": {(3, 11): "UTC"},
    "contextlib": {(3, 11): "chdir"},
    "warnings": {(3, 13): "deprecated"},
    "copy": {(3, 13): "replace"},
}


def problems(text: str, name: str, version: tuple[int, int]) -> list[str]:
    """Say what Python of this version cannot do with a file that this Python can read.

    Args:
        text: the file's.
        name: such as "codebase/gan.py".
        version: the grader's, such as (3, 10).
    """
    if sys.version_info[:2] <= version:
        return []
    try:
        tree = ast.parse(text, name)
    except (SyntaxError, ValueError):  # then the checks say so themselves
        return []
    found = [*_new_syntax(text, version), *_new_imports(tree, version)]
    return [
        f"{name}, line {line}: {what} needs Python {newest[0]}.{newest[1]}; Gradescope has "
        f"{version[0]}.{version[1]}, so there the file cannot be used. You have "
        f"{sys.version_info[0]}.{sys.version_info[1]} here: write it without."
        for line, what, newest in found
    ]


def read(path: Path) -> str:
    """Return a file's text, "" where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


_Found = tuple[int, str, tuple[int, int]]


def _new_syntax(text: str, version: tuple[int, int]) -> Iterator[_Found]:
    for minor in reversed(range(version[1], sys.version_info[1])):
        try:
            ast.parse(text, feature_version=(3, minor))
        except SyntaxError as error:
            what = (
                error.msg.partition(" only supported")[0].removesuffix(" is").removesuffix(" are")
            )
            yield error.lineno or 1, f"this syntax ({what})", (3, minor + 1)
            break
    if version < (3, 12):
        yield from _new_f_strings(text)


def _new_f_strings(text: str) -> Iterator[_Found]:
    """Find f-strings as only 3.12 reads them: the same quotes or a backslash within braces."""
    start = getattr(tokenize, "FSTRING_START", None)
    end = getattr(tokenize, "FSTRING_END", None)
    if start is None:
        return
    quotes: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (start, tokenize.STRING) and quotes:
            own = token.string.lstrip("rRbBfFuU")
            if own.startswith(quotes[-1]) or quotes[-1] in own or "\\" in token.string:
                yield token.start[0], "these quotes within an f-string", (3, 12)
        if token.type == tokenize.NL and quotes and len(quotes[-1]) == 1:
            yield token.start[0], "a line break within an f-string's braces", (3, 12)
        if token.type == tokenize.COMMENT and quotes:
            yield token.start[0], "a comment within an f-string", (3, 12)
        if token.type == start:
            quotes.append(token.string.lstrip("rRbBfF"))
        elif token.type == end:
            quotes.pop()


def _new_imports(tree: ast.AST, version: tuple[int, int]) -> Iterator[_Found]:
    for node in ast.walk(tree):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [node.module]
            for since, names in _NAMES.get(node.module, {}).items():
                for alias in node.names:
                    if since > version and alias.name in names.split():
                        yield node.lineno, f"from {node.module} import {alias.name}", since
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            for since, names in _NAMES.get(node.value.id, {}).items():
                if since > version and node.attr in names.split():
                    yield node.lineno, f"{node.value.id}.{node.attr}", since
        for module in modules:
            since = _MODULES.get(module.partition(".")[0], version)
            if since > version and isinstance(node, ast.stmt):
                yield node.lineno, f"import {module}", since
