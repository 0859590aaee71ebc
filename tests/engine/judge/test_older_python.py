"""Syntax and imports that are too new for the grading Python are found in a student's file."""

from __future__ import annotations

import sys

import pytest

from autograder.engine.judge.newer_python import problems_with

OLD = (3, 10)
needs_3_12 = pytest.mark.skipif(sys.version_info < (3, 12), reason="needs Python 3.12")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="needs Python 3.11")
@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("x = 1\ntry:\n    x\nexcept* ValueError:\n    x\n", 5, "this syntax"),
        ("import tomllib\n", 1, "import tomllib needs Python 3.11"),
        ("from typing import Any, Self\n", 1, "from typing import Self needs Python 3.11"),
        ("import typing\nf = typing.override\n", 2, "typing.override needs Python 3.12"),
        pytest.param("type X = int\n", 1, "this syntax", marks=needs_3_12),
        pytest.param('x = {}\nf"{x["a"]}"\n', 2, "the same quotes", marks=needs_3_12),
        pytest.param("f\"{'\\n'.join('ab')}\"\n", 1, "a backslash", marks=needs_3_12),
        pytest.param('x = {}\nf"{f\'{x["a"]}\'}"\n', 2, "the same quotes", marks=needs_3_12),
        pytest.param('f"{1 +\n2}"\n', 1, "a line break", marks=needs_3_12),
    ],
)
def test_code_that_is_too_new_is_found_with_its_line(text: str, line: int, said: str) -> None:
    """Both versions are named."""
    (problem,) = problems_with(text, "codebase/gan.py", OLD)
    assert problem.startswith(f"codebase/gan.py, line {line}: ")
    assert said in problem
    assert "Gradescope runs Python 3.10" in problem
    assert f"You have Python {sys.version_info[0]}.{sys.version_info[1]} here" in problem


@pytest.mark.parametrize(
    "text",
    [
        'x = {}\nf"{x[\'a\']}" + f"""{x["a"]}"""\n',
        "from typing import Any\nimport math\nmath.exp(1)\nself = Any\n",
        "def broken(:\n",  # the checks say so themselves
    ],
)
def test_code_that_both_versions_accept_raises_no_alarm(text: str) -> None:
    """There are no problems to report."""
    assert problems_with(text, "codebase/gan.py", OLD) == []


def test_an_older_python_at_home_finds_nothing() -> None:
    """Code that it can read is old enough."""
    assert problems_with("from typing import override\n", "a.py", sys.version_info[:2]) == []
