"""All messages that a student can see, in one reviewed list: `tests/messages.txt`."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.homework.mistakes.catalogue import WRONG
from autograder.homework.mistakes.right import RIGHT

_ROOT = Path(__file__).resolve().parent.parent
_LIST = _ROOT / "tests" / "messages.txt"
_RENEW = "pytest tests/test_messages.py --renew-messages"
_RULE = f"""\
All messages that a student can see. Do not edit this list: change the source, then run
    {_RENEW}
and review the difference.

The rule: all string literals of two words or more in the rooms below, in the order of the source.
Some of them are for the staff only. {{name}} is filled in when the message is shown, {{...}} is a
longer expression. Docstrings are left out, but a check's docstring is its title and its advice.
The catalogue's entries come last, as id: sentence -> hint, or the piece of a failure that names it.
"""
_SOURCES = (
    "autograder/homework/checks",
    "autograder/homework/losses",
    "autograder/homework/sampling",
    "autograder/homework/training_runs",
    "autograder/homework/golden",
    "autograder/homework/experiments",
    "autograder/homework/*.py",
    "autograder/engine/judge",
    "autograder/engine/results",
    "autograder/engine/submission",
    "autograder/engine/local",
    "autograder/engine/grading",
    "autograder/engine/sandbox/experiment.py",
    "autograder/engine/sandbox/serve.py",
    "make_submission.py",
)
_LEFT_OUT = {
    "autograder/engine/judge/syntax_messages.py": "Python's own messages",
    "autograder/homework/golden/maker.py": "runs on an instructor's machine only",
    "autograder/homework/golden/maker_flow.py": "runs on an instructor's machine only",
    "autograder/homework/golden/maker_gan.py": "runs on an instructor's machine only",
}
_CATALOGUE = "autograder/homework/mistakes"
_NO_TEXT = ("cast", "re.compile")
_TWO_WORDS = re.compile(r"\w\S*\s+\S*\w")
_NAME = re.compile(r"[\w.]+(\[[\w.]+\])?")

_BANNED = re.compile(
    r"\b(whoever|whence|what becomes of|to be had|goes on|shall|as ever|mend|comes of|"
    r"beside|told|stands|meanwhile|what it says|asked for|the handout)\b",
    re.IGNORECASE,
)


class _Literals(ast.NodeVisitor):
    """The string literals of a module that are sentences, or parts of one."""

    def __init__(self, module: ast.Module) -> None:
        self.texts: list[str] = []
        self.visit(module)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "number":
                self._add(f"{ast.literal_eval(decorator.args[0])} {ast.get_docstring(node)}")
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # else a docstring
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if ast.unparse(node.func) not in _NO_TEXT:
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._add(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self._add("".join(map(_shown, node.values)))
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)

    def _add(self, text: str) -> None:
        if _TWO_WORDS.search(text) and text not in self.texts:
            self.texts.append(text)


def _shown(part: ast.expr) -> str:
    if isinstance(part, ast.FormattedValue):
        expression = ast.unparse(part.value)
        return f"{{{expression if _NAME.fullmatch(expression) else '...'}}}"
    return str(ast.literal_eval(part))


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for source in _SOURCES:
        for found in sorted(_ROOT.glob(source)):
            for path in sorted(found.rglob("*.py")) if found.is_dir() else [found]:
                name = path.relative_to(_ROOT).as_posix()
                if name not in _LEFT_OUT:
                    yield name, ast.parse(path.read_text(encoding="utf-8"))


def _messages() -> dict[str, list[str]]:
    """Return all messages by their source."""
    messages = {name: _Literals(module).texts for name, module in _modules()}
    wrong = [f"{entry.id}: {entry.sentence} -> {entry.hint or entry.says}" for entry in WRONG]
    messages[_CATALOGUE] = [*wrong, *(f"{entry.id}: {entry.sentence}" for entry in RIGHT)]
    return {source: texts for source, texts in messages.items() if texts}


def _listing() -> str:
    blocks = [_RULE.rstrip()]
    for source, texts in _messages().items():
        lines = (
            line for text in texts for line in text.strip().replace("\n", "\n    ").split("\n")
        )
        blocks.append("\n".join([f"== {source}", *(line.rstrip() for line in lines)]))
    return "\n\n".join(blocks) + "\n"


def test_every_message_is_in_the_reviewed_list(pytestconfig: pytest.Config) -> None:
    """A message changes together with the list, so that its wording is reviewed."""
    listing = _listing()
    if pytestconfig.getoption("--renew-messages"):
        _LIST.write_text(listing, encoding="utf-8")
    reviewed = _LIST.read_text(encoding="utf-8")
    lines = difflib.unified_diff(
        reviewed.split("\n"), listing.split("\n"), "reviewed", "now", n=0, lineterm=""
    )
    difference = "\n".join(lines)
    assert not difference, f"messages changed; to accept, run: {_RENEW}\n{difference}"


def test_messages_are_plain_english() -> None:
    """None uses a word that the project has given up."""
    banned = {
        source: found
        for source, texts in _messages().items()
        if (found := [text for text in texts if _BANNED.search(re.sub(r"{[^}]*}", "", text))])
    }
    assert not banned, f"banned words ({_BANNED.pattern}) in: {banned}"
