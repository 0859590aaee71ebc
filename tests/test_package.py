"""The wheel: complete, typed, and its command works outside the checkout as the checkout does."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import autograder

ROOT = Path(__file__).resolve().parents[1]
REFERENCE, TEMPLATE = ROOT / "reference", ROOT / "student_template"
FILES = ("codebase/flow_network.py", "codebase/gan.py")
IN_WHEEL = {
    "autograder": "autograder",
    "reference": "autograder/homework/reference",
    "student_template": "autograder/homework/student_template",
}
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("hatchling") is None, reason="hatchling builds the wheel"
)
# Reads the solution where an installed package has it, else stays the template.
_READS_THE_SOLUTION = """
import autograder as _installed
for _folder in _installed.__path__:
    try:
        with open(f"{_folder}/homework/reference/codebase/gan.py") as _file:
            exec(_file.read())
    except OSError:
        pass
"""


def run(
    *command: str | Path, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command; any exit status is the test's to judge."""
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=500, check=False
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    done = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`autograder`, installed into a new environment that sees this one's other packages."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    for folder in (venv.parents[1], venv.parent):
        folder.chmod(0o755)  # workers with users of their own read the environment
    mask = os.umask(0o022)
    try:
        assert run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=ROOT).returncode == 0
        python = venv / "bin" / "python"
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        packages = Path(run(python, "-I", "-c", code, cwd=venv).stdout.strip())
        others = sysconfig.get_path("purelib")
        (packages / "others.pth").write_text(others, encoding="utf-8")
        # pip is one of the other packages.
        install = ("-m", "pip", "install", "--no-index", "--no-deps", "--ignore-installed", wheel)
        done = run(python, *install, cwd=venv)
        assert done.returncode == 0, done.stderr
    finally:
        os.umask(mask)
    return venv / "bin" / "autograder"


def files_in(folder: Path) -> list[Path]:
    """All files that are no caches."""
    found = [p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert found
    return found


def test_the_wheel_has_all_files_in_one_package(wheel: Path) -> None:
    """Code, settings, golden values, templates, styles, scripts, the reference and the template."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for folder, inside in IN_WHEEL.items():
            for path in files_in(ROOT / folder):
                name = f"{inside}/{path.relative_to(ROOT / folder).as_posix()}"
                assert archive.read(name) == path.read_bytes()
    assert "autograder/py.typed" in names
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"autograder"}
    assert not [name for name in names if name.endswith(".pyc")]


def test_the_command_has_the_version(command: Path, tmp_path: Path) -> None:
    """It starts in any folder."""
    done = run(command, "--version", cwd=tmp_path)
    assert done.stdout == f"autograder {autograder.__version__}\n", done.stderr


@pytest.mark.slow
def test_type_checkers_read_its_types(command: Path, tmp_path: Path) -> None:
    """A wrong use of it is reported."""
    (tmp_path / "use.py").write_text("import autograder\nautograder.__version__ + 1\n")
    python = command.with_name("python")
    done = run(
        *(sys.executable, "-m", "mypy", "--python-executable", python, "--cache-dir", tmp_path),
        *("--config-file", os.devnull, "use.py"),
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "MYPYPATH"},
    )
    assert 'Unsupported operand types for + ("str" and "int")' in done.stdout, done.stdout


def test_the_checks_are_those_of_the_checkout(command: Path, tmp_path: Path) -> None:
    """The homework is found in the installed package."""
    here = run(sys.executable, "-m", "autograder", "checks", "--json", cwd=ROOT)
    installed = run(command, "checks", "--json", cwd=tmp_path)
    assert installed.returncode == 0, installed.stderr
    assert json.loads(installed.stdout) == json.loads(here.stdout)


def test_students_get_the_same_zip(command: Path, tmp_path: Path) -> None:
    """Byte for byte: the template, the scripts and requirements.txt included."""
    here = run(sys.executable, "-m", "autograder", "handout", "--out", tmp_path / "here", cwd=ROOT)
    installed = run(command, "handout", cwd=tmp_path)
    assert (here.returncode, installed.returncode) == (0, 0), here.stdout + installed.stdout
    zips = [tmp_path / name / "handout.zip" for name in ("here", "dist")]
    assert zips[0].read_bytes() == zips[1].read_bytes()


def test_gradescope_gets_the_same_files(command: Path, tmp_path: Path) -> None:
    """The scripts and the lock are carried in the package; the template lies with the homework."""
    code = (
        "import hashlib, json\n"
        "from autograder.commands import bundle\n"
        "import argparse; options = argparse.ArgumentParser(); bundle.add_options(options)\n"
        "parsed = options.parse_args([])\n"
        "class Seen(Exception): pass\n"
        "def stop(**given):\n"
        "    files = given['files'].items()\n"
        "    print(json.dumps({n: hashlib.sha256(f.data).hexdigest() for n, f in files}))\n"
        "    raise Seen\n"
        "bundle.Preflight = stop\n"
        "try: parsed.run(parsed)\n"
        "except Seen: pass\n"
    )
    here = run(sys.executable, "-c", code, cwd=ROOT)
    installed = run(command.with_name("python"), "-c", code, cwd=tmp_path)
    beside = {
        name.replace("autograder/homework/student_template", "student_template"): digest
        for name, digest in json.loads(installed.stdout).items()
    }
    assert beside == json.loads(here.stdout)


@pytest.mark.slow
@pytest.mark.e2e
def test_the_reference_gets_full_marks(command: Path, tmp_path: Path) -> None:
    """`autograder grade` grades the reference by default, as run_autograder does."""
    done = run(command, "grade", cwd=tmp_path)
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    most = sum(test.get("max_score", 0) for test in results["tests"])
    assert most > 0
    assert sum(test.get("score", 0) for test in results["tests"]) == most, done.stdout


@pytest.mark.slow
@pytest.mark.e2e
def test_a_class_is_graded_and_nobody_reads_the_installed_solution(
    command: Path, tmp_path: Path
) -> None:
    """The package lies among the libraries that graded code may read; it is left out of them."""
    for name in ("honest", "reader"):
        (tmp_path / "export" / name / "codebase").mkdir(parents=True)
        for file in FILES:
            source = REFERENCE if name == "honest" else TEMPLATE
            shutil.copy(source / file, tmp_path / "export" / name / file)
    with (tmp_path / "export" / "reader" / FILES[1]).open("a", encoding="utf-8") as gan:
        gan.write(_READS_THE_SOLUTION)
    done = run(command, "class", "export", "--out", "report", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    total = run(command, "checks", cwd=tmp_path).stdout.split()[-2]
    with (tmp_path / "report" / "scores.csv").open(encoding="utf-8-sig", newline="") as scores:
        rows = list(csv.DictReader(scores))
    points = {row["Submission"]: float(row[f"Total (of {total})"]) for row in rows}
    assert points == {"honest": float(total), "reader": 0}, rows
