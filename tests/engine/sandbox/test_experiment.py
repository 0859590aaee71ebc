"""A worker forgets the submission's modules, and no others."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from autograder.engine.sandbox.experiment import StudentCode

REMOVES_THE_LAST = "import sys\nsys.modules.pop('last_before_the_submission', None)\n"


@pytest.mark.parametrize("text", ["", REMOVES_THE_LAST], ids=["quiet", "changes sys.modules"])
def test_the_modules_of_a_submission_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Also those that it imports by itself, and whatever it does to the list of modules."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    sys.modules["last_before_the_submission"] = ModuleType("last_before_the_submission")
    student = StudentCode(tmp_path, "")
    (tmp_path / "own_helper.py").write_text("")
    (tmp_path / "own_code.py").write_text(f"{text}import own_helper\nimport this\n")
    before = set(sys.modules)
    student.module("own_code")
    assert {"own_code", "own_helper", "this"} <= set(sys.modules)
    student.forget()
    assert set(sys.modules) - before == {"this"}
