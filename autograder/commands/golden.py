"""`golden`: the values that public checks compare with, out of the oracles and the catalogue."""

from __future__ import annotations

import argparse
import json

from autograder.commands.common import DONE, FOUND_SOMETHING
from autograder.engine.sandbox.isolated import ROOT
from autograder.homework.golden.maker import make_golden, same_golden, write_golden
from autograder.homework.golden.problems import GOLDEN
from autograder.homework.mistakes.catalogue import WRONG


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--check", action="store_true", help="only say whether they are in step (status 1 if not)"
    )
    parser.set_defaults(run=_golden)


def _golden(options: argparse.Namespace) -> int:
    made = make_golden(WRONG)
    name = GOLDEN.relative_to(ROOT)
    if options.check:
        found = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.is_file() else None
        in_step = same_golden(made, found)
        print(f"{name} is " + ("in step" if in_step else "out of step: run it without --check"))
        return DONE if in_step else FOUND_SOMETHING
    GOLDEN.write_text(write_golden(made), encoding="utf-8")
    for function, told in made["functions"].items():
        print(f"{function}: {len(told['right'])} problems, {len(told['mistakes'])} mistakes")
    print(name)
    return DONE
