"""`new`: write the files of a new homework, which can be graded at once."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from autograder.commands.common import DONE, UsageError
from autograder.engine.homework import load_homework
from autograder.engine.release import new_homework
from autograder.engine.release.template import make_template
from autograder.engine.sandbox.isolated import importable

_FILES = Path(new_homework.__file__).parent  # a homework itself: its files are linted and graded
_NAMES = re.compile(rf"\b(?:{re.escape(new_homework.__name__)}|{_FILES.name})\b")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "folder",
        type=Path,
        metavar="FOLDER",
        help="the folder to make, anywhere; its name becomes that of the homework's package",
    )
    parser.set_defaults(run=_new)


def _new(options: argparse.Namespace) -> int:
    folder = options.folder.resolve()
    if folder.exists():
        raise UsageError(f"{folder} exists already; nothing was written")
    try:
        folder.mkdir(parents=True)
        package = _package_name(folder)
        for source in sorted(_FILES.rglob("*")):
            if source.is_file() and "__pycache__" not in source.parts:
                target = folder / source.relative_to(_FILES)
                target.parent.mkdir(parents=True, exist_ok=True)
                text = source.read_text(encoding="utf-8")
                named = _NAMES.sub(lambda m: package if "." in m[0] else folder.name, text)
                target.write_text(named, encoding="utf-8")
        homework = load_homework(folder)
        make_template(homework.reference, homework.template, homework.code_folder)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error}") from error
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        print(path.relative_to(folder.parent))
    place = os.path.relpath(folder)
    print(f"\nNext: .venv/bin/python -m autograder audit --homework {place}")
    print("docs/authors.md explains each file, and the way to a graded class.")
    return DONE


def _package_name(folder: Path) -> str:
    """Return the package that an empty folder will be; remove the folder if it cannot be one."""
    try:
        return importable(folder)
    except ModuleNotFoundError as error:
        folder.rmdir()
        raise UsageError(str(error)) from None
