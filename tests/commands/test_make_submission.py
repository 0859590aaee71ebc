"""`make_submission.sh` and `make_submission.py`: the files they pack, their warnings and errors."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = (ROOT / "make_submission.sh", ROOT / "make_submission.py")
TEMPLATE = ROOT / "student_template"

PYTHON_FILES = ["codebase/flow_network.py", "codebase/gan.py"]
# What the script calls besides the shell itself, without zip and python3.
PLAIN_TOOLS = ("bash", "dirname", "mktemp", "mv", "rm", "sed")


@pytest.fixture(params=[script.name for script in SCRIPTS])
def name(request: pytest.FixtureRequest) -> str:
    """Each of the two scripts, which do the same."""
    return str(request.param)


@pytest.fixture
def homework(tmp_path: Path) -> Path:
    """A finished homework with figures and the scripts."""
    folder = tmp_path / "my homework"
    for name in (
        *PYTHON_FILES,
        "codebase/network.py",
        "run_gan.py",
        "maf/samples_epoch40.png",
        "maf/samples_epoch50.png",
        "out_nonsaturating/fake_0000.png",
        "out_nonsaturating/fake_0900.png",
        "out_nonsaturating/fake_0937.png",
        "out_nonsaturating_conditional/fake_0050.png",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"# {name}\n")
    (folder / "out_wasserstein_gp").mkdir()
    for script in SCRIPTS:
        shutil.copy(script, folder)
    return folder


def run(
    script: Path, *options: str, cwd: Path, path: str | None = None, console: str = ""
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run the script; return its outcome and the names in the archive, if any."""
    shell = sys.executable if script.suffix == ".py" else shutil.which("bash") or "bash"
    outcome = subprocess.run(
        [shell, str(script), *options],
        cwd=cwd,
        env={
            **os.environ,
            "PATH": path or os.environ["PATH"],
            **({"PYTHONIOENCODING": console} if console else {}),
        },
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    archive = script.parent / "submission.zip"
    archive = archive if archive.exists() else cwd / "submission.zip"
    if not archive.exists():
        return outcome, []
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        return outcome, sorted(opened.namelist())


def tools(folder: Path, *extra: str) -> str:
    """Return a PATH with only the plain tools and the extra ones."""
    folder.mkdir()
    for name in PLAIN_TOOLS:
        tool = shutil.which(name)
        assert tool is not None, name
        (folder / name).symlink_to(tool)
    for name in extra:
        wrapper = folder / name
        wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        wrapper.chmod(0o755)
    return str(folder)


EXPECTED = [
    *PYTHON_FILES,
    "maf/samples_epoch50.png",
    "out_nonsaturating/fake_0937.png",
    "out_nonsaturating_conditional/fake_0050.png",
]


def test_packs_the_files_and_the_last_figures_of_its_own_folder(
    name: str, homework: Path, tmp_path: Path
) -> None:
    """Called from any folder, it packs its own, lists the files and prints no warning."""
    outcome, names = run(homework / name, cwd=tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    assert names == EXPECTED
    assert all(f"  {one}\n" in outcome.stdout for one in names)
    assert f"Packed into {homework}/submission.zip" in outcome.stdout
    assert outcome.stderr == ""


def test_packs_the_current_folder_if_its_own_has_no_code(
    name: str, homework: Path, tmp_path: Path
) -> None:
    """A copy elsewhere packs the folder it is called from."""
    elsewhere = tmp_path / "bin"
    elsewhere.mkdir()
    script = Path(shutil.move(homework / name, elsewhere))
    outcome, names = run(script, cwd=homework)
    assert outcome.returncode == 0, outcome.stderr
    assert names == EXPECTED
    assert not (elsewhere / "submission.zip").exists()


def test_python_packs_if_zip_is_missing(homework: Path, tmp_path: Path) -> None:
    """Without zip, python3 writes the same archive."""
    path = tools(tmp_path / "bin", "python3")
    outcome, names = run(homework / "make_submission.sh", cwd=homework, path=path)
    assert outcome.returncode == 0, outcome.stderr
    assert names == EXPECTED


def test_without_zip_and_python_the_error_names_both(homework: Path, tmp_path: Path) -> None:
    """It prints one line and writes no archive."""
    outcome, names = run(
        homework / "make_submission.sh", cwd=homework, path=tools(tmp_path / "bin")
    )
    assert outcome.returncode != 0
    assert outcome.stderr == (
        "make_submission.sh: neither zip nor python3 was found; install one of them\n"
    )
    assert names == []
    assert not list(homework.glob(".submission*"))


@pytest.mark.parametrize("missing", PYTHON_FILES)
def test_a_missing_python_file_is_refused(name: str, homework: Path, missing: str) -> None:
    """Nothing is packed, and one line names the missing file."""
    (homework / missing).unlink()
    outcome, names = run(homework / name, cwd=homework)
    assert outcome.returncode != 0
    assert f"{missing} is missing; nothing was packed" in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert names == []


def test_a_folder_without_code_is_refused(name: str, tmp_path: Path) -> None:
    """The error names the folders that were searched."""
    shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "empty").mkdir()
    outcome, _ = run(tmp_path / name, cwd=tmp_path / "empty")
    assert outcome.returncode != 0
    assert "has a folder codebase/; run it in your homework's folder" in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_remaining_stubs_give_warnings(name: str, tmp_path: Path) -> None:
    """The untouched template is packed with one warning for each stub."""
    homework = tmp_path / "homework"
    shutil.copytree(TEMPLATE, homework)
    gan = homework / "codebase" / "gan.py"
    text = gan.read_text()
    gan.write_text(text.replace("    raise NotImpl", "    # raise NotImpl", 1))
    outcome, names = run(homework / name, cwd=homework)
    assert outcome.returncode == 0
    assert names == PYTHON_FILES
    warnings = outcome.stderr.splitlines()
    assert len(warnings) == 8  # one was commented out
    assert warnings[0] == (
        "Warning: codebase/flow_network.py: 1.1 MADE.forward is not implemented yet"
    )
    assert "maf/samples_epoch50.png is missing; 'python run_flow.py' makes it" in outcome.stdout


@pytest.mark.parametrize(
    ("code", "warning"),
    [
        ("def f():\n    x = (1,\n", "line 2: Python cannot read this file: '(' was never closed"),
        ("x = 1\nbreakpoint()\n", "line 2: breakpoint() does not work on Gradescope; remove it"),
        ("def f():\n  return input()", "line 2: input() does not work on Gradescope; remove it"),
        ("import pdb\n", "line 1: pdb does not work on Gradescope; remove it"),
        ("from pdb import set_trace\n", "line 1: pdb does not work on Gradescope; remove it"),
        (
            "class A:\n  def f(self):\n    raise NotImplementedError\n",
            "line 3: A.f still raises NotImplementedError",
        ),
        ("x = 'caf\xe9'".encode("latin-1"), " is not saved as UTF-8, so Python cannot read it; sa"),
        ("x = 1".encode("utf-16"), " is not saved as UTF-8, so Python cannot read it; save it as"),
        (b"x = 1\0", " is not saved as UTF-8, so Python cannot read it; save it as UTF-8"),
        ("x = " + "-" * 5000 + "1", " could not be checked ("),
    ],
)
def test_code_that_will_fail_gives_a_warning_and_is_packed(
    name: str, homework: Path, code: str | bytes, warning: str
) -> None:
    """One warning with its line; the file can still be submitted."""
    content = code if isinstance(code, bytes) else code.encode()
    (homework / "codebase/gan.py").write_bytes(content)
    outcome, names = run(homework / name, cwd=homework)
    assert outcome.returncode == 0
    assert names == EXPECTED
    [line] = outcome.stderr.splitlines()
    assert line.startswith("Warning: codebase/gan.py")
    assert warning in line


@pytest.mark.parametrize(
    "code",
    [
        "# breakpoint()\n'input()'\n",
        "# -*- coding: latin-1 -*-\nx = 'caf\xe9'".encode("latin-1"),
        "\ufeffx = 1",
        "def input_size(): return model.input(1)\n",
        "x = f\"{names['a']}\"\n",
        'x = f"""{d["a"]}"""\n',
    ],
)
def test_correct_code_gives_no_warning(name: str, homework: Path, code: str | bytes) -> None:
    """Comments, strings and other functions with these names are no problem."""
    content = code if isinstance(code, bytes) else code.encode()
    (homework / "codebase/gan.py").write_bytes(content)
    set_grader(homework, "3.10")
    outcome, _ = run(homework / name, cwd=homework)
    assert outcome.stderr == ""


def set_grader(homework: Path, version: str) -> None:
    """Write the grader's version into the script and add what knows it, as the handout does."""
    rules = Path("autograder/engine/judge/newer_python.py")
    for path in (rules, *(each / "__init__.py" for each in list(rules.parents)[:-1])):
        copy = homework / "grader" / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, copy)
    script = homework / "make_submission.py"
    text = script.read_text(encoding="utf-8")
    assert 'GRADER_PYTHON = ""' in text
    filled = text.replace('GRADER_PYTHON = ""', f'GRADER_PYTHON = "{version}"')
    script.write_text(filled, encoding="utf-8")


NEWER = {
    "except* and more": ("try:\n  pass\nexcept* ValueError:\n  pass\n", (3, 11)),
    "type statements": ("type X = int\n", (3, 12)),
    "type parameters": ("def f[T](x: T) -> T:\n  return x\n", (3, 12)),
    "quotes": ('x = f"{d["a"]}"\n', (3, 12)),
    "inner quotes": ('x = f"{f\'{d["a"]}\'}"\n', (3, 12)),
    "backslashes": ("x = f'{\"\\n\".join(d)}'\n", (3, 12)),
    "lines": ('x = f"{\nd}"\n', (3, 12)),
    "comments": ('x = f"{d # d\n}"\n', (3, 12)),
    "imports": ("from enum import StrEnum\n", (3, 11)),
}


@pytest.mark.parametrize(("code", "since"), NEWER.values(), ids=list(NEWER))
def test_syntax_that_is_too_new_for_the_grader_gives_a_warning(
    name: str, homework: Path, code: str, since: tuple[int, int]
) -> None:
    """If this Python does not know it either, the warning says that it cannot read the file."""
    set_grader(homework, "3.10")
    (homework / "codebase/gan.py").write_text(code, encoding="utf-8")
    outcome, names = run(homework / name, cwd=homework)
    assert outcome.returncode == 0
    assert names == EXPECTED
    expected = "Gradescope runs Python 3.10 and cannot load the file"
    expected = expected if sys.version_info >= since else "Python cannot read this file: "
    assert expected in outcome.stderr


def test_a_console_that_cannot_print_the_path_is_no_error(name: str, homework: Path) -> None:
    """The archive is written and named, and the exit status is 0."""
    elsewhere = homework.rename(homework.with_name("Übungen 作业"))
    outcome, names = run(elsewhere / name, cwd=elsewhere, console="ascii")
    assert outcome.returncode == 0
    assert names == EXPECTED
    assert "submission.zip" in outcome.stdout
    assert "Traceback" not in outcome.stderr


def test_the_shell_script_without_python_warns_of_stubs(homework: Path, tmp_path: Path) -> None:
    """The other warnings need Python."""
    shutil.copy(TEMPLATE / "codebase/gan.py", homework / "codebase")
    path = tools(tmp_path / "bin")
    outcome, _ = run(homework / "make_submission.sh", cwd=homework, path=path)
    assert "codebase/gan.py: 2.2 loss_nonsaturating_d is not implemented yet" in outcome.stderr


def test_last_figure_is_last_by_number(name: str, homework: Path) -> None:
    """Step 10000 comes after 9999 and 0900, and other files are no steps."""
    for figure in ("fake_9999.png", "fake_10000.png", "fake_final.png", "fake_.png"):
        (homework / "out_wasserstein_gp" / figure).write_text("")
    _, names = run(homework / name, cwd=homework)
    assert [one for one in names if "wasserstein" in one] == ["out_wasserstein_gp/fake_10000.png"]


def test_an_older_archive_is_replaced(name: str, homework: Path) -> None:
    """Nothing of the older archive remains."""
    with zipfile.ZipFile(homework / "submission.zip", "w") as archive:
        archive.writestr("stale.txt", "stale")
    _, names = run(homework / name, cwd=homework)
    assert names == EXPECTED


def test_scripts_are_handed_out() -> None:
    """Students get the same scripts, and the shell script is executable."""
    for script in SCRIPTS:
        assert (TEMPLATE / script.name).read_bytes() == script.read_bytes()
    assert os.access(SCRIPTS[0], os.X_OK)
    assert os.access(TEMPLATE / SCRIPTS[0].name, os.X_OK)


def test_both_scripts_pack_the_same_bytes(homework: Path) -> None:
    """Names in the same order, and the contents of the files."""
    packed = []
    for script in SCRIPTS:
        run(homework / script.name, cwd=homework)
        with zipfile.ZipFile(homework / "submission.zip") as archive:
            packed.append([(n, archive.read(n)) for n in archive.namelist()])
        (homework / "submission.zip").unlink()
    assert packed[0] == packed[1]


def test_help_packs_nothing(homework: Path, name: str) -> None:
    """It says what the script does."""
    outcome, packed = run(homework / name, "--help", cwd=homework)
    assert outcome.returncode == 0
    assert outcome.stdout.startswith("Pack your homework into submission.zip")
    assert "It packs its own folder" in outcome.stdout
    assert packed == []


def test_a_folder_that_cannot_be_written_is_one_line(name: str, homework: Path) -> None:
    """The last line says what cannot be made; there is no traceback."""
    with tempfile.TemporaryDirectory() as other:  # root's own temporary folders are private
        folder = Path(other) / "homework"
        shutil.copytree(homework, folder)
        for path in (Path(other), *folder.rglob("*"), folder):
            path.chmod(0o555 if path.is_dir() else 0o444)
        shell = sys.executable if name.endswith(".py") else shutil.which("bash") or "bash"
        outcome = subprocess.run(
            [shell, folder / name],
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
            user=65534 if os.geteuid() == 0 else None,
        )
        for path in (Path(other), folder, *folder.rglob("*")):
            path.chmod(0o755)
        assert not (folder / "submission.zip").exists()
    assert outcome.returncode == 1
    assert f"{name}: {folder}/submission.zip cannot be made" in outcome.stderr.splitlines()[-1]
    assert "Traceback" not in outcome.stderr
