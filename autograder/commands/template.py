"""`template`: student_template/ out of reference/, its solutions cut out."""

from __future__ import annotations

import argparse

from autograder.commands.common import DONE, FOUND_SOMETHING, REFERENCE, TEMPLATE, usage_error
from autograder.engine.release import template
from autograder.engine.sandbox.isolated import ROOT


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--check", action="store_true", help="only say whether it is in step (status 1 if not)"
    )
    parser.set_defaults(run=_template)


def _template(options: argparse.Namespace) -> int:
    try:
        return _make_or_compare(options)
    except template.MarkerError as error:
        return usage_error("autograder", str(error))


def _make_or_compare(options: argparse.Namespace) -> int:
    if options.check:
        differences = template.compare_template(REFERENCE, TEMPLATE)
        for line in differences:
            print(line)
        print("student_template/ is " + ("out of step" if differences else "in step"))
        return FOUND_SOMETHING if differences else DONE
    for path in template.make_template(REFERENCE, TEMPLATE):
        print(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
    return DONE
