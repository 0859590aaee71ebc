"""What the commands share: where things lie, and how a command ends."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from autograder.engine.homework import Assignment, load_assignment
from autograder.engine.sandbox.isolated import ROOT

HOMEWORK = "autograder.homework"
REFERENCE = ROOT / "reference"
TEMPLATE = ROOT / "student_template"

# Exit statuses: done; found something that is not as it must be; wrong arguments or settings.
DONE, FOUND_SOMETHING, WRONG_ARGUMENTS = 0, 1, 2


def add_config(parser: argparse.ArgumentParser) -> None:
    """Declare `--config`, which `load_homework` reads."""
    parser.add_argument(
        "--config",
        type=_settings_file,
        metavar="FILE",
        help="settings in place of assignment.toml",
    )


def _settings_file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no settings file at {text}")
    return Path(text).resolve()


def load_homework(options: argparse.Namespace) -> Assignment:
    """Load the homework with its own settings, or with those that `--config` names.

    Raises:
        AssignmentError: an entry is missing, unknown or not allowed.
    """
    return load_assignment(HOMEWORK, options.config)


def usage_error(command: str, sentence: str) -> int:
    """Say in one line why a command does not run; return its exit status."""
    print(f"{command}: {sentence} (--help tells more)", file=sys.stderr)
    return WRONG_ARGUMENTS
