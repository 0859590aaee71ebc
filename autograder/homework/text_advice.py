"""Advice on a file's text: edits outside the regions, missing packages, torch.compile."""

from __future__ import annotations

import re
from collections.abc import Sequence

from autograder.engine.judge.base_plugin import Submitted
from autograder.engine.judge.exceptions import Advice, NotAttempted, advising
from autograder.engine.release.template import (
    MarkerError,
    edits_outside_regions,
    make_template_text,
)
from autograder.engine.submission.encoding import encoding_fault
from autograder.homework.student import Student

_SHOWN = 100
_LISTED = 3
_COMPILES = re.compile(
    r"^[^#\n]*\b(torch\.compile\b|from torch import [^#\n]*\bcompile\b)", re.MULTILINE
)


def advise_on_text(submitted: Submitted, student: Student, name: str) -> None:
    """Give advice on the text of a file.

    Args:
        submitted: the student's and the template's files.
        student: imports the file; without any advice, that must work.
        name: the file, "codebase/gan.py".

    Raises:
        Advice: there is some.
        NotAttempted: the file is missing, unchanged, not UTF-8, or cannot be imported.
    """
    text, template = submitted.text(name), submitted.template(name)
    if text is None or text == template or encoding_fault(submitted.content(name)):
        raise NotAttempted("Not attempted: nothing to advise on.")
    advice = (  # the summary quotes the first
        _on_imports(submitted, name),
        _on_compiling(text, name),
        _on_edits(text, template, name),
    )
    if any(advice):
        raise Advice("\n".join([*filter(None, advice), "No points are lost for this."]))
    with advising():
        student.import_file(name)


def _on_edits(text: str, template: str, name: str) -> str:
    if "# BEGIN SOLUTION " in text:  # the reference is graded
        try:
            text = make_template_text(text, name)
        except MarkerError:  # or the student wrote such a line
            return f"{name} contains markers that the template does not."
    added, missing = edits_outside_regions(text, template)
    if not added and not missing:
        return ""
    first = f"for instance: {added[0][:_SHOWN]}" if added else "lines of the template are missing"
    return (
        f"{name} is changed outside the marked regions: {_lines(added)} added or changed, "
        f"{_lines(missing)} of the template removed ({first}). That is allowed, but the rest of "
        "the homework relies on them."
    )


def _lines(lines: Sequence[str]) -> str:
    return f"{len(lines)} line{'s' * (len(lines) != 1)}"


def _on_imports(submitted: Submitted, name: str) -> str:
    """Name the packages that are not installed and were replaced by a stand-in."""
    missing = submitted.missing_packages(name)
    if not missing:
        return ""
    listed = ", ".join(f"{each.package} (line {each.line})" for each in missing[:_LISTED])
    more = f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
    return (
        f"{name} imports packages that are not installed where this is graded: {listed}{more}. "
        "Every check that reaches them fails, so remove the import and its use."
    )


def _on_compiling(text: str, name: str) -> str:
    if _COMPILES.search(text) is None:
        return ""
    return (
        f"{name} uses torch.compile, which does nothing here: your code ran without being "
        "compiled. The results are the same."
    )
