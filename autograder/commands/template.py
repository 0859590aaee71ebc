"""`template`: make student_template/ from reference/ by removing the solutions."""

from __future__ import annotations

import argparse

from autograder.commands.common import (
    DONE,
    FOUND_SOMETHING,
    add_check_only,
    add_homework,
    load_homework,
    usage_errors,
)
from autograder.engine.release import template
from autograder.engine.sandbox.isolated import ROOT


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_check_only(parser)
    add_homework(parser, config=False)
    parser.set_defaults(run=_template)


@usage_errors(template.MarkerError)
def _template(options: argparse.Namespace) -> int:
    homework = load_homework(options, "reference")
    folders = (homework.reference, homework.template, homework.code_folder)
    if options.check:
        differences = template.compare_template(*folders)
        for line in differences:
            print(line)
        print(f"{homework.template.name}/ is " + ("out of date" if differences else "up to date"))
        return FOUND_SOMETHING if differences else DONE
    for path in template.make_template(*folders):
        print(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
    return DONE
