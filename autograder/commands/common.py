"""Shared by all commands: paths, options, exit statuses and usage errors."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path

from autograder.engine import homework
from autograder.engine.homework import Homework, HomeworkError
from autograder.engine.sandbox.isolated import ROOT

HOMEWORK = ROOT / "autograder" / "homework"

# Exit statuses: done; found a problem or a change; wrong arguments or settings.
DONE, FOUND_SOMETHING, WRONG_ARGUMENTS = 0, 1, 2

_HOW_TO_MAKE = "; `python -m autograder template --homework {folder}` makes it"


class UsageError(Exception):
    """A command cannot run as requested; the text is one sentence without its full stop."""


@contextlib.contextmanager
def usage_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Turn exceptions of these kinds into a `UsageError` with the same text."""
    try:
        yield
    except kinds as error:
        raise UsageError(str(error)) from error


def add_homework(parser: argparse.ArgumentParser, *, config: bool = True) -> None:
    """Declare `--homework` and `--config`, which `load_homework` reads."""
    parser.add_argument(
        "--homework",
        type=Path,
        metavar="FOLDER",
        help="the homework's folder (default: autograder/homework)",
    )
    parser.set_defaults(config=None)
    if not config:
        return
    parser.add_argument(
        "--config", type=_settings_file, metavar="FILE", help="settings to use, not assignment.toml"
    )


def add_out(parser: argparse.ArgumentParser, default: str, metavar: str, content: str) -> None:
    """Declare `--out`, the file or folder to write."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(default),
        metavar=metavar,
        help=f"where to write {content} (default: {default})",
    )


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Declare `--jobs`, the number of processes."""
    parser.add_argument(
        "--jobs", type=at_least_one, default=2, metavar="N", help="processes (default: 2)"
    )


def add_check_only(parser: argparse.ArgumentParser) -> None:
    """Declare `--check`, which compares and writes nothing."""
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit status 1 if out of date"
    )


def at_least_one(text: str) -> int:
    """Parse a whole number >= 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} must be at least 1")
    return value


def _settings_file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no settings file at {text}")
    return Path(text).resolve()


def load_homework(options: argparse.Namespace, *needed: str) -> Homework:
    """Load the homework of `--homework` with its own settings, or with those of `--config`.

    Args:
        options: the command's.
        needed: "reference" and "template", where the command reads the files in it.

    Raises:
        HomeworkError: there is none, an entry is missing, unknown or not allowed, or a file that
            the command needs is missing.
    """
    loaded = homework.load_homework(options.homework or _default(), options.config)
    for name in needed:
        for path in (getattr(loaded, name) / file for file in loaded.files):
            if not path.is_file():
                raise HomeworkError(
                    f"the {name} is incomplete: there is no {path}"
                    + (_HOW_TO_MAKE.format(folder=loaded.folder) if name == "template" else "")
                )
    return loaded


def _default() -> Path:
    """Return this project's homework; in a bundle of another one, the only one there."""
    if (HOMEWORK / homework.SETTINGS).is_file():
        return HOMEWORK
    return next((path.parent for path in ROOT.glob(f"*/{homework.SETTINGS}")), HOMEWORK)
