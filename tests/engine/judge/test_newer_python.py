"""Code that needs a newer Python is recognised by its text, and both versions are named."""

from __future__ import annotations

import sys

import pytest

from autograder.engine.judge.calls import RaisedError
from autograder.engine.judge.exceptions import Unusable
from autograder.engine.judge.newer_python import (
    explain_annotation,
    explain_missing_name,
    explain_syntax,
)
from autograder.engine.judge.student_errors import conclusion_of

HERE = (3, 10)


@pytest.mark.parametrize(
    ("source", "since", "what"),
    [
        ('x = f"{names["a"]}"', "3.12", "the same quotes inside an f-string"),
        ("print(f'{d['x']:.3f} and {d['y']}')", "3.12", "the same quotes inside an f-string"),
        ("x = f'{\"\\n\".join(a)}'", "3.12", "a backslash within the braces"),
        ('x = f"{', "3.12", "an f-string with braces over several lines"),
        ("type X = int", "3.12", "the type statement"),
        ("type X[T] = list[T]", "3.12", "the type statement"),
        ("def f[T](x: T) -> T:", "3.12", "type parameters"),
        ("class A[T]:", "3.12", "type parameters"),
        ("except* ValueError:", "3.11", "except*"),
        ("y = a[*b]", "3.11", "a star within an index"),
        ('t"{x}"', "3.14", "a template string"),
    ],
)
def test_newer_grammar_is_named_with_both_versions(source: str, since: str, what: str) -> None:
    """The message has the grading version, the required version and the feature."""
    feedback = explain_syntax(source, HERE)
    assert feedback.startswith(
        f"The autograder runs Python 3.10, but this line needs Python {since}: {what}"
    )
    assert explain_syntax(source, (3, 14)) == ""


@pytest.mark.parametrize(
    "source",
    [
        "x = (1, 2",
        'print(f"{x}, {y}" if a else "b" c)',
        'd["t"] x',
        'd["f"] = {',
        'x = {"a": f"{b}" "c": "d"}',
        'f"{x", "{y}"',
        "type(x) == y z",
        "def f(x: list[int]) -> list[int]",
        "x = [a, *b] c",
        "except ValueError",
    ],
)
def test_a_plain_syntax_error_is_not_taken_for_newer_grammar(source: str) -> None:
    """These lines are incorrect in every version."""
    assert explain_syntax(source, HERE) == ""


@pytest.mark.parametrize(
    ("message", "source", "start"),
    [
        (
            "cannot import name 'override' from 'typing' (/usr/lib/python3.10/typing.py)",
            "from typing import NamedTuple, override",
            "The autograder runs Python 3.10, whose `typing` has no `override`.",
        ),
        (
            "module 'itertools' has no attribute 'batched'",
            "for pair in itertools.batched(x, 2):",
            "The autograder runs Python 3.10, whose `itertools` has no `batched`.",
        ),
        ("cannot import name 'SECRET' from 'typing'", "from typing import override", ""),
        ("cannot import name 'typing' from 'SECRET'", "from typing import override", ""),
        ("cannot import name 'nn' from 'torch'", "from torch import nn", ""),
        ("something else about override", "from typing import override", ""),
    ],
)
def test_a_name_that_the_library_lacks_is_reported(message: str, source: str, start: str) -> None:
    """Only for the standard library, and with names from the line of source."""
    said = explain_missing_name(message, source, HERE)
    assert said.startswith(start) if start else said == ""


def test_annotations_that_are_evaluated_here_only_are_reported() -> None:
    """Python 3.14 does not evaluate them on import."""
    feedback = explain_annotation("def f(g: Generator) -> Tensor:", HERE)
    assert "The autograder runs Python 3.10, which evaluates the annotations" in feedback
    assert explain_annotation("def f(g: Generator) -> Tensor:", (3, 14)) == ""
    assert explain_annotation("x = Generator()", HERE) == ""


@pytest.mark.parametrize("public", [True, False])
def test_every_check_explains_a_missing_name(public: bool) -> None:
    """Private checks do, too, also without hints."""
    message = "cannot import name 'no_such' from 'typing' (x)"
    source = "from typing import no_such"
    error = RaisedError("ImportError", message, False, "codebase/a.py", 1, source)
    conclusion = conclusion_of(error)
    assert isinstance(conclusion, Unusable)
    conclusion.hint = ""
    here = ".".join(map(str, sys.version_info[:2]))
    assert conclusion.feedback(public=public).splitlines() == [
        "codebase/a.py, line 1 raised ImportError.",
        "The line reads: from typing import no_such",
        f"The autograder runs Python {here}, whose `typing` has no `no_such`. If your Python has "
        "it, yours is a different version: write the code without it.",
    ]
