"""The messages of a worker that students may read after every check: our own.

A worker's text may be written by the student's code and contain everything that the worker was
sent. So a line of source is read from the staged file, the name of a type is shown if it is a
common one, and the text of a `Misuse` if it is one of the messages that the experiments raise, its
blanks filled with numbers and known words. The messages are read from the experiments' source with
`ast`: importing them would import torch.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

from autograder.engine.submission.imports import missing_packages

_SANDBOX = Path(__file__).resolve().parents[1] / "sandbox"
_OWN = ("experiment.py", "serve.py")  # a student's machine has the first only
_MAX_FILE_BYTES = 1024 * 1024
# A number or a shape: too short to carry anything else.
_NUMBERS = r"\(?\d{1,9}(?:, ?\d{1,9}){0,7},?\)?|\(\)"
_TYPES = ("Tensor", "Parameter", "ndarray", "Size", "Normal", "Sequential", "NoneType", "dtype")
_COMMON = frozenset({*(name for name in vars(builtins) if name.isidentifier()), *_TYPES})


def known_type(name: object) -> str | None:
    """Return the name of a type if it is a common one, else None."""
    return name if isinstance(name, str) and name in _COMMON else None


def bytes_of(root: Path, file: str) -> bytes | None:
    """Return the content of a staged file, None without one; its path is not to be trusted."""
    parts = PurePosixPath(file).parts
    if not parts or parts[0] == "/" or ".." in parts or "\0" in file:
        return None
    path = root.joinpath(*parts)
    try:
        if not path.is_file() or path.stat().st_size > _MAX_FILE_BYTES:
            return None
        return path.read_bytes()
    except OSError:  # a name that is too long, for instance
        return None


@dataclass(frozen=True)
class TrustedMessages:
    """The messages that experiments raise as `Misuse`.

    Args:
        patterns: a regular expression for each, with a group for every blank.
        words: allowed in a blank, as are numbers and common types.
    """

    patterns: tuple[re.Pattern[str], ...] = ()
    words: frozenset[str] = frozenset()

    @staticmethod
    def of_homework(folder: Path) -> TrustedMessages:
        """Collect the messages of the worker's own modules and of a homework's experiments."""
        own = [path for name in _OWN if (path := _SANDBOX / name).is_file()]
        theirs = [*folder.glob("experiments.py"), *sorted(folder.glob("experiments/*.py"))]
        return TrustedMessages.read([*own, *theirs])

    @staticmethod
    def of_submission(folder: Path, submission: Path, files: Sequence[str]) -> TrustedMessages:
        """Collect a homework's messages; a blank may name a student's file or a missing package.

        Args:
            folder: the homework's.
            submission: the staged files.
            files: the names of the student's files; only packages that they import may be named.
        """
        absent = (missing.package for missing in missing_packages(submission, files))
        messages = TrustedMessages.of_homework(folder)
        return replace(messages, words=messages.words.union(files, absent))

    @staticmethod
    def read(files: Iterable[Path]) -> TrustedMessages:
        """Collect the messages in Python files.

        Raises:
            OSError: a file cannot be read.
            SyntaxError: a file is not Python.
        """
        read = [_messages_in(path.read_text(encoding="utf-8"), str(path)) for path in files]
        return TrustedMessages(
            tuple(pattern for patterns, _ in read for pattern in patterns),
            frozenset(word for _, words in read for word in words),
        )

    def include(self, text: str, words: Sequence[str] = ()) -> bool:
        """Whether a worker's text is one of these messages; its blanks may have these words too."""
        return any(
            all(self._fits(blank, words) for blank in match.groups())
            for match in (pattern.fullmatch(text) for pattern in self.patterns)
            if match is not None
        )

    def _fits(self, blank: str, words: Sequence[str]) -> bool:
        return (
            re.fullmatch(_NUMBERS, blank) is not None
            or blank in _COMMON
            or blank in self.words
            or blank in words
        )


@lru_cache(maxsize=64)  # a warm judge fills this before it forks
def _messages_in(text: str, name: str) -> tuple[tuple[re.Pattern[str], ...], frozenset[str]]:
    """Return the messages and the words in a Python file."""
    patterns: list[re.Pattern[str]] = []
    words: set[str] = set()
    for node in ast.walk(ast.parse(text, name)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words.add(node.value)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Misuse":
            patterns += [re.compile(_pattern(argument)) for argument in node.args]
    return tuple(patterns), frozenset(words)


def _pattern(argument: ast.expr) -> str:
    """Return the pattern of a string's source, with a group for each blank."""
    if isinstance(argument, ast.Constant):
        return re.escape(str(argument.value))
    return "".join(_pieces(argument))


def _pieces(argument: ast.expr) -> Iterator[str]:
    if not isinstance(argument, ast.JoinedStr):
        yield "(.{1,80}?)"
        return
    for piece in argument.values:
        yield re.escape(str(piece.value)) if isinstance(piece, ast.Constant) else "(.{1,80}?)"
