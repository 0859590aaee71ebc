"""What `pytest` does in a student's folder; its conftest.py hands these hooks to pytest.

Standard library and pytest only: what else is needed may be missing, and then one sentence says
what to install.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

_NEEDED = ("torch", "numpy", "hypothesis", "safetensors", "gradescope_utils")
_OLDEST = (3, 10)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare what a student may ask for beside pytest's own options."""
    parser.addoption(
        "--compare",
        metavar="FINGERPRINT",
        help="say why a result with this fingerprint (from Gradescope) may differ from yours",
    )


def run(config: pytest.Config, folder: Path, package: str) -> int | None:
    """Run the public checks in place of pytest's own session.

    Args:
        config: of the session that pytest was about to run.
        folder: where the homework lies.
        package: the homework's package, such as "autograder.homework".

    Returns:
        The exit status; None where pytest was asked for something else: a student's own tests, or
        a listing of tests.
    """
    if config.option.collectonly or config.option.help or not _asks_for_checks(config, folder):
        return None
    problem = _what_is_missing()
    if problem:
        raise pytest.UsageError(problem)
    from autograder.engine.laptop import session

    pasted = config.getoption("--compare")
    if pasted:
        return session.compare(package, folder, pasted, sys.stdout)
    keyword = config.option.keyword or ""
    numbers = session.words(keyword)
    return session.run(
        session.Wish(
            folder,
            package,
            tuple(numbers) if numbers is not None else (),
            "" if numbers is not None else keyword,
        ),
        sys.stdout,
    )


def _asks_for_checks(config: pytest.Config, folder: Path) -> bool:
    """Whether no path was given, or one of the checks'."""
    given = [arg for arg in config.invocation_params.args if not str(arg).startswith("-")]
    places = [config.invocation_params.dir / str(arg).partition("::")[0] for arg in given]
    own = [place for place in places if place.exists()]
    grader = Path(__file__).resolve().parents[2]
    return all(place.resolve() == folder or grader in place.resolve().parents for place in own)


def _what_is_missing() -> str:
    if sys.version_info < _OLDEST:
        return f"Python {'.'.join(map(str, _OLDEST))} or newer is needed; this is {sys.version}"
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return (
            f"{', '.join(missing)} cannot be found by {sys.executable}. Install what is needed: "
            "python -m pip install -r requirements.txt"
        )
    return ""
