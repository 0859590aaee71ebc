"""Python's messages for code that it cannot parse are known as such; made-up ones are not."""

from __future__ import annotations

import pytest

from autograder.engine.judge.syntax_messages import is_pythons_own

BROKEN = (
    *("x = (1, 2", "x = 1)", "x = (1]", "x = [1,\n2}", "x = 'abc", "x = '''abc", "def f(:\n  pass"),
    *(
        "if x\n  pass",
        "if x = 1: pass",
        "if x:\npass",
        "def f():\nreturn 1",
        " x = 1",
        "class A\n  b",
    ),
    *("if x:\n    a\n  b", "if x:\n\ta\n        b", "print x", "x = 5 y", "f(a b)", "x = 1a"),
    *(
        "1 = x",
        "f() = 1",
        "x + 1 = 2",
        "None = 1",
        "x.y() = 2",
        "del f()",
        "a, b += 1",
        "f(True=1)",
    ),
    *("return 1", "break", "yield 1", "await x", "def f(a, a): pass", "def f(a=1, b): pass"),
    *("f(a=1, 2)", "f(a=1, a=2)", "f(**k, *a)", "x = 01", "x = 0b2", "x = “a”", "x = 1\u00a0+ 2"),
    *("else: pass", "import a from b", "from x import *, y", "def f():\n  x=1\n  global x"),
    *(
        "nonlocal x",
        "{1:}",
        "{1:2, 3}",
        "*a",
        "for 1 in x: pass",
        "while True print(1)",
        "?",
        "x =",
    ),
    *(
        "try:\n  x\ny",
        "elif x: pass",
        '"\\x1"',
        '"\\N{foo bar}"',
        'b"é"',
        "a \\ b",
        "def f(a, *): b",
    ),
    *('f"{x"', 'f"{x}}"', 'f"{}"', 'f"{a b}"', 'f"{x!z}"', 'f"x" = 1', "(a for a in b) = 1"),
    *(
        "f(x for x in y, 1)",
        "from __future__ import nope",
        "a if b",
        "a = 1 if b",
        "def f() -> : pass",
    ),
)


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@pytest.mark.parametrize("code", BROKEN)
def test_pythons_own_messages_are_recognised(code: str) -> None:
    """Messages of the running Python, with names and signs from the line."""
    with pytest.raises(SyntaxError) as caught:
        compile(code, "a.py", "exec")
    line = code.split("\n")[(caught.value.lineno or 1) - 1]
    assert is_pythons_own(caught.value.msg, line), caught.value.msg


@pytest.mark.parametrize(
    "forged",
    [
        "the secret is 42",
        "invalid syntax: 0.12345",
        "'(' was never closed 42",
        "'SECRET' was never closed",
        "name 'SECRET' is parameter and global",
        "cannot assign to secret here. Maybe you meant '==' instead of '='?",
        "keyword argument repeated: SECRET",
        "unterminated string literal (detected at line 1234567)",
        "invalid syntax\nSECRET",
        "'\u202e' was never closed",
        "",
    ],
)
def test_a_forged_message_is_not_recognised(forged: str) -> None:
    """A blank takes a sign, a line number, or a name from the line of source."""
    assert not is_pythons_own(forged, "def f(x): return x")


def test_a_blank_may_contain_a_name_from_the_line() -> None:
    """The line was handed in, so it reveals nothing that was sent to a worker."""
    message = "name 'x' is used prior to global declaration"
    assert is_pythons_own(message, "    global x")
    assert not is_pythons_own(message, "    global y")
