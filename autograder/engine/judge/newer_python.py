"""Code that needs a newer Python than the one that grades: the version, and the way out.

The Python that grades cannot parse such a line, and its message ("invalid syntax") does not say
that the line is correct elsewhere: `explain_...` recognise the line by its text. A newer Python can
parse it, on a student's machine: `problems_with` warns before the code is handed in.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

_MODULE = r"[A-Za-z_][\w.]*"
_IMPORT_NAME = re.compile(rf"cannot import name '(\w+)' from '({_MODULE})'(?: \(.*\))?", re.DOTALL)
_NO_ATTRIBUTE = re.compile(rf"module '({_MODULE})' has no attribute '(\w+)'.*", re.DOTALL)
_LAZY_ANNOTATIONS = (3, 14)
# The first versions with these parts of the standard library, as far as a homework may use them.
_NEW_MODULES = {"tomllib": (3, 11), "annotationlib": (3, 14), "compression": (3, 14)}
_NEW_NAMES = {
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


@dataclass(frozen=True)
class _Feature:
    """A piece of grammar: its first version, its name, and what to write in its place."""

    since: tuple[int, int]
    line: re.Pattern[str]
    what: str
    instead: str


_FEATURES = (
    _Feature(
        (3, 12),
        re.compile(r"^type\s+\w+\s*(?:\[.*\]\s*)?="),
        "the type statement",
        "Write `X = ...` in place of `type X = ...`.",
    ),
    _Feature(
        (3, 12),
        re.compile(r"(?:\bdef|\bclass)\s+\w+\s*\["),
        "type parameters in square brackets",
        "Leave them out.",
    ),
    _Feature((3, 11), re.compile(r"\bexcept\s*\*"), "except*", "Use except."),
    _Feature(
        (3, 11),
        re.compile(r"\w\[(?:[^\]]*,)?\s*\*\w"),
        "a star within an index",
        "Write the index as a tuple: `a[(*b, c)]`.",
    ),
    _Feature(
        (3, 14),
        re.compile(r"(?<![\w\"'])[rR]?[tT][rR]?['\"]"),
        "a template string",
        "Use an f-string.",
    ),
)
_F_STRING = r"(?<![\w\"'])[rR]?[fF][rR]?"
_NESTED_QUOTES = _Feature(
    (3, 12),
    re.compile(
        _F_STRING + r"(\"\"\"|'''|[\"'])(?:(?!\1).)*?\{(?:(?!\1)[^{}])*(?<=[\[(,={+\s])\1.*\}.*\1"
    ),
    "the same quotes inside an f-string as around it",
    "Use the other kind of quotes inside the braces.",
)
_BACKSLASH = _Feature(
    (3, 12),
    re.compile(_F_STRING + r"[\"'].*\{[^{}]*\\[^{}]*\}"),
    "a backslash within the braces of an f-string",
    "Compute the value on a separate line and put its name into the f-string.",
)
_OPEN_BRACES = _Feature(
    (3, 12),
    re.compile(_F_STRING + r"([\"'])(?!\1\1)(?:(?!\1).)*\{[^{}\"']*(?:#.*)?$"),
    "an f-string with braces over several lines",
    "Compute the value on separate lines and put its name into the f-string.",
)


def explain_syntax(source: str, here: tuple[int, int] = sys.version_info[:2]) -> str:
    """Return why a line needs a newer Python, and what to do; "" if it does not."""
    for feature in (*_FEATURES, _NESTED_QUOTES, _BACKSLASH, _OPEN_BRACES):
        if feature.since > here and feature.line.search(source):
            return (
                f"The autograder runs Python {_dotted(here)}, but this line needs Python "
                f"{_dotted(feature.since)}: {feature.what}. {feature.instead}"
            )
    return ""


def explain_missing_name(
    message: str, source: str, here: tuple[int, int] = sys.version_info[:2]
) -> str:
    """Return the name that the standard library lacks here, and what to do; "" if there is none.

    Args:
        message: from a worker, such as "cannot import name 'override' from 'typing'"; trusted if
            the line of source contains both names.
        source: the line that raised, as it was handed in.
        here: the version that grades.
    """
    if match := _IMPORT_NAME.fullmatch(message):
        name, module = match[1], match[2]
    elif match := _NO_ATTRIBUTE.fullmatch(message):
        module, name = match[1], match[2]
    else:
        return ""
    words = re.findall(r"\w+", source)
    if name not in words or not set(module.split(".")) <= {*words}:
        return ""
    if module.partition(".")[0] not in sys.stdlib_module_names:
        return ""
    return (
        f"The autograder runs Python {_dotted(here)}, whose `{module}` has no `{name}`. If your "
        "Python has it, yours is a different version: write the code without it."
    )


def explain_annotation(source: str, here: tuple[int, int] = sys.version_info[:2]) -> str:
    """Return why a line with annotations may raise a NameError here only; "" if it cannot."""
    if here >= _LAZY_ANNOTATIONS or not re.match(r"(?:async\s+)?def\s.*(?::\s*\w|->)", source):
        return ""
    return (
        f"The autograder runs Python {_dotted(here)}, which evaluates the annotations of this line "
        f"when the file is imported; Python {_dotted(_LAZY_ANNOTATIONS)} does not. Import the "
        "name, or put `from __future__ import annotations` at the top of the file."
    )


def problems_with(text: str, name: str, version: tuple[int, int]) -> list[str]:
    """Return why an older Python, the `version` that grades, cannot read a file."""
    if sys.version_info[:2] <= version:
        return []
    try:
        tree = ast.parse(text, name)
    except (SyntaxError, ValueError):  # the checks report it
        return []
    return [
        f"{name}, line {line}: {feature} needs Python {_dotted(since)}, but Gradescope runs Python "
        f"{_dotted(version)} and cannot load the file. You have Python "
        f"{_dotted(sys.version_info[:2])} here; write the line without it."
        for line, feature, since in (*_new_syntax(text, version), *_new_imports(tree, version))
    ]


# Line, name and first version of a new feature.
_NewCode = tuple[int, str, tuple[int, int]]


def _new_syntax(text: str, version: tuple[int, int]) -> Iterator[_NewCode]:
    for minor in reversed(range(version[1], sys.version_info[1])):
        try:
            ast.parse(text, feature_version=(3, minor))
        except SyntaxError as error:
            named = error.msg.partition(" only supported")[0]
            named = named.removesuffix(" is").removesuffix(" are")
            yield error.lineno or 1, f"this syntax ({named})", (3, minor + 1)
            break
    if version < (3, 12):
        yield from _new_f_strings(text)


def _new_f_strings(text: str) -> Iterator[_NewCode]:
    """Find f-strings that need Python 3.12; an older Python has no such tokens."""
    start = getattr(tokenize, "FSTRING_START", None)
    end = getattr(tokenize, "FSTRING_END", None)
    if start is None:
        return
    outer: list[str] = []  # quotes of the f-strings around a token
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        line = token.start[0]
        if token.type == end:
            outer.pop()
        elif token.type == start or (token.type == tokenize.STRING and outer):
            quotes = token.string.lstrip("rRbBuUfF")
            quotes = quotes[: 3 if quotes[:3] in ("'''", '"""') else 1]
            if quotes in outer:
                yield line, "the same quotes inside an f-string as around it", (3, 12)
            elif token.type == tokenize.STRING and "\\" in token.string:
                yield line, "a backslash within an f-string's braces", (3, 12)
            if token.type == start:
                outer.append(quotes)
        elif token.type == tokenize.COMMENT and outer:
            yield line, "a comment within an f-string's braces", (3, 12)
        elif token.type == tokenize.NL and outer and len(outer[-1]) == 1:
            yield line, "a line break within an f-string's braces", (3, 12)


def _new_imports(tree: ast.AST, version: tuple[int, int]) -> Iterator[_NewCode]:
    for node in ast.walk(tree):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [node.module]
            for since, names in _NEW_NAMES.get(node.module, {}).items():
                for alias in node.names:
                    if since > version and alias.name in names.split():
                        yield node.lineno, f"from {node.module} import {alias.name}", since
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            for since, names in _NEW_NAMES.get(node.value.id, {}).items():
                if since > version and node.attr in names.split():
                    yield node.lineno, f"{node.value.id}.{node.attr}", since
        for module in modules:
            since = _NEW_MODULES.get(module.partition(".")[0], version)
            if since > version and isinstance(node, ast.stmt):
                yield node.lineno, f"import {module}", since


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
