"""`checks`: list all checks with number, points, visibility, kind and title."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from autograder.commands.common import DONE, add_homework, load_homework
from autograder.engine.grading.ledger import PlannedCheck
from autograder.engine.grading.plan import plan_checks


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_homework(parser)
    parser.set_defaults(run=_checks)


def _checks(options: argparse.Namespace) -> int:
    plan = plan_checks(load_homework(options))
    if options.json:
        # Advice has null points.
        rows = [{**asdict(check), "kind": _kind(check)} for check in plan]
        print(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        print(_table(plan))
    return DONE


def _table(plan: Sequence[PlannedCheck]) -> str:
    """Return a line for each check; the title, which may be long, comes last."""
    rows = [("number", "points", "visibility", "kind", "title")]
    for check in plan:
        points = "advice" if check.points is None else f"{check.points:g}"
        rows.append((check.number, points, check.visibility, _kind(check), check.title))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        f"{number:<{widths[0]}}  {points:>{widths[1]}}  {visibility:<{widths[2]}}  "
        f"{kind:<{widths[3]}}  {title}"
        for number, points, visibility, kind, title in rows
    ]
    total = sum(check.points or 0 for check in plan)
    return "\n".join([*lines, f"{len(plan)} checks, {total:g} points."])


def _kind(check: PlannedCheck) -> str:
    """Return "public" (students get the check) or "private", the name of its folder."""
    return check.check_id.partition("/")[0]
