"""`make_submission.sh` and its twin: what they pack, what they warn about, when they refuse."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = (ROOT / "make_submission.sh", ROOT / "make_submission.py")
TEMPLATE = ROOT / "student_template"

PYTHON_FILES = ["codebase/flow_network.py", "codebase/gan.py"]
# What the script calls besides the shell itself, without zip and python3.
PLAIN_TOOLS = ("bash", "dirname", "mktemp", "mv", "rm", "sed")


@pytest.fixture(params=[script.name for script in SCRIPTS])
def name(request: pytest.FixtureRequest) -> str:
    """Either script: what one does, the other does."""
    return str(request.param)


@pytest.fixture
def homework(tmp_path: Path) -> Path:
    """A finished homework with the scripts in it, figures included."""
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
    script: Path, *, cwd: Path, path: str | None = None
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run the script; return how it ended and what is in the archive under `cwd`, if any."""
    shell = sys.executable if script.suffix == ".py" else shutil.which("bash") or "bash"
    outcome = subprocess.run(
        [shell, str(script)],
        cwd=cwd,
        env={**os.environ, "PATH": path or os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=30,
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
    """Return a PATH that holds the plain tools and the extra ones alone."""
    folder.mkdir()
    for name in PLAIN_TOOLS:
        found = shutil.which(name)
        assert found is not None, name
        (folder / name).symlink_to(found)
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
    """Called from anywhere, it packs where it lies, lists what it packed, and warns of nothing."""
    outcome, names = run(homework / name, cwd=tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    assert names == EXPECTED
    assert all(f"  {one}\n" in outcome.stdout for one in names)
    assert f"Packed into {homework}/submission.zip" in outcome.stdout
    assert outcome.stderr == ""


def test_packs_the_current_folder_where_its_own_has_no_code(
    name: str, homework: Path, tmp_path: Path
) -> None:
    """A copy elsewhere packs the folder that it is called from."""
    elsewhere = tmp_path / "bin"
    elsewhere.mkdir()
    script = Path(shutil.move(homework / name, elsewhere))
    outcome, names = run(script, cwd=homework)
    assert outcome.returncode == 0, outcome.stderr
    assert names == EXPECTED
    assert not (elsewhere / "submission.zip").exists()


def test_python_packs_where_zip_is_missing(homework: Path, tmp_path: Path) -> None:
    """Without zip, python3 writes the same archive."""
    path = tools(tmp_path / "bin", "python3")
    outcome, names = run(homework / "make_submission.sh", cwd=homework, path=path)
    assert outcome.returncode == 0, outcome.stderr
    assert names == EXPECTED


def test_without_any_packer_it_says_what_to_install(homework: Path, tmp_path: Path) -> None:
    """With neither zip nor python3 there is one line and no archive."""
    outcome, names = run(
        homework / "make_submission.sh", cwd=homework, path=tools(tmp_path / "bin")
    )
    assert outcome.returncode != 0
    assert outcome.stderr == (
        "make_submission.sh: needs zip or python3, and neither was found; install one of them\n"
    )
    assert names == []
    assert not list(homework.glob(".submission*"))


@pytest.mark.parametrize("missing", PYTHON_FILES)
def test_a_missing_python_file_is_refused(name: str, homework: Path, missing: str) -> None:
    """Nothing is packed without both Python files; the one line names the missing one."""
    (homework / missing).unlink()
    outcome, names = run(homework / name, cwd=homework)
    assert outcome.returncode != 0
    assert f"{missing} is missing; nothing was packed" in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert names == []


def test_a_folder_without_code_is_refused(name: str, tmp_path: Path) -> None:
    """Away from any homework the script says where it looked."""
    shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "empty").mkdir()
    outcome, _ = run(tmp_path / name, cwd=tmp_path / "empty")
    assert outcome.returncode != 0
    assert "holds a folder codebase/; run it in your homework's folder" in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_stubs_that_are_still_there_are_warned_about(name: str, tmp_path: Path) -> None:
    """The untouched template packs with one warning for each of its nine stubs."""
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
    assert "maf/samples_epoch50.png is not there; 'python run_flow.py' makes it" in outcome.stdout


def test_last_figure_is_last_by_number(name: str, homework: Path) -> None:
    """Step 10000 comes after 9999 and 0900, and other files are no steps."""
    for figure in ("fake_9999.png", "fake_10000.png", "fake_final.png", "fake_.png"):
        (homework / "out_wasserstein_gp" / figure).write_text("")
    _, names = run(homework / name, cwd=homework)
    assert [one for one in names if "wasserstein" in one] == ["out_wasserstein_gp/fake_10000.png"]


def test_an_older_archive_is_replaced(name: str, homework: Path) -> None:
    """Packing again starts anew: nothing of an older archive stays."""
    with zipfile.ZipFile(homework / "submission.zip", "w") as archive:
        archive.writestr("stale.txt", "stale")
    _, names = run(homework / name, cwd=homework)
    assert names == EXPECTED


def test_scripts_are_handed_out() -> None:
    """Students get the same scripts, the shell's ready to run."""
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
