"""Which tests run: quick ones by default, slow ones with --slow, the catalogue with --all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_TESTS = """
import pytest

def test_plain(): pass

@pytest.mark.slow
def test_slow(): pass

@pytest.mark.e2e
@pytest.mark.sample
def test_sample(): pass

@pytest.mark.whole_catalogue
def test_catalogue(): pass

@pytest.mark.hostile
@pytest.mark.parametrize("number", range(13))
def test_hostile(number): pass
"""
_SETTINGS = (
    "[pytest]\ntestpaths = tests\nmarkers =\n slow\n e2e\n sample\n hostile\n whole_catalogue\n"
)


@pytest.mark.parametrize(
    ("options", "passed"),
    [
        ([], 4),  # plain, sample, two hostile submissions
        (["-n", "2"], 4),
        (["--slow"], 16),
        (["--all"], 17),
        (["-k", "slow"], 1),
        (["tests/test_it.py"], 16),
    ],
    ids=str,
)
def test_options_choose_the_tests(tmp_path: Path, options: list[str], passed: int) -> None:
    """Tests that are asked for by name or path run without an option; the catalogue needs --all."""
    (tmp_path / "tests").mkdir()
    conftest = Path(__file__).with_name("conftest.py").read_text(encoding="utf-8")
    (tmp_path / "tests" / "conftest.py").write_text(conftest, encoding="utf-8")
    (tmp_path / "tests" / "test_it.py").write_text(_TESTS, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(_SETTINGS, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert f"{passed} passed" in done.stdout, done.stdout + done.stderr
