"""`golden`: compute the expected values that public checks compare with."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from autograder.commands.common import (
    DONE,
    FOUND_SOMETHING,
    UsageError,
    add_check_only,
    add_homework,
    load_homework,
)
from autograder.engine.catalogue.cases import load_catalogue
from autograder.engine.catalogue.golden import as_text, plain, same


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_check_only(parser)
    add_homework(parser, config=False)
    parser.set_defaults(run=_golden)


def _golden(options: argparse.Namespace) -> int:
    homework = load_homework(options)
    path: Path | None = homework.value("golden.maker", "GOLDEN")
    if path is None:
        raise UsageError(f"{homework.folder} has no golden values (no module golden/maker.py)")
    make_golden = homework.value("golden.maker", "make_golden")
    made = plain(make_golden(load_catalogue(homework).wrong))
    shown = path.relative_to(homework.folder)
    if options.check:
        old = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        up_to_date = same(made, old)
        state = "up to date" if up_to_date else "out of date: run it without --check"
        print(f"{shown} is {state}")
        return DONE if up_to_date else FOUND_SOMETHING
    path.write_text(as_text(made), encoding="utf-8")
    print(f"{shown} written: {path.stat().st_size / 1024:.0f} KiB")
    return DONE
