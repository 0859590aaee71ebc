"""What a check says about an exception of the student's code, in words that cannot be forged."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from autograder.engine.judge.calls import RaisedError
from autograder.engine.judge.exceptions import NotAttempted, Unusable
from autograder.engine.judge.newer_python import (
    explain_annotation,
    explain_missing_name,
    explain_syntax,
)
from autograder.engine.judge.syntax_messages import is_pythons_own
from autograder.engine.judge.trusted_messages import TrustedMessages, bytes_of
from autograder.engine.submission.encoding import SAVE_AS_UTF8, encoding_fault

_LONGEST_LINE = 160
_INDENTATION = "A line is not indented like those around it, or tabs and spaces are mixed."
_NO_SENTENCES = TrustedMessages()


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
    sentences: TrustedMessages = _NO_SENTENCES,
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
        return _unreadable(file, f"Python cannot read {file}: it {fault}.", SAVE_AS_UTF8)
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
        source = error.source or ""
        own = is_pythons_own(error.message, source)
        newer = explain_syntax(source)
        crooked = error.type != "SyntaxError" and not own
        return _unreadable(
            error.file or "your code",
            f"Python cannot read {place}: {error.message if own else error.type}.",
            _lines(f"The line reads: {source}" if source else "", newer),
            hint=_INDENTATION if crooked else "",
            quoted="" if own else error.message,
        )
    if newer := _explain_newer_library(error):
        where = _lines(_quote_source(error, place), newer)
        return Unusable(f"{place} raised {error.type}.", where=where)
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


def _unreadable(file: str, what: str, where: str, hint: str = "", quoted: str = "") -> Unusable:
    conclusion = Unusable(what, where=where, hint=hint, quoted=quoted)
    conclusion.of_file = f"Python cannot read {file}"
    return conclusion


def _explain_newer_library(error: RaisedError) -> str:
    """Return what a newer Python would have had for a line, and what to do; "" for nothing."""
    source = error.source or ""
    if error.type in ("ImportError", "AttributeError"):
        return explain_missing_name(error.message, source)
    return explain_annotation(source) if error.type == "NameError" else ""


def _lines(*texts: str) -> str:
    return "\n".join(filter(None, texts))


def _quote_source(error: RaisedError, place: str) -> str:
    return f"The line reads: {error.source}" if error.source and error.file else ""
