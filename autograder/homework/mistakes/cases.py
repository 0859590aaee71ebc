"""The catalogue as submissions: reference text with one region replaced."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TypedDict

from autograder.engine.catalogue.audit import Case
from autograder.engine.catalogue.solutions import Right, Wrong
from autograder.engine.grading.ledger import PlannedCheck
from autograder.engine.grading.plan import plan_checks
from autograder.engine.homework import load_assignment
from autograder.homework.mistakes.catalogue import WRONG
from autograder.homework.mistakes.right import RIGHT

_HOMEWORK = "autograder.homework"
_BEGIN = "# BEGIN SOLUTION "
_END = "# END SOLUTION"
_FILES = ("codebase/flow_network.py", "codebase/gan.py")
# The parts whose checks call a function of problem 1. The losses are called in their own part.
_CALLED_IN = {"1.1": ("1.1",), "1.2": ("1.2", "1.3"), "1.3": ("1.3",)}
# A check of 1.1 that calls MADE.inverse too.
_ROUND_TRIP = "inverse_undoes_forward"
# The training run takes longer than everything else. It never calls MADE.forward, and a mistake in
# 1.3 costs points in other checks of 1.3. With a mistake in 1.2 the run must still pass.
TRAINING, _IN_TRAINING = "1.3.4", frozenset({"1.2", "1.3"})
# Terms may use other seeds: the tolerances must suit them too.
_OTHER_SEEDS = (1, 2, 3)


def all_cases(reference: Path, template: Path) -> Iterator[Case]:
    """Yield the reference, the untouched template, all correct and all incorrect solutions."""
    texts = solution_files(reference)
    yield Case("reference", "right", "The reference itself.", texts)
    for seed in _OTHER_SEEDS:
        yield Case(
            f"reference-seed-{seed}",
            "right",
            f"The reference on the cases of seed {seed}.",
            texts,
            skip=frozenset({TRAINING}),
            seed=seed,
        )
    yield Case("template", "empty", "The untouched template.", solution_files(template))
    for right in RIGHT:
        yield Case(
            right.id,
            "right",
            right.titled,
            edited(texts, right),
            edits=right.parts,
            **touched((right.region, *right.also), trains=bool(right.parts & _IN_TRAINING)),
        )
    for wrong in WRONG:
        yield Case(
            wrong.id,
            "wrong",
            wrong.titled,
            edited(texts, wrong),
            parts=wrong.parts,
            edits=wrong.parts,
            **touched((wrong.region, *wrong.also), trains="1.2" in wrong.parts),
            named=frozenset({wrong.id}) if wrong.answers else frozenset(),
            says=wrong.says,
        )


def edited(texts: Mapping[str, str], entry: Right | Wrong) -> dict[str, str]:
    """Return the files of the reference with an entry's regions replaced.

    Raises:
        ValueError: the reference has no such region.
    """
    files = dict(texts)
    for region, code in {entry.region: entry.code, **entry.also}.items():
        path = _file_of(files, region)
        files[path] = _replaced(files[path], region, code)
    return files


def _file_of(texts: Mapping[str, str], region: str) -> str:
    for path, text in texts.items():
        if f"{_BEGIN}{region}\n" in text:
            return path
    raise ValueError(f"the reference has no solution region {region!r}")


def _replaced(text: str, region: str, code: str) -> str:
    head, _, rest = text.partition(f"{_BEGIN}{region}\n")
    indent = head[head.rindex("\n") + 1 :]
    _, _, tail = rest.partition(f"{indent}{_END}\n")
    body = textwrap.indent(textwrap.dedent(code).strip("\n"), indent)
    return f"{head}{_BEGIN}{region}\n{body}\n{indent}{_END}\n{tail}"


class Touched(TypedDict):
    """Arguments of a `Case`."""

    run: frozenset[str]
    skip: frozenset[str]


def touched(regions: Collection[str], *, trains: bool) -> Touched:
    """Return which checks to run for an edit of these regions: those that call their functions.

    Args:
        regions: solution regions, "1.2 MADE.inverse".
        trains: whether to include the training run.
    """
    plan = plan_checks(load_assignment(_HOMEWORK))
    called = [check for check in plan if any(is_called(region, check) for region in regions)]
    left_out = {check.number for check in plan} - {check.number for check in called}
    return Touched(
        run=frozenset(check.part for check in called),
        skip=frozenset(left_out if trains else left_out | {TRAINING}),
    )


def is_called(region: str, check: PlannedCheck) -> bool:
    """Whether a check calls the function of a solution region, "1.2 MADE.inverse"."""
    part, _, function = region.partition(" ")
    if part in _CALLED_IN:
        both = part == "1.2" and _ROUND_TRIP in check.check_id
        return both or check.part in _CALLED_IN[part]
    other = "_g_loss" if function.endswith("_d") else "_d_loss"
    return check.part == part and other not in check.check_id


def solution_files(folder: Path) -> dict[str, str]:
    """Return the text of the files that students write, by path."""
    return {path: (folder / path).read_text(encoding="utf-8") for path in _FILES}
