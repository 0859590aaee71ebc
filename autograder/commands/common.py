"""What the commands share: where things lie, and how a command ends."""

from __future__ import annotations

import sys

from autograder.engine.boot import ROOT

HOMEWORK = "autograder.homework"
REFERENCE = ROOT / "reference"
TEMPLATE = ROOT / "student_template"

# Exit statuses: done; found something that is not as it must be; wrong arguments or settings.
DONE, FOUND_SOMETHING, WRONG_ARGUMENTS = 0, 1, 2


def complain(command: str, sentence: str) -> int:
    """Say in one line why a command does not run; return its exit status."""
    print(f"{command}: {sentence} (--help tells more)", file=sys.stderr)
    return WRONG_ARGUMENTS
