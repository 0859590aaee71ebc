"""The command line: which commands there are; each has its module in `commands/`."""

from __future__ import annotations

import argparse
import importlib
import keyword
import sys
from collections.abc import Callable, Sequence

from autograder.commands.common import WRONG_ARGUMENTS
from autograder.engine.homework import AssignmentError

# name: what it does; the module of the same name declares its options. Only the one that is asked
# for is imported: a grading needs nothing of the others and must not fail because of them.
COMMANDS = {
    "grade": "grade one submission",
    "checks": "list all checks with their points and visibility",
    "template": "make student_template/ from reference/, its solutions cut out",
    "golden": "make the values that public checks compare with",
    "handout": "build the students' zip: template, drivers, public checks",
    "bundle": "make the zip for Gradescope, after the gate",
    "audit": "grade the catalogue of wrong and right solutions",
    "guide": "make the instructor's guide from the written key and the reference's figures",
    "class": "grade a whole class, and show what changed",
}


class _OneLineParser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line, without the usage around it."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(WRONG_ARGUMENTS, f"{self.prog}: {message} (--help tells more)\n")


def main(argv: Sequence[str]) -> int:
    """Run one command; return its exit status: 0 done, 1 found something, 2 wrong arguments."""
    graded = argv[:1] == ["grade"]  # what run_autograder calls
    parser = _OneLineParser(
        prog="run_autograder" if graded else "autograder",
        description="The commands for instructors.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=f"{purpose.capitalize()}.")
        if argv[:1] == [name]:
            if graded:
                command.prog = "run_autograder"
            module = f"{name}_" if keyword.iskeyword(name) else name
            importlib.import_module(f"autograder.commands.{module}").add_options(command)
    options = parser.parse_args(argv)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except AssignmentError as error:
        print(f"autograder: {error}", file=sys.stderr)
        return WRONG_ARGUMENTS
