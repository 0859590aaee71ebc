"""`guide`: one page for instructors with the answer key and the reference's figures."""

from __future__ import annotations

import argparse

from autograder.commands.common import DONE, REFERENCE, add_out, usage_errors
from autograder.engine.release.guide import GuideError, build_guide

WRITTEN = REFERENCE / "written"
PARTS = (
    WRITTEN / "README.md",
    *(WRITTEN / f"problem_{number}.md" for number in (2, 3, 4, 5)),
    REFERENCE / "README.md",
)
TITLE = "Homework 3: the instructor's guide"
SUBTITLE = "Worked answers with rubrics, and the reference solution's results. Not for students."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_out(parser, "dist/guide", "FOLDER", "index.html")
    parser.set_defaults(run=_guide)


@usage_errors(GuideError, OSError)
def _guide(options: argparse.Namespace) -> int:
    page = options.out / "index.html"
    build_guide(PARTS, page, title=TITLE, subtitle=SUBTITLE)
    print(f"{page}: {page.stat().st_size / 1e6:.1f} MB, works offline")
    return DONE
