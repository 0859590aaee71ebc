"""pytest in a student's copy of the handout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
REFERENCE, TEMPLATE = ROOT / "reference", ROOT / "student_template"
FLOW, GAN = "codebase/flow_network.py", "codebase/gan.py"

# Of every test that runs pytest in a handout.
MARKS = [
    pytest.mark.e2e,
    pytest.mark.skipif(find_spec("pytest_timeout") is None, reason="needs pytest-timeout"),
]
PUBLIC = "grader/autograder/homework/checks/public"


def solve(homework: Path) -> None:
    """Write the reference's solutions into it."""
    for name in (FLOW, GAN):
        shutil.copy(REFERENCE / name, homework / name)


def edit(path: Path, old: str, new: str) -> None:
    """Replace a piece of text that must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def checks(
    homework: Path, *arguments: str, folder: Path | None = None, typed: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    """Call pytest as a student does; nothing of this project's checkout is on the path.

    Neither the terminal's width nor a CI server, for which pytest writes longer lines, matters.
    """
    ours = ("PYTEST", "PYTHONPATH", "COLUMNS", "CI", "BUILD_NUMBER")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:randomly", *arguments],
        cwd=folder or homework,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith(ours)},
            **more,
        },
        capture_output=True,
        input=typed,
        text=True,
        timeout=300,
        check=False,
    )
