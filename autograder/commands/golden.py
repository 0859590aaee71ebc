"""`golden`: compute the expected values that public checks compare with."""

from __future__ import annotations

import argparse
import json

from autograder.commands.common import DONE, FOUND_SOMETHING, add_check_only
from autograder.engine.sandbox.isolated import ROOT
from autograder.homework.golden.maker import make_golden, same_golden, write_golden
from autograder.homework.golden.problems import GOLDEN
from autograder.homework.mistakes.catalogue import WRONG


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_check_only(parser)
    parser.set_defaults(run=_golden)


def _golden(options: argparse.Namespace) -> int:
    made = make_golden(WRONG)
    name = GOLDEN.relative_to(ROOT)
    if options.check:
        old = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.is_file() else None
        up_to_date = same_golden(made, old)
        print(
            f"{name} is " + ("up to date" if up_to_date else "out of date: run it without --check")
        )
        return DONE if up_to_date else FOUND_SOMETHING
    GOLDEN.write_text(write_golden(made), encoding="utf-8")
    for function, values in made["functions"].items():
        print(f"{function}: {len(values['right'])} problems, {len(values['mistakes'])} mistakes")
    print(name)
    return DONE
