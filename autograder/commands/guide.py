"""`guide`: one page for instructors with the answer key and the reference's figures."""

from __future__ import annotations

import argparse

from autograder.commands.common import (
    DONE,
    UsageError,
    add_homework,
    add_out,
    load_homework,
    usage_errors,
)
from autograder.engine.release.guide import GuideError, build_guide

SUBTITLE = "Worked answers with rubrics, and the reference solution's results. Not for students."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_homework(parser, config=False)
    add_out(parser, "dist/guide", "FOLDER", "index.html")
    parser.set_defaults(run=_guide)


@usage_errors(GuideError, OSError)
def _guide(options: argparse.Namespace) -> int:
    homework = load_homework(options)
    reference = homework.reference
    written = reference / "written"
    parts = (written / "README.md", *sorted(written.glob("[!R]*.md")), reference / "README.md")
    parts = tuple(part for part in parts if part.is_file())
    if not parts:
        raise UsageError(f"there is nothing to make a guide from: no written/*.md in {reference}")
    page = options.out / "index.html"
    title = f"{homework.title}: the instructor's guide"
    build_guide(parts, page, title=title, subtitle=SUBTITLE)
    print(f"{page}: {page.stat().st_size / 1e6:.1f} MB, works offline")
    return DONE
