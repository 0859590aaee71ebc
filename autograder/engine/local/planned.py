"""The public checks with their points, as Gradescope counts them.

The points of a part are shared among all its checks, private ones included; so they cannot be
computed without those, and the handout includes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from autograder.engine.grading.ledger import PlannedCheck
from autograder.engine.grading.plan import plan_checks
from autograder.engine.homework import Homework

PLAN = "public_plan.json"  # in the homework's folder
PRISTINE = "pristine"  # there, too: the template's code as it was handed out


@dataclass(frozen=True)
class PublicPlan:
    """The public checks in the order of their numbers, and the numbers of all others.

    `titles` and `points` are those of every part.
    """

    checks: tuple[PlannedCheck, ...]
    private: tuple[str, ...]
    titles: Mapping[str, str]
    points: Mapping[str, float]


def public_plan(homework: Homework) -> PublicPlan:
    """Return the public checks of the plan; needs the private ones to compute points."""
    plan = plan_checks(homework)
    checks = tuple(
        replace(check, visibility="visible")  # on a student's machine, every check is
        for check in plan
        if check.check_id.startswith("public/")
    )
    public = {check.number for check in checks}
    private = tuple(check.number for check in plan if check.number not in public)
    points = {part.number: part.points for part in homework.parts}
    return PublicPlan(checks, private, homework.part_titles, points)


def write_plan(plan: PublicPlan) -> str:
    """Return the text of the file `PLAN`."""
    plan_fields = {
        "titles": dict(plan.titles),
        "points": dict(plan.points),
        "private": list(plan.private),
        "checks": [asdict(check) for check in plan.checks],
    }
    return json.dumps(plan_fields, indent=1, ensure_ascii=False) + "\n"


def read_plan(homework: Path) -> PublicPlan:
    """Read what `write_plan` wrote.

    Raises:
        FileNotFoundError: the folder is not from a handout.
    """
    raw = json.loads((homework / PLAN).read_text(encoding="utf-8"))
    checks = tuple(PlannedCheck(**check) for check in raw["checks"])
    return PublicPlan(checks, tuple(raw["private"]), raw["titles"], raw["points"])
