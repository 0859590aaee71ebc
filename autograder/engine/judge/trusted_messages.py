"""Which texts of a worker a student may be shown whatever the check: those that are ours.

What a worker says may be of the student's making: it can hold all that the worker was sent. So a
line of source is read from the staged file, the name of a type is shown if it is a common one, and
the text of a `Misuse` if it is one of the sentences that the experiments raise, its blanks filled
with numbers and known words. The sentences are read from the experiments' source with `ast`, as
the inventory reads the checks: importing them would import torch.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

_SANDBOX = Path(__file__).resolve().parents[1] / "sandbox"
_OWN = ("experiment.py", "serve.py")  # a student's machine has the first only
_MAX_FILE_BYTES = 1024 * 1024
# A number, a shape, a dtype: short enough to carry nothing but itself.
_NUMBERS = r"\(?\d{1,9}(?:, ?\d{1,9}){0,7},?\)?|\(\)"
_TYPES = ("Tensor", "Parameter", "ndarray", "Size", "Normal", "Sequential", "NoneType", "dtype")
_COMMON = frozenset({*(name for name in vars(builtins) if name.isidentifier()), *_TYPES})


def known_type(name: object) -> str | None:
    """Return the name of a type if it is a common one, else None."""
    return name if isinstance(name, str) and name in _COMMON else None


def bytes_of(root: Path, file: str) -> bytes | None:
    """Return the content of a staged file; None where there is no such file.

    Args:
        root: the staged submission.
        file: a path that a worker told, so: anything.
    """
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
    """The sentences that experiments raise as `Misuse`.

    Args:
        patterns: a regular expression each, with a group for every blank.
        words: what may stand in a blank beside numbers and common types.
    """

    patterns: tuple[re.Pattern[str], ...] = ()
    words: frozenset[str] = frozenset()

    @staticmethod
    def of_homework(folder: Path) -> TrustedMessages:
        """Collect what a worker may say: the sentences of its own modules and of the experiments.

        Args:
            folder: the homework's.
        """
        own = [path for name in _OWN if (path := _SANDBOX / name).is_file()]
        return TrustedMessages.read([*own, *sorted(folder.glob("experiments/*.py"))])

    @staticmethod
    def read(files: Iterable[Path]) -> TrustedMessages:
        """Collect the sentences of some Python files.

        Raises:
            OSError: a file cannot be read.
            SyntaxError: a file is not Python.
        """
        read = [_sentences_in(path.read_text(encoding="utf-8"), str(path)) for path in files]
        return TrustedMessages(
            tuple(pattern for patterns, _ in read for pattern in patterns),
            frozenset(word for _, words in read for word in words),
        )

    def knowing(self, words: Iterable[str]) -> TrustedMessages:
        """Return these sentences with more words that may stand in a blank."""
        return replace(self, words=self.words.union(words))

    def include(self, text: str, words: Sequence[str] = ()) -> bool:
        """Whether a text is one of the sentences.

        Args:
            text: what a worker said.
            words: more that may stand in a blank, such as the functions that were called.
        """
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


@lru_cache(maxsize=64)  # a judge that is forked from a warm one finds them read
def _sentences_in(text: str, name: str) -> tuple[tuple[re.Pattern[str], ...], frozenset[str]]:
    """The sentences and the words of a Python file."""
    patterns: list[re.Pattern[str]] = []
    words: set[str] = set()
    for node in ast.walk(ast.parse(text, name)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words.add(node.value)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Misuse":
            patterns += [re.compile(_pattern(argument)) for argument in node.args]
    return tuple(patterns), frozenset(words)


def _pattern(argument: ast.expr) -> str:
    """Return the pattern of a string's source; what is filled in becomes a group."""
    if isinstance(argument, ast.Constant):
        return re.escape(str(argument.value))
    return "".join(_pieces(argument))


def _pieces(argument: ast.expr) -> Iterator[str]:
    if not isinstance(argument, ast.JoinedStr):
        yield "(.{1,80}?)"
        return
    for piece in argument.values:
        yield re.escape(str(piece.value)) if isinstance(piece, ast.Constant) else "(.{1,80}?)"
