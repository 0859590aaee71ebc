"""A short run of the coverage-guided fuzzer on the parsers of hostile bytes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("atheris", reason="no wheel of atheris for this Python")

pytestmark = [pytest.mark.hostile, pytest.mark.slow]


@pytest.mark.parametrize("target", ["frames", "intake"])
def test_no_bytes_crash_a_parser_or_fill_its_memory(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten seconds each, starting from a valid input; prints the number of inputs."""
    done = subprocess.run(
        # Through a shell: a process's peak memory includes that of the process it was forked from.
        [
            *("sh", "-c", '"$@"; exit $?', "sh"),
            *(sys.executable, "-c", _RUN, str(ROOT), target, "--seconds", "10"),
        ],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    tried = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    assert tried is not None, done.stderr[-3000:]
    with capsys.disabled():
        print(f" [{target}: {int(tried[1]):,} inputs]", end="")
    assert int(tried[1]) > 100


_RUN = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from tests.security.fuzz_bytes import main
main()
"""
