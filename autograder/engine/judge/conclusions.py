"""What a check says about an exception of the student's code, in words that cannot be forged."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from autograder.engine.encoding import SAVE_AS_UTF8, encoding_fault
from autograder.engine.judge.client import RaisedError
from autograder.engine.judge.sentences import Sentences, bytes_of
from autograder.engine.judge.verdicts import NotAttempted, Unusable

_LONGEST_LINE = 160
_INDENTATION = "A line is not indented like those around it, or tabs and spaces are mixed."
_NO_SENTENCES = Sentences()


def with_source(error: RaisedError, submission: Path, needs: str = "") -> RaisedError:
    """Put beside what the worker told what the files that were handed in say about it.

    Args:
        error: what the worker told.
        submission: the staged files.
        needs: the file that was asked for.

    Returns:
        the error with the line that raised, and with the file that Python cannot decode.
    """
    content = bytes_of(submission, error.file or "")
    error = replace(error, undecodable=_undecodable(error, submission, (error.file or "", needs)))
    if content is None:
        return replace(error, file=None, line=None, source=None)
    lines = content.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if error.line is None or error.line > len(lines):
        return replace(error, line=None, source=None)
    return replace(error, source=lines[error.line - 1].strip()[:_LONGEST_LINE] or None)


def _undecodable(
    error: RaisedError, submission: Path, files: Sequence[str]
) -> tuple[str, str] | None:
    """Return a file that Python cannot decode and why: it tells so in one of several types."""
    if error.type not in ("SyntaxError", "ValueError", "UnicodeDecodeError"):
        return None
    for file in files:
        fault = encoding_fault(bytes_of(submission, file) or b"")
        if fault:
            return file, fault
    return None


def conclusion_of(
    error: RaisedError,
    sentences: Sentences = _NO_SENTENCES,
    words: Sequence[str] = (),
) -> BaseException:
    """Return what a check concludes from an exception of the student's code.

    Args:
        error: what the worker told, with the line of source put in by `with_source`.
        sentences: the texts of a `Misuse` that are shown whatever the check.
        words: what may stand in their blanks beside known words.
    """
    place = error.file or "your code"
    if error.file and error.line:
        place = f"{error.file}, line {error.line}"
    if error.undecodable:
        file, fault = error.undecodable
        return Unusable(f"Python cannot read {file}: it {fault}.", hint=SAVE_AS_UTF8)
    # Torch raises it too, for what it cannot do: only a line that says so is a stub.
    if error.type == "NotImplementedError" and error.type in (error.source or ""):
        return NotAttempted(f"Not attempted: {place} still raises NotImplementedError.")
    if error.misuse:
        where = _quote_source(error, place)
        if sentences.include(error.message, words):
            return Unusable(f"{error.message}.", where=where)
        return Unusable(
            "Your code used what it was given in a way that cannot work.",
            where=where,
            quoted=error.message,
        )
    if error.type in ("SyntaxError", "IndentationError", "TabError"):
        return Unusable(
            f"Python cannot read {place}: {error.type}.",
            where=f"The line reads: {error.source}" if error.source else "",
            hint=_INDENTATION if error.type in ("IndentationError", "TabError") else "",
            quoted=error.message,
        )
    if error.type in ("ModuleNotFoundError", "ImportError"):
        return Unusable(
            f"{place} imports something that is not there.",
            where=_quote_source(error, place),
            hint="What the template imports is there, and Python's own library; little else is.",
            quoted=error.message,
        )
    if error.type == "TypeError" and error.file is None:
        return Unusable(
            "Your code could not be called as the template's would be (TypeError).",
            hint="Keep names, arguments and their order as the template has them.",
            quoted=error.message,
        )
    known = isinstance(getattr(builtins, error.type, None), type)
    kind = error.type if known else "an exception"
    return Unusable(
        f"{place} raised {kind}.", where=_quote_source(error, place), quoted=error.message
    )


def _quote_source(error: RaisedError, place: str) -> str:
    return f"The line reads: {error.source}" if error.source and error.file else ""
