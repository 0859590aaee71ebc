"""The files of a grading and of the public checks are found by following imports, and no others."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.engine import homework as engine_homework
from autograder.engine.homework import Homework
from autograder.engine.release import manifest
from autograder.engine.release.manifest import (
    SecretFileNeeded,
    files_that_grade,
    hash_of_public_checks,
    public_files,
)
from autograder.engine.sandbox.isolated import ROOT
from tests.this_homework import THIS

HOMEWORK = ROOT / "autograder" / "homework"

# ---- a grading ------------------------------------------------------------------------------


def graded_files(folder: Path, files: dict[str, str]) -> list[str]:
    """The files of a small homework, `hw`, that grade."""
    for name, text in files.items():
        (folder / "hw" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "hw" / name).write_text(text, encoding="utf-8")
    (folder / "hw" / "checks").mkdir(parents=True, exist_ok=True)
    small = replace(THIS, folder=folder / "hw", package="hw")
    return [name for name in files_that_grade(small) if name.startswith("hw/")]


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
    assert graded_files(tmp_path, files) == ["hw/checks/public/test_a.py", "hw/tool.py"]


def test_imports_of_imports_are_followed_and_may_be_circular(tmp_path: Path) -> None:
    """The packages that contain an imported module are included."""
    files = {
        "__init__.py": "",
        "checks/conftest.py": "from hw.a import x",
        "a.py": "from hw.deep.b import y",
        "deep/__init__.py": "",
        "deep/b.py": "import hw.a",
        "deep/c.py": "",
    }
    assert graded_files(tmp_path, files) == [
        "hw/__init__.py",
        "hw/a.py",
        "hw/checks/conftest.py",
        "hw/deep/__init__.py",
        "hw/deep/b.py",
    ]


def test_data_in_the_same_folders_is_included(tmp_path: Path) -> None:
    """Settings and golden values are; compiled files, notes and other folders' data are not."""
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
    assert graded_files(tmp_path, files) == [
        "hw/assignment.toml",
        "hw/checks/public/golden.json",
        "hw/checks/public/test_a.py",
        "hw/experiments/__init__.py",
    ]


def test_what_the_engine_finds_by_name_is_included(tmp_path: Path) -> None:
    """No check imports a homework's settings, experiments and mistakes, files or folders."""
    files = {
        "checks/a.py": "",
        "experiments.py": "",
        "mistakes.py": "from hw import oracles",
        "oracles.py": "",
        "settings.py": "",
    }
    assert graded_files(tmp_path / "files", {**files, "catalogue.py": ""}) == [
        f"hw/{name}" for name in files
    ]
    files = {"mistakes/__init__.py": "from hw.mistakes import x", "mistakes/x.py": ""}
    assert graded_files(tmp_path / "folders", files) == [f"hw/{name}" for name in files]


def test_both_sides_of_the_real_homework_are_found() -> None:
    """Modules that are started by name are included: judge, zygote, checks."""
    files = files_that_grade(THIS)
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
        "autograder/engine/judge/diagnosis.py",
    ):
        assert files[name] == ROOT / name


def test_no_tool_and_no_correct_solution_is_included() -> None:
    """The walk reaches neither the instructors' tools nor the catalogue's solutions."""
    files = files_that_grade(THIS)
    tools = ("/audit", "release/bundle", "/preflight", "/leaks", "commands/template")
    assert not [
        name for name in files if any(word in name for word in (*tools, "/right", "/cases"))
    ]


# ---- public checks ----------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Homework:
    """A copy of the grader for tests to change."""
    shutil.copytree(
        ROOT / "autograder", tmp_path / "autograder", ignore=shutil.ignore_patterns("__pycache__")
    )
    monkeypatch.setattr(manifest, "ROOT", tmp_path)
    monkeypatch.setattr(engine_homework, "ROOT", tmp_path)
    monkeypatch.setattr(manifest, "__file__", str(tmp_path / "autograder/engine/release/x.py"))
    return replace(THIS, folder=tmp_path / "autograder" / "homework")


def test_public_checks_need_no_secret_file() -> None:
    """No oracle, mistake, private check or command is among their files; all public checks are."""
    names = set(public_files(THIS))
    for name in names:
        for secret in ("oracles", "mistakes", "private", "commands", "strategies"):
            assert secret not in name
    for name in ("golden/maker", "losses/expected", "losses/checks", "training_runs/flow_training"):
        assert f"autograder/homework/{name}.py" not in names
    public = {p.relative_to(ROOT).as_posix() for p in (HOMEWORK / "checks/public").glob("*.py")}
    assert public <= names
    assert "autograder/homework/checks/public/golden.json" in names
    for name in ("zygote", "frames", "serve", "launch"):
        assert f"autograder/engine/sandbox/{name}.py" not in names, "students have no sandbox"
    assert "autograder/engine/sandbox/experiment.py" in names


@pytest.mark.parametrize(
    "line",
    [
        "from autograder.homework.oracles import flow",
        "import autograder.homework.mistakes.catalogue",
        "from autograder.homework import (\n    golden,\n    strategies,\n)",
        'NAME = "autograder.homework.mistakes.catalogue"',
    ],
)
def test_a_public_check_that_imports_a_secret_file_is_an_error(copy: Homework, line: str) -> None:
    """Also through other modules; the message is the import chain."""
    with (copy.folder / "tolerances.py").open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    with pytest.raises(SecretFileNeeded, match=r"imports a secret file: .* -> .*tolerances"):
        public_files(copy)


def test_the_hash_depends_on_all_that_decides_a_public_check(copy: Homework) -> None:
    """A check and its imports change it; settings, private checks and line endings do not."""
    before = hash_of_public_checks(copy)
    for name in ("assignment.toml", "oracles/flow.py", "checks/private/test_1_3_maf.py"):
        with (copy.folder / name).open("a", encoding="utf-8") as file:
            file.write("# more\n")
    check = copy.folder / "checks/public/test_edits.py"
    check.write_bytes(check.read_bytes().replace(b"\n", b"\r\n"))
    assert hash_of_public_checks(copy) == before
    with (copy.folder / "sampling/checks.py").open("a", encoding="utf-8") as file:
        file.write("# more\n")
    assert hash_of_public_checks(copy) != before
