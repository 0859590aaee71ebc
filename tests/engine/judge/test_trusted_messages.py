"""The words for what was raised: fixed ones where a check is private, whatever a worker tells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from autograder.engine.judge.calls import RaisedError
from autograder.engine.judge.exceptions import Unusable
from autograder.engine.judge.student_errors import conclusion_of, with_source
from autograder.engine.judge.trusted_messages import TrustedMessages, known_type
from autograder.engine.submission.encoding import SAVE_AS_UTF8

FILE = "codebase/a.py"
ROOT = Path(__file__).resolve().parents[3]
OURS = TrustedMessages(
    (re.compile("(.+?) was called with (.+?) arguments"),), frozenset({"g", "d"})
)


def error(kind: str, message: str = "SECRET", **more: Any) -> RaisedError:
    """An error as a worker reports it."""
    fields = {"file": FILE, "line": 3, "source": "y = f(x)", "misuse": False, **more}
    return RaisedError(kind, message, **fields)


def concluded(raised: RaisedError, *, public: bool) -> str:
    """The feedback of a failed check."""
    conclusion = conclusion_of(raised, OURS)
    assert type(conclusion) is Unusable
    return conclusion.feedback(public=public)


@pytest.mark.parametrize(
    ("raised", "lines"),
    [
        (
            error("ValueError"),
            ["codebase/a.py, line 3 raised ValueError.", "The line reads: y = f(x)"],
        ),
        (error("ValueError", source=None), ["codebase/a.py, line 3 raised ValueError."]),
        (error("ValueError", line=None, source=None), ["codebase/a.py raised ValueError."]),
        (error("ValueError", file=None), ["your code raised ValueError."]),
        (
            error("SystemExit", source="exit()"),
            ["codebase/a.py, line 3 raised SystemExit.", "The line reads: exit()"],
        ),
        (error("HomeMadeError", source=None), ["codebase/a.py, line 3 raised an exception."]),
        (error("print", source=None), ["codebase/a.py, line 3 raised an exception."]),
        (
            error("SyntaxError", source="def f(:"),
            ["Python cannot read codebase/a.py, line 3: SyntaxError.", "The line reads: def f(:"],
        ),
        (
            error("TabError", source=None),
            [
                "Python cannot read codebase/a.py, line 3: TabError.",
                "A line is not indented like those around it, or tabs and spaces are mixed.",
            ],
        ),
        (
            error("ModuleNotFoundError", source="import sklearn"),
            [
                "codebase/a.py, line 3 imports a module or name that does not exist here.",
                "The line reads: import sklearn",
                "Import only from Python's standard library and what the template imports.",
            ],
        ),
        (
            error("TypeError", file=None, line=None, source=None),
            [
                "Your code cannot be called in the way that the template's is called (TypeError).",
                "Keep the template's names and arguments, in the same order.",
            ],
        ),
        (
            error("NotImplementedError"),
            ["codebase/a.py, line 3 raised NotImplementedError.", "The line reads: y = f(x)"],
        ),
        (
            error("NotImplementedError", file=None, line=None, source=None),
            ["your code raised NotImplementedError."],
        ),
    ],
)
def test_an_exception_is_reported_in_fixed_words(raised: RaisedError, lines: list[str]) -> None:
    """A private check names kind, place and line, and never the exception's own text."""
    assert concluded(raised, public=False).splitlines() == lines
    shown = concluded(raised, public=True).splitlines()
    assert shown == [lines[0], "It says: SECRET", *lines[1:]]


@pytest.mark.parametrize("public", [True, False])
def test_pythons_own_reason_is_shown_by_every_check(public: bool) -> None:
    """It is one of CPython's messages, so a private check may show it."""
    raised = error("SyntaxError", "'(' was never closed", source="x = f(1,")
    assert concluded(raised, public=public).splitlines() == [
        "Python cannot read codebase/a.py, line 3: '(' was never closed.",
        "The line reads: x = f(1,",
    ]


def test_a_misuse_shows_our_own_message() -> None:
    """A message that the experiments raise is shown by every check."""
    raised = error("Misuse", "g was called with 3 arguments", misuse=True)
    for public in (True, False):
        assert concluded(raised, public=public).splitlines() == [
            "g was called with 3 arguments.",
            "The line reads: y = f(x)",
        ]


@pytest.mark.parametrize(
    "forged",
    [
        "the secret is 42",
        "g was called with SECRET arguments",
        "g was called with 3 arguments, and x = 0.12345",
        "g was called with (1, 2, 3, 4, 5, 6, 7, 8, 9, 10) arguments",
        "SECRET was called with 3 arguments",
    ],
)
def test_a_forged_misuse_shows_nothing_in_a_private_check(forged: str) -> None:
    """Only our messages, with numbers and known words in their blanks, are shown."""
    raised = error("Misuse", forged, misuse=True)
    assert concluded(raised, public=False).splitlines() == [
        "Your code used an input in a way that cannot work.",
        "The line reads: y = f(x)",
    ]
    assert f"It says: {forged}" in concluded(raised, public=True)


def test_every_message_of_the_experiments_is_trusted() -> None:
    """The messages are read from the source; those that students see are among them."""
    ours = TrustedMessages.read(sorted((ROOT / "autograder/homework/experiments").glob("*.py")))
    for text in (
        "g was called with (3, 784), expected z of shape (B, g.dim_z)",
        "d was called with labels outside 0..9",
        "g takes an input and labels; its number of arguments was 1",
        "MAF.nf has 3 MADE blocks, expected n_flows = 5",
        "MADE.net has no linear layers; leave MADE.__init__ as it was given",
    ):
        assert ours.include(text), text
    assert not ours.include("g was called with my secret, expected z of shape (B, g.dim_z)")


def test_experiments_may_be_one_file(tmp_path: Path) -> None:
    """A homework's `experiments.py` is read as a folder of that name is."""
    text = 'raise Misuse(f"the decoder was called with {shape}")'
    (tmp_path / "experiments.py").write_text(text, encoding="utf-8")
    ours = TrustedMessages.of_homework(tmp_path)
    assert ours.include("the decoder was called with (3, 2)")
    assert not ours.include("the decoder was called with a secret")


def test_a_missing_function_is_named_if_it_was_called() -> None:
    """The engine's own message may contain a name that the judge sent, and no other."""
    text = "codebase/gan.py does not define loss_g"
    ours = TrustedMessages.read(
        [ROOT / f"autograder/engine/sandbox/{name}.py" for name in ("serve", "experiment")]
    )
    assert ours.include(text, ["loss_g", "codebase/gan.py"])
    assert not ours.include("codebase/gan.py does not define x_is_0_12345", ["loss_g"])


@pytest.mark.parametrize(
    ("file", "line", "place"),
    [
        ("codebase/a.py", 1, "codebase/a.py, line 1 raised"),
        ("codebase/a.py", 99, "codebase/a.py raised"),
        ("codebase/a.py", None, "codebase/a.py raised"),
        ("codebase/SECRET.py", 1, "your code raised"),
        ("../a.py", 1, "your code raised"),
        ("/etc/passwd", 1, "your code raised"),
        ("a\0b", 1, "your code raised"),
        ("x/" * 3000, 1, "your code raised"),
        (None, 1, "your code raised"),
    ],
)
def test_only_a_line_that_was_handed_in_is_quoted(
    tmp_path: Path, file: str | None, line: int | None, place: str
) -> None:
    """File and line come from the worker; the source is read from the staged files."""
    root = tmp_path / "staged"
    (root / "codebase").mkdir(parents=True)
    (root / "codebase" / "a.py").write_text("  theirs = 1\n", encoding="utf-8")
    (tmp_path / "a.py").write_text("SECRET", encoding="utf-8")
    raised = with_source(RaisedError("ValueError", "", False, file, line, "SECRET"), root)
    shown = concluded(raised, public=False)
    assert shown.startswith(place)
    assert "SECRET" not in shown
    assert ("theirs = 1" in shown) == (place.endswith("line 1 raised"))


@pytest.mark.parametrize("kind", ["SyntaxError", "ValueError"])
@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("x = 1".encode("utf-16"), "is saved as UTF-16, not as UTF-8"),
        (b"x = 1\0", "contains NUL bytes"),
        (b"# caf\xe9", "is not UTF-8"),
    ],
)
def test_a_file_that_is_not_utf_8_is_named_with_a_way_out(
    tmp_path: Path, kind: str, public: bool, content: bytes, fault: str
) -> None:
    """Python's types and messages for this vary, so the file itself is read."""
    (tmp_path / "codebase").mkdir()
    (tmp_path / FILE).write_bytes(content)
    raised = with_source(RaisedError(kind, "SECRET", False, None, None), tmp_path, FILE)
    shown = concluded(raised, public=public)
    assert shown.startswith(f"Python cannot read {FILE}: it {fault}")
    assert shown.endswith(SAVE_AS_UTF8)
    assert "SECRET" not in shown


def test_a_file_that_is_utf_8_is_not_blamed_for_an_exception(tmp_path: Path) -> None:
    """A ValueError has many other causes."""
    (tmp_path / "codebase").mkdir()
    (tmp_path / FILE).write_text("# caf\xe9", encoding="utf-8")
    raised = with_source(RaisedError("ValueError", "", False, FILE, 1), tmp_path, FILE)
    assert concluded(raised, public=False).startswith(f"{FILE}, line 1 raised ValueError.")


def test_only_common_types_are_named() -> None:
    """The name of a student's class can contain anything."""
    assert [known_type(name) for name in ("NoneType", "list", "Tensor")] == [
        "NoneType",
        "list",
        "Tensor",
    ]
    assert known_type("x_is_0_12345") is known_type(["list"]) is None


def test_an_empty_message_is_not_quoted() -> None:
    """A public check shows "It says:" only with a message."""
    assert "It says" not in concluded(error("KeyError", ""), public=True)
