"""The command line: lists the commands; each has its own module in `commands/`."""

from __future__ import annotations

import argparse
import importlib
import keyword
import os
import select
import sys
from collections.abc import Callable, Sequence

from autograder import __version__
from autograder.commands.common import WRONG_ARGUMENTS, UsageError
from autograder.engine.homework import HomeworkError

# Name and purpose; the module of the same name declares the options. Only the requested one is
# imported: a grading must not fail because of another command.
COMMANDS = {
    "new": "write the files of a new homework, which can be graded at once",
    "grade": "grade one submission",
    "checks": "list all checks with their points and visibility",
    "template": "make student_template/ from reference/ by removing the solutions",
    "golden": "compute the expected values that public checks compare with",
    "handout": "build the students' zip: template, training scripts, public checks",
    "bundle": "build the zip for Gradescope, after a preflight test",
    "audit": "grade all incorrect and correct solutions of the catalogue",
    "guide": "build the instructor's guide from the written key and the reference's figures",
    "class": "grade a whole class, and show what changed",
}
READER_HAS_GONE = 128 + 13  # as if SIGPIPE had ended it


class _OneLineParser(argparse.ArgumentParser):
    """Reports wrong arguments in one line, without the usage text."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(WRONG_ARGUMENTS, f"{self.prog}: {message} (see --help)\n")


def main(argv: Sequence[str]) -> int:
    """Run one command; return its exit status: 0 done, 1 found something, 2 wrong arguments."""
    name = "run_autograder" if argv[:1] == ["grade"] else "autograder"
    parser = _OneLineParser(prog=name, description="The commands for instructors.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    try:
        for command, purpose in COMMANDS.items():
            description = f"{purpose[0].upper()}{purpose[1:]}."
            options = commands.add_parser(command, help=purpose, description=description)
            if argv[:1] == [command]:
                if command == "grade":  # run_autograder calls it
                    options.prog = name
                module = f"{command}_" if keyword.iskeyword(command) else command
                importlib.import_module(f"autograder.commands.{module}").add_options(options)
        parsed = parser.parse_args(argv)
        run: Callable[[argparse.Namespace], int] = parsed.run
        status = run(parsed)
        sys.stdout.flush()
        return status
    except UsageError as error:
        print(f"{name}: {error} (see --help)", file=sys.stderr)
    except HomeworkError as error:
        print(f"autograder: {error}", file=sys.stderr)
    except BrokenPipeError:
        if not _reader_has_gone():
            raise
        return READER_HAS_GONE
    return WRONG_ARGUMENTS


def _reader_has_gone() -> bool:
    """Whether the reader of the output has ended, as `| head` does; if so, write no more to it."""
    output = select.poll()
    output.register(sys.stdout, 0)  # an error is reported even if nothing is asked for
    if not output.poll(0):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True
