"""From an error raised by the student's code to a check's conclusion, in words he cannot forge."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from autograder.engine.judge.calls import RaisedError
from autograder.engine.judge.exceptions import CheckStopped, NotAttempted, Unusable
from autograder.engine.judge.newer_python import (
    explain_annotation,
    explain_missing_name,
    explain_syntax,
)
from autograder.engine.judge.syntax_messages import is_pythons_own
from autograder.engine.judge.trusted_messages import TrustedMessages, bytes_of
from autograder.engine.submission.encoding import SAVE_AS_UTF8, encoding_fault

NO_MESSAGES = TrustedMessages()
_LONGEST_LINE = 160
_INDENTATION = "A line is not indented like those around it, or tabs and spaces are mixed."


def conclusion_of_call(
    error: RaisedError,
    submission: Path,
    file: str,
    functions: Sequence[str] = (),
    messages: TrustedMessages = NO_MESSAGES,
) -> Unusable | CheckStopped:
    """Return a check's conclusion from an error raised in a call.

    Args:
        error: as the worker reports it.
        submission: the staged files.
        file: the student's file that was called.
        functions: the functions that were called.
        messages: texts of a `Misuse` that students may read after every check.
    """
    return conclusion_of(with_source(error, submission, file), messages, (*functions, file))


def conclusion_of_import(
    error: RaisedError, submission: Path, file: str, messages: TrustedMessages = NO_MESSAGES
) -> Unusable | CheckStopped:
    """Return a check's conclusion from an error raised while a file was imported."""
    error = with_source(error, submission, file)
    conclusion = conclusion_of(replace(error, file=error.file or file), messages, (file,))
    if isinstance(conclusion, Unusable):
        conclusion.of_file = conclusion.of_file or not_imported(file)
    return conclusion


def not_imported(file: str) -> str:
    """Name the fault of a file that cannot be imported."""
    return f"{file} cannot be imported"


def with_source(error: RaisedError, submission: Path, file: str = "") -> RaisedError:
    """Return the error with the line that raised it, and with a file that Python cannot decode.

    Both are read from the staged files, whatever the worker reports.

    Args:
        error: as the worker reports it.
        submission: the staged files.
        file: the student's file that was called.
    """
    content = bytes_of(submission, error.file or "")
    error = replace(error, undecodable=_undecodable(error, submission, (error.file or "", file)))
    if content is None:
        return replace(error, file=None, line=None, source=None)
    lines = content.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if error.line is None or error.line > len(lines):
        return replace(error, line=None, source=None)
    return replace(error, source=lines[error.line - 1].strip()[:_LONGEST_LINE] or None)


def _undecodable(
    error: RaisedError, submission: Path, files: Sequence[str]
) -> tuple[str, str] | None:
    """Return a file that Python cannot decode and why; its error has one of several types."""
    if error.type not in ("SyntaxError", "ValueError", "UnicodeDecodeError"):
        return None
    for file in files:
        fault = encoding_fault(bytes_of(submission, file) or b"")
        if fault:
            return file, fault
    return None


def conclusion_of(
    error: RaisedError, messages: TrustedMessages = NO_MESSAGES, words: Sequence[str] = ()
) -> Unusable | CheckStopped:
    """Return a check's conclusion from an error whose source was added by `with_source`.

    Args:
        error: the error.
        messages: texts of a `Misuse` that students may read after every check.
        words: allowed in the messages' blanks, as are their own words.
    """
    place = error.file or "your code"
    if error.file and error.line:
        place = f"{error.file}, line {error.line}"
    line = f"The line reads: {error.source}" if error.source and error.file else ""
    if error.undecodable:
        file, fault = error.undecodable
        return _unreadable(file, f"Python cannot read {file}: it {fault}.", SAVE_AS_UTF8)
    # Torch raises it too, for what it cannot do: only a line that names it is a stub.
    if error.type == "NotImplementedError" and error.type in (error.source or ""):
        return NotAttempted(f"Not attempted: {place} still raises NotImplementedError.")
    if error.misuse:
        if messages.include(error.message, words):
            return Unusable(f"{error.message}.", where=line)
        return Unusable(
            "Your code used an input in a way that cannot work.",
            where=line,
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
        return Unusable(f"{place} raised {error.type}.", where=_lines(line, newer))
    if error.type in ("ModuleNotFoundError", "ImportError"):
        return Unusable(
            f"{place} imports a module or name that does not exist here.",
            where=line,
            hint="Import only from Python's standard library and what the template imports.",
            quoted=error.message,
        )
    if error.type == "TypeError" and error.file is None:
        return Unusable(
            "Your code cannot be called in the way that the template's is called (TypeError).",
            hint="Keep the template's names and arguments, in the same order.",
            quoted=error.message,
        )
    is_builtin = isinstance(getattr(builtins, error.type, None), type)
    kind = error.type if is_builtin else "an exception"
    return Unusable(f"{place} raised {kind}.", where=line, quoted=error.message)


def _unreadable(file: str, problem: str, where: str, hint: str = "", quoted: str = "") -> Unusable:
    conclusion = Unusable(problem, where=where, hint=hint, quoted=quoted)
    conclusion.of_file = f"Python cannot read {file}"
    return conclusion


def _explain_newer_library(error: RaisedError) -> str:
    """Return the name that only a newer Python has, and what to do; "" if there is none."""
    source = error.source or ""
    if error.type in ("ImportError", "AttributeError"):
        return explain_missing_name(error.message, source)
    return explain_annotation(source) if error.type == "NameError" else ""


def _lines(*texts: str) -> str:
    return "\n".join(filter(None, texts))
