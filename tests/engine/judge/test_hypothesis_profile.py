"""Which cases hypothesis draws in a grading: those of the seed, wherever and beside whatever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from autograder.engine.sandbox.isolated import ROOT

_DRAW = """
import sys
sys.path.insert(0, {root!r})
from autograder.engine.judge import hypothesis_profile
hypothesis_profile.set_up()
sys.path.insert(0, {beside!r})
import beside
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


def drawn_beside(text: str, folder: Path) -> list[int]:
    """The numbers drawn in a fresh process that has also imported a module with this text."""
    folder.mkdir()
    (folder / "beside.py").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-c", _DRAW.format(root=str(ROOT), beside=str(folder))],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=folder,
    )
    return [int(number) for number in done.stdout.strip("[]\n").split(",")]


def test_what_is_drawn_does_not_depend_on_the_modules_around(tmp_path: Path) -> None:
    """Numbers in the source of other modules change no case: a laptop draws the same ones."""
    plain = drawn_beside("", tmp_path / "plain")
    told = drawn_beside("a, b, c = 123454, 234565, 345676", tmp_path / "told")
    assert len(plain) == 200
    assert plain == told
