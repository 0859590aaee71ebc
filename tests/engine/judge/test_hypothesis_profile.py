"""The cases that hypothesis draws in a grading follow from the seed alone, on every machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from autograder.engine.sandbox.isolated import ROOT

_DRAW = """
import sys
sys.path.insert(0, {root!r})
import hypothesis.internal.conjecture
{before}
from autograder.engine.judge import hypothesis_profile
hypothesis_profile.set_up()
sys.path.insert(0, {folder!r})
import other_module
import hypothesis
from hypothesis import strategies as st
drawn = []
@hypothesis.seed(7)
@hypothesis.settings(max_examples=200)
@hypothesis.given(st.integers(0, 10**6))
def collect(number):
    drawn.append(number)
collect()
print(drawn)
"""


def drawn_with(text: str, folder: Path, before: str = "") -> list[int]:
    """Return the numbers drawn in a fresh process that has also imported this text.

    Args:
        text: a module's.
        folder: where to write it.
        before: statements to run before the profile is set up.
    """
    folder.mkdir()
    (folder / "other_module.py").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            _DRAW.format(root=str(ROOT), folder=str(folder), before=before),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=folder,
    )
    return [int(number) for number in done.stdout.strip("[]\n").split(",")]


def test_cases_do_not_depend_on_loaded_modules(tmp_path: Path) -> None:
    """Numbers in the source of other modules change no case."""
    plain = drawn_with("", tmp_path / "plain")
    with_numbers = drawn_with("a, b, c = 123454, 234565, 345676", tmp_path / "numbers")
    assert len(plain) == 200
    assert plain == with_numbers


def test_without_the_internals_of_hypothesis_checks_still_draw_cases(tmp_path: Path) -> None:
    """Older versions have no such module, newer ones may not; cases still follow from the seed."""
    without = "sys.modules['hypothesis.internal.constants_ast'] = None"
    first = drawn_with("", tmp_path / "first", before=without)
    assert len(first) == 200
    assert first == drawn_with("", tmp_path / "second", before=without)
