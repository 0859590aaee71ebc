"""The zip for Gradescope: its files, the same bytes every time, and the command."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder import cli
from autograder.commands.common import HOMEWORK
from autograder.engine.homework import Homework, load_homework
from autograder.engine.release.archive import File, write_zip
from autograder.engine.release.bundle import TORCH_INDEX_FILE, collect, unpack
from autograder.engine.release.preflight import Preflight, Result
from autograder.engine.sandbox.isolated import ROOT
from tests.this_homework import THIS

TEMPLATE = ROOT / "student_template"
EXAMPLE = ROOT / "docs" / "examples" / "term.toml"


@pytest.fixture(scope="module")
def homework() -> Homework:
    """The real settings."""
    return THIS


@pytest.fixture(scope="module")
def files(homework: Homework) -> dict[str, File]:
    """The real bundle."""
    return collect(homework)


# ---- its files ----------------------------------------------------------------------------


def test_the_scripts_that_the_platform_calls_are_executable_files_at_the_root(
    files: dict[str, File], tmp_path: Path
) -> None:
    """setup.sh and run_autograder have a shebang and are executable."""
    write_zip(tmp_path / "a.zip", files, compress=False)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
        for name in ("setup.sh", "run_autograder"):
            assert modes.pop(name) == stat.S_IFREG | 0o755
            assert archive.read(name).startswith(b"#!/usr/bin/env bash\n")
    assert set(modes.values()) == {stat.S_IFREG | 0o644}


def test_neither_solutions_nor_tools_are_packed(files: dict[str, File]) -> None:
    """No reference, no correct solution of the catalogue, no tests, docs or caches."""
    tops = {name.partition("/")[0] for name in files}
    assert tops == {
        *("setup.sh", "run_autograder", "constraints.txt", "requirements.lock"),
        *("LICENSE", "autograder", "student_template"),
    }
    for name, file in files.items():
        assert "right" not in Path(name).stem, name
        marked = re.search(rb"^\s*# BEGIN SOLUTION \d", file.data, re.MULTILINE)
        assert not marked or name == "autograder/engine/release/template.py", name
        assert not name.endswith(".pyc"), name
    solutions = {path.read_bytes() for path in (ROOT / "reference").rglob("*.py")}
    template = {path.read_bytes() for path in TEMPLATE.rglob("*.py")}
    assert not {file.data for file in files.values()} & (solutions - template)


def test_other_settings_are_packed_as_the_homeworks_own(tmp_path: Path) -> None:
    """The platform reads the file that --config names."""
    files = collect(load_homework(HOMEWORK, EXAMPLE))
    assert files["autograder/homework/assignment.toml"].data == EXAMPLE.read_bytes()
    unpack(files, tmp_path)
    here = hashed(ROOT, EXAMPLE)
    there = hashed(tmp_path, tmp_path / "autograder" / "homework" / "assignment.toml")
    assert here == there


def hashed(root: Path, config: Path) -> str:
    """The hash of the checks, as that copy of the project computes it."""
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from autograder.engine.homework import load_homework\n"
        "from autograder.engine.grading.plan import hash_of_checks\n"
        "homework = Path(sys.argv[1]) / 'autograder' / 'homework'\n"
        "print(hash_of_checks(load_homework(homework, Path(sys.argv[2]))))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, root, config],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_an_index_for_torch_is_packed_only_when_it_is_given(homework: Homework) -> None:
    """setup.sh reads it from its own folder."""
    assert TORCH_INDEX_FILE not in collect(homework)
    given = collect(homework, "https://example.org/cpu")
    assert given[TORCH_INDEX_FILE].data == b"https://example.org/cpu\n"
    assert TORCH_INDEX_FILE in (ROOT / "setup.sh").read_text(encoding="utf-8")


# ---- the same bytes -----------------------------------------------------------------------

_BUILD = """
import os, sys
from pathlib import Path
root = Path(sys.argv[1])
sys.path.insert(0, str(root))
os.umask(int(sys.argv[3], 8))
from autograder.engine.homework import load_homework
from autograder.engine.release.archive import write_zip
from autograder.engine.release.bundle import collect
homework = load_homework(root / "autograder" / "homework")
write_zip(Path(sys.argv[2]), collect(homework), compress=False)
"""


def built(project: Path, out: Path, *, umask: str, zone: str) -> bytes:
    """Build the bundle of a copy of the project in a new process."""
    subprocess.run(
        [sys.executable, "-I", "-c", _BUILD, project, out, umask],
        env={**os.environ, "TZ": zone, "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        timeout=60,
    )
    return out.read_bytes()


def test_the_same_input_gives_the_same_bytes(files: dict[str, File], tmp_path: Path) -> None:
    """Umask, modes, times, time zone, place and the order of writing make no difference."""
    first, second = tmp_path / "first", tmp_path / "second-in-another-place"
    builder = "autograder/engine/release/bundle.py"
    project = {**files, builder: File((ROOT / builder).read_bytes())}
    unpack(project, first)
    unpack(dict(reversed(project.items())), second)
    for number, path in enumerate(sorted(second.rglob("*"))):
        os.utime(path, (10**9 + number, 10**9 + number))
        if path.is_file():
            path.chmod(0o600 if number % 2 else 0o777)
    one = built(first, tmp_path / "one.zip", umask="022", zone="UTC")
    other = built(second, tmp_path / "other.zip", umask="077", zone="Asia/Kathmandu")
    assert hashlib.sha256(one).hexdigest() == hashlib.sha256(other).hexdigest()
    (second / "setup.sh").write_text("# changed\n")
    assert built(second, tmp_path / "changed.zip", umask="022", zone="UTC") != one


# ---- the command --------------------------------------------------------------------------


def test_a_failed_preflight_leaves_the_earlier_zip_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The status is 1, the reason is printed, and nothing is written."""

    def results(_preflight: Preflight) -> Iterator[Result]:
        yield Result("all is well", ("it is not:\nsee here",), 1.0)

    monkeypatch.setattr(Preflight, "results", results)
    out = tmp_path / "autograder.zip"
    out.write_text("earlier")
    assert cli.main(["bundle", "--out", str(out)]) == 1
    printed = capsys.readouterr().out
    assert "STOP all is well (1 s)\n         it is not:\n         see here\n" in printed
    assert "was not written. An existing one is from an earlier run." in printed
    assert out.read_text() == "earlier"


def test_a_passed_preflight_gives_the_zip_and_the_next_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Size, hashes, points, time limit and leaderboard are those of the settings."""

    def results(_preflight: Preflight) -> Iterator[Result]:
        yield Result("all is well", (), 1.0)

    monkeypatch.setattr(Preflight, "results", results)
    out = tmp_path / "autograder.zip"
    assert cli.main(["bundle", "--out", str(out), "--config", str(EXAMPLE)]) == 0
    printed = capsys.readouterr().out
    assert hashlib.sha256(out.read_bytes()).hexdigest() in printed
    assert '"Autograder points": 100;' in printed
    assert '"Autograder timeout": 15 minutes' in printed
    assert "enable the leaderboard" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "nowhere.toml"], "there is no settings file at nowhere.toml"),
        (["--out", "."], "--out must name a file, . is a folder"),
        (["--torch-index", "cpu"], "--torch-index 'cpu' is no address"),
        (["--sample", "0"], "argument --sample: 0 must be at least 1"),
        (["--jobs", "x"], "argument --jobs: invalid"),
        (["--skip-preflight"], "unrecognized arguments: --skip-preflight"),
    ],
)
def test_wrong_arguments_give_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The status is 2; there is no way around the preflight."""
    status = 0
    try:
        status = cli.main(["bundle", *arguments])
    except SystemExit as end:
        status = int(str(end.code))
    line = capsys.readouterr().err
    assert status == 2
    assert message in line
    assert line.count("\n") == 1


def test_a_mistake_in_the_settings_gives_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is graded."""
    config = tmp_path / "term.toml"
    shutil.copy(EXAMPLE, config)
    config.write_text(EXAMPLE.read_text(encoding="utf-8").replace("hints", "hint"))
    assert cli.main(["bundle", "--config", str(config)]) == 2
    assert "term.toml: grading.hint = False; allowed:" in capsys.readouterr().err
