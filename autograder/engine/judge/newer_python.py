"""Code that a newer Python accepts than the one that grades: which version, and what to write.

The Python that grades cannot parse such a line, and its own message ("invalid syntax") does not say
that the line is right elsewhere. So the line is recognised by its text.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

_MODULE = r"[A-Za-z_][\w.]*"
_IMPORT_NAME = re.compile(rf"cannot import name '(\w+)' from '({_MODULE})'(?: \(.*\))?", re.DOTALL)
_NO_ATTRIBUTE = re.compile(rf"module '({_MODULE})' has no attribute '(\w+)'.*", re.DOTALL)
_LAZY_ANNOTATIONS = (3, 14)


@dataclass(frozen=True)
class _Feature:
    """A piece of grammar: the first version that has it, its name, what to write in its place."""

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
    "Compute the value in a line of its own and put its name into the f-string.",
)
_OPEN_BRACES = _Feature(
    (3, 12),
    re.compile(_F_STRING + r"([\"'])(?!\1\1)(?:(?!\1).)*\{[^{}\"']*(?:#.*)?$"),
    "an f-string with braces over several lines",
    "Compute the value in lines of its own and put its name into the f-string.",
)


def explain_syntax(source: str, here: tuple[int, int] = sys.version_info[:2]) -> str:
    """Return why a line is right in a newer Python only, and what to do; "" where it is not.

    Args:
        source: a line that Python could not parse.
        here: the version that grades.
    """
    for feature in (*_FEATURES, _NESTED_QUOTES, _BACKSLASH, _OPEN_BRACES):
        if feature.since > here and feature.line.search(source):
            return (
                f"Python {_dotted(here)} grades here, and this line needs Python "
                f"{_dotted(feature.since)}: {feature.what}. {feature.instead}"
            )
    return ""


def explain_missing_name(
    message: str, source: str, here: tuple[int, int] = sys.version_info[:2]
) -> str:
    """Return which name Python's own library lacks here, and what to do; "" where it lacks none.

    Args:
        message: a worker's word, such as "cannot import name 'override' from 'typing'": believed
            where both names stand in the line of source.
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
        f"Python {_dotted(here)} grades here, and its `{module}` has no `{name}`. If your own "
        "Python has it, yours is another version: do without it."
    )


def explain_annotation(source: str, here: tuple[int, int] = sys.version_info[:2]) -> str:
    """Return why a line with annotations may raise a NameError here only; "" where it cannot."""
    if here >= _LAZY_ANNOTATIONS or not re.match(r"(?:async\s+)?def\s.*(?::\s*\w|->)", source):
        return ""
    return (
        f"Python {_dotted(here)} grades here: it evaluates the annotations of this line when the "
        f"file is imported, and Python {_dotted(_LAZY_ANNOTATIONS)} does not. Import the name, or "
        "put `from __future__ import annotations` at the top of the file."
    )


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
