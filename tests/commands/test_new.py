"""`new`: a homework that every command takes, and the mistakes that its author may make."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder import cli
from autograder.engine.homework import load_homework
from autograder.engine.release import new_homework
from autograder.engine.release.handout import handout_files
from autograder.engine.release.manifest import files_that_grade

FILES = {
    "__init__.py",
    "assignment.toml",
    "catalogue.py",
    "checks/private/test_1_1_softmax.py",
    "checks/public/test_1_1_softmax.py",
    "mistakes.py",
    "oracles.py",
    "reference/solution.py",
    "student_template/solution.py",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new homework outside the project; each test's is another package."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    made = tmp_path / f"homework_of_{tmp_path.name}"
    assert cli.main(["new", str(made)]) == 0
    return made


def run(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a Python command; any exit status is the test's to judge."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=500, check=False
    )


def test_it_writes_a_homework_under_the_name_of_its_folder(folder: Path) -> None:
    """No file names the one that they were copied from."""
    written = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    assert written.keys() == FILES
    for name in FILES:
        text = written[name].read_text(encoding="utf-8")
        assert "new_homework" not in text, name
    assert load_homework(folder).title == folder.name


def test_its_template_and_checks_are_ready(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The template is up to date, and the checks share the part's points."""
    assert cli.main(["template", "--check", "--homework", str(folder)]) == 0
    assert cli.main(["checks", "--homework", str(folder)]) == 0
    assert "2 checks, 10 points." in capsys.readouterr().out


def test_the_files_that_it_copies_are_a_homework_too() -> None:
    """So linters and mypy read them as they read everything else."""
    original = load_homework(Path(new_homework.__file__).parent)
    assert original.package == new_homework.__name__
    assert (original.reference / original.files[0]).is_file()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my-homework", "'my-homework' is no name for a package; rename "),
        ("class", "'class' is no name for a package; rename "),
        ("torch", "another package is called 'torch'; rename "),
    ],
)
def test_a_name_that_is_no_package_is_refused(
    name: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one sentence; nothing is left behind."""
    assert cli.main(["new", str(tmp_path / name)]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_a_folder_that_is_taken_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An author's files are never overwritten."""
    assert cli.main(["new", str(tmp_path)]) == 2
    assert f"{tmp_path} exists already; nothing was written" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# ---- what an author may forget -------------------------------------------------------------


def without(*names: str) -> Callable[[Path], None]:
    """Remove files or folders."""

    def remove(folder: Path) -> None:
        for name in names:
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return remove


def empty(name: str) -> Callable[[Path], None]:
    """Make a module that defines nothing."""

    def write(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("", encoding="utf-8")

    return write


def edited(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Replace a text in a file."""

    def edit(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")

    return edit


@pytest.mark.parametrize(
    ("command", "spoil", "message"),
    [
        ("template", without("reference"), "the reference is incomplete: there is no "),
        ("audit", without("reference"), "reference/solution.py"),
        ("handout", without("student_template"), "the template is incomplete: there is no "),
        ("audit", without("student_template"), "template --homework {folder}` makes it"),
        ("grade", without("student_template"), "template --homework {folder}` makes it"),
        ("class", without("student_template"), "template --homework {folder}` makes it"),
        ("golden", without(), "{folder} has no golden values (no module golden/maker.py)"),
        ("golden", empty("golden/maker.py"), "{folder}/golden/maker.py must define GOLDEN"),
        ("audit", empty("catalogue.py"), "{folder}/catalogue.py must define CATALOGUE"),
        (
            "audit",
            edited("mistakes.py", "1.1 softmax", "1.1 other"),
            "the reference has no solution region '1.1 other'",
        ),
        ("checks", without("checks"), "part 1.1 has no check that gives points"),
        ("checks", without("assignment.toml"), "there is no homework in {folder}: it has no "),
    ],
)
def test_what_is_missing_is_named_in_one_sentence(
    command: str,
    spoil: Callable[[Path], None],
    message: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the command that makes it, where there is one; never a traceback."""
    spoil(folder)
    more = ["--out", str(folder.parent / "out")] if command in ("class", "audit") else []
    capsys.readouterr()
    assert cli.main([command, "--homework", str(folder), *more]) == 2
    error = capsys.readouterr().err
    assert message.format(folder=folder) in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (edited("reference/solution.py", "END SOLUTION", "END"), "solution.py:"),
        (without("checks/private"), "no Python files"),
    ],
)
def test_a_handout_that_cannot_be_built_says_why(
    spoil: Callable[[Path], None],
    message: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A marker is wrong, or a folder is missing."""
    spoil(folder)
    out = ["--out", str(tmp_path / "dist")]
    assert cli.main(["handout", "--homework", str(folder), *out]) == 1
    printed = capsys.readouterr().out
    assert "The handout was not built: " in printed
    assert message in printed


# ---- the zips ------------------------------------------------------------------------------


def test_the_students_zip_packs_this_homeworks_file(folder: Path, tmp_path: Path) -> None:
    """No script and no figure of another homework's; a missing file is named."""
    files = handout_files(load_homework(folder))
    assert not any("codebase" in name or name.endswith(".sh") for name in files)
    home = tmp_path / "home"
    home.mkdir()
    for name in ("make_submission.py", "solution.py"):
        (home / name).write_bytes(files[name].data)
    assert b'GRADER_PYTHON = "3.10"\n' in files["make_submission.py"].data
    done = run("make_submission.py", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "solution.py: 1.1 softmax is not implemented yet" in done.stderr
    assert "Note" not in done.stdout
    with zipfile.ZipFile(home / "submission.zip") as archive:
        assert archive.namelist() == ["solution.py"]
    (home / "solution.py").unlink()
    done = run("make_submission.py", cwd=tmp_path / "home")
    assert f"neither {home} nor {home} has solution.py; run it in your" in done.stderr


def test_the_students_install_what_their_zip_imports(folder: Path) -> None:
    """Nothing for another homework's training or pictures."""
    text = handout_files(load_homework(folder))["requirements.txt"].data.decode()
    assert "torch>=" in text
    assert "numpy>=" in text
    for package in ("torchvision", "scikit-learn", "matplotlib", "tqdm", "hypothesis"):
        assert package not in text


def test_gradescopes_zip_contains_one_homework(folder: Path) -> None:
    """Its mistakes, which the engine finds by name, but neither solutions nor another homework."""
    names = set(files_that_grade(load_homework(folder)))
    assert {f"{folder.name}/mistakes.py", f"{folder.name}/oracles.py"} <= names
    assert f"{folder.name}/catalogue.py" not in names
    assert not any(name.startswith(("autograder/homework/", "examples/")) for name in names)


# ---- whole gradings ------------------------------------------------------------------------


@pytest.mark.e2e
def test_a_new_homework_grades_right_and_wrong_solutions(folder: Path, tmp_path: Path) -> None:
    """The audit, and the preflight of its bundle, which grades from the unpacked zip."""
    out = tmp_path / "audit"
    assert cli.main(["audit", "--homework", str(folder), "--out", str(out)]) == 0
    matrix = json.loads((out / "matrix.json").read_text(encoding="utf-8"))
    assert matrix["counts"]["bad"] == 0
    assert matrix["counts"]["named"] == 1
    path = tmp_path / "autograder.zip"
    assert cli.main(["bundle", "--homework", str(folder), "--out", str(path)]) == 0
    assert path.is_file()
