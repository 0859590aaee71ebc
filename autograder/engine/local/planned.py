"""The public checks with their points, as Gradescope counts them.

The points of a part are shared among all its checks, private ones included; so they cannot be
computed where those are not, and the handout brings them along.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from autograder.engine.grading.ledger import PlannedCheck
from autograder.engine.grading.plan import plan_checks
from autograder.engine.homework import Assignment

PLAN = "public_plan.json"  # beside the homework's checks
PRISTINE = "pristine"  # there too: the template's code as it was handed out


@dataclass(frozen=True)
class PublicPlan:
    """The public checks in the order of their numbers; title and points of every part."""

    checks: tuple[PlannedCheck, ...]
    titles: Mapping[str, str]
    points: Mapping[str, float]


def public_plan(assignment: Assignment) -> PublicPlan:
    """Take the public checks out of the plan; only where the private ones are too."""
    checks = tuple(
        replace(check, visibility="visible")  # to who runs it, whenever Gradescope shows it
        for check in plan_checks(assignment)
        if check.check_id.startswith("public/")
    )
    points = {part.number: part.points for part in assignment.parts}
    return PublicPlan(checks, assignment.part_titles, points)


def write_plan(plan: PublicPlan) -> str:
    """Return the text of the file that the handout brings along."""
    told = {
        "titles": dict(plan.titles),
        "points": dict(plan.points),
        "checks": [asdict(check) for check in plan.checks],
    }
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def read_plan(homework: Path) -> PublicPlan:
    """Read what `write_plan` wrote.

    Raises:
        FileNotFoundError: this is no handout.
    """
    told = json.loads((homework / PLAN).read_text(encoding="utf-8"))
    checks = tuple(PlannedCheck(**check) for check in told["checks"])
    return PublicPlan(checks, told["titles"], told["points"])


def parts_of(plan: PublicPlan) -> Sequence[str]:
    """The numbers of the parts, in order."""
    return list(dict.fromkeys(check.part for check in plan.checks))
