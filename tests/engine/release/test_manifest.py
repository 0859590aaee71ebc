"""What takes part in a grading is found by following imports, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.engine.homework import load_assignment
from autograder.engine.release.manifest import files_that_grade
from autograder.engine.sandbox.isolated import ROOT


def footprint(folder: Path, files: dict[str, str]) -> list[str]:
    """The files of a small homework, `hw`, that grade."""
    for name, text in files.items():
        (folder / "hw" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "hw" / name).write_text(text, encoding="utf-8")
    found = files_that_grade(folder / "hw", "hw")
    return [name for name in found if name.startswith("hw/")]


@pytest.mark.parametrize(
    "line",
    [
        "import hw.tool",
        "from hw import tool",
        "from hw.tool import x",
        "from hw import (  # several\n    other,\n    tool,\n)",
        "from hw import other, tool as t",
        "import os, sys\nimport hw.tool as t, hw.other",
        "def f():\n    from hw.tool import x",
        'command("hw.tool")',
    ],
)
def test_every_way_to_name_a_module_is_followed(tmp_path: Path, line: str) -> None:
    """Imports of all forms, and a module that is started by its name."""
    files = {"checks/public/test_a.py": line, "tool.py": "", "spare.py": ""}
    assert footprint(tmp_path, files) == ["hw/checks/public/test_a.py", "hw/tool.py"]


def test_imports_are_followed_on_and_in_circles(tmp_path: Path) -> None:
    """What is imported by what is imported counts, with the packages above it."""
    files = {
        "__init__.py": "",
        "checks/conftest.py": "from hw.a import x",
        "a.py": "from hw.deep.b import y",
        "deep/__init__.py": "",
        "deep/b.py": "import hw.a",
        "deep/c.py": "",
    }
    assert footprint(tmp_path, files) == [
        "hw/__init__.py",
        "hw/a.py",
        "hw/checks/conftest.py",
        "hw/deep/__init__.py",
        "hw/deep/b.py",
    ]


def test_data_beside_what_grades_is_taken_and_caches_are_not(tmp_path: Path) -> None:
    """Settings and golden values travel; compiled files, notes and other folders' data do not."""
    files = {
        "assignment.toml": "",
        "checks/public/test_a.py": "",
        "checks/public/golden.json": "{}",
        "checks/public/notes.md": "",
        "checks/public/__pycache__/test_a.py": "import hw.spare",
        "spare.py": "",
        "tools/matrix.json": "{}",
        "experiments/__init__.py": "",
    }
    assert footprint(tmp_path, files) == [
        "hw/assignment.toml",
        "hw/checks/public/golden.json",
        "hw/checks/public/test_a.py",
        "hw/experiments/__init__.py",
    ]


def test_both_sides_of_the_real_homework_are_found() -> None:
    """The modules that are only ever started by their names are there: judge, zygote, checks."""
    assignment = load_assignment("autograder.homework")
    found = files_that_grade(assignment.folder, assignment.package)
    for name in (
        "autograder/__init__.py",
        "autograder/__main__.py",
        "autograder/commands/grade.py",
        "autograder/engine/sandbox/isolated.py",
        "autograder/engine/judge/__main__.py",
        "autograder/engine/judge/pytest.ini",
        "autograder/engine/sandbox/zygote.py",
        "autograder/homework/assignment.toml",
        "autograder/homework/checks/conftest.py",
        "autograder/homework/experiments/training.py",
        "autograder/engine/catalogue/diagnosis.py",
    ):
        assert found[name] == ROOT / name


def test_no_tool_and_no_right_solution_takes_part() -> None:
    """Neither the instructors' tools nor whole solutions of the catalogue are reached."""
    assignment = load_assignment("autograder.homework")
    found = files_that_grade(assignment.folder, assignment.package)
    unwanted = ("/audit", "/bundle", "/gate", "/leaks", "/right", "/cases", "/template")
    assert not [name for name in found if any(word in name for word in unwanted)]
