"""`isolated.py` runs a module in isolated mode: nothing of the caller's is on its path."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from autograder.engine.sandbox.isolated import ROOT, command

# Runs the rest of its command line as a program.
_TELLER = "tests.small_homework.teller"


def run(
    *arguments: str, module: str = _TELLER, cwd: Path | None = None, env: Mapping[str, str] = {}
) -> subprocess.CompletedProcess[str]:
    """Run a module as the engine starts its processes."""
    return subprocess.run(
        [*command(sys.executable, module), *arguments],
        cwd=cwd,
        env=dict(env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_module_gets_its_arguments_and_gives_its_status() -> None:
    """Arguments follow the module's name in sys.argv, and sys.exit sets the status."""
    done = run("sys.exit(len(sys.argv) + 40)", "--flag", "x")
    assert (done.returncode, done.stdout, done.stderr) == (44, "", "")
    done = run("print(sys.argv[2:], __name__)", "a b", "-c")
    assert done.stdout == "['a b', '-c'] __main__\n"


def test_the_folder_of_the_project_comes_first() -> None:
    """Our packages are imported from this checkout, whatever else is installed."""
    done = run("import autograder; print(sys.path[0], autograder.__file__)")
    assert done.stdout.split() == [str(ROOT), str(ROOT / "autograder" / "__init__.py")]
    assert (ROOT / "pyproject.toml").is_file()


def test_nothing_in_the_current_folder_is_imported(tmp_path: Path) -> None:
    """Such as a student's random.py or autograder/."""
    for name in ("random.py", "sitecustomize.py", "usercustomize.py", "numpy.py"):
        (tmp_path / name).write_text("raise SystemExit('picked up')\n")
    (tmp_path / "autograder").mkdir()
    (tmp_path / "autograder" / "__init__.py").write_text("raise SystemExit('picked up')\n")
    done = run("import random, autograder; print('' in sys.path, sys.path)", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("False")
    assert str(tmp_path) not in done.stdout


@pytest.mark.parametrize("variable", ["PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME"])
def test_the_callers_python_variables_are_ignored(tmp_path: Path, variable: str) -> None:
    """They change nothing on the path."""
    (tmp_path / "random.py").write_text("raise SystemExit('picked up')\n")
    done = run("import random; print(sys.path)", env={variable: str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert str(tmp_path) not in done.stdout


def test_the_users_site_packages_are_ignored(tmp_path: Path) -> None:
    """Packages in the home folder are not on the path."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = tmp_path / ".local" / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    (packages / "usercustomize.py").write_text("raise SystemExit('picked up')\n")
    done = run("print(sys.path, sys.flags.isolated)", env={"HOME": str(tmp_path)})
    assert str(tmp_path) not in done.stdout
    assert done.stdout.endswith("] 1\n")


def test_a_missing_module_ends_with_an_error() -> None:
    """The exit status is 1 and the error names the module."""
    done = run(module="autograder.no_such_module")
    assert done.returncode == 1
    assert "autograder.no_such_module" in done.stderr
