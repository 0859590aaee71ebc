"""`handout`: build dist/handout.zip for the students."""

from __future__ import annotations

import argparse

from autograder.commands.common import (
    DONE,
    FOUND_SOMETHING,
    add_homework,
    add_out,
    load_homework,
)
from autograder.engine.release.handout import ZIP, HandoutError, build_handout
from autograder.engine.release.manifest import SecretFileNeeded


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_out(parser, "dist", "FOLDER", ZIP)
    add_homework(parser)
    parser.set_defaults(run=_handout)


def _handout(options: argparse.Namespace) -> int:
    try:
        names = build_handout(load_homework(options, "reference", "template"), options.out)
    except (HandoutError, SecretFileNeeded) as error:
        print(f"The handout was not built: {error}")
        return FOUND_SOMETHING
    path = options.out / ZIP
    print(f"{path}: {len(names)} files, {path.stat().st_size / 1024:.0f} KiB; no secret in it.")
    print("Publish it with the assignment. Students unzip it and follow its README.md.")
    return DONE
