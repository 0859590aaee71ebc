"""The entry from conftest.py in a student's folder: pytest's extra option, and the plugin.

Standard library and pytest only: if another package is missing or broken, one sentence says what to
install.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from autograder.engine.local import environment
from autograder.engine.local.planned import PLAN
from autograder.engine.submission import GRADER


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option `--compare`."""
    parser.addoption(
        "--compare",
        metavar="FINGERPRINT",
        help="say why a result with this fingerprint (from Gradescope) may differ from yours",
    )


def compare(config: pytest.Config, folder: Path) -> int | None:
    """Explain a fingerprint that was pasted; return None without `--compare`."""
    pasted = config.getoption("--compare")
    if not pasted:
        return None
    _stop_if_missing()
    from autograder.engine.homework import load_homework
    from autograder.engine.release import fingerprint

    there = fingerprint.parse(pasted)
    if there is None:
        raise pytest.UsageError(
            "This text contains no fingerprint. Copy the line that begins with Fingerprint: from "
            "the top of your result on Gradescope."
        )
    here = fingerprint.take(load_homework(_homework(folder)), folder)
    sys.stdout.write("\n".join(fingerprint.explain(here, there)) + "\n")
    return 0


def set_up(config: pytest.Config, folder: Path) -> None:
    """Register the plugin that judges the homework's checks; other tests run as usual.

    Raises:
        UsageError: a package is missing.
    """
    _stop_if_missing()
    from autograder.engine.local.plugin import LocalChecks

    config.pluginmanager.register(LocalChecks(folder, _homework(folder)), f"checks of {folder}")


def _homework(folder: Path) -> Path:
    """Return the homework's folder in an unzipped handout."""
    return next((folder / GRADER).rglob(PLAN)).parent


def _stop_if_missing() -> None:
    problem = environment.missing()
    if problem:
        raise pytest.UsageError(problem)
