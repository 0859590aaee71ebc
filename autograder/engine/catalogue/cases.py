"""A homework's catalogue as submissions: the reference's text with one region replaced."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from autograder.engine.catalogue.audit import Case
from autograder.engine.catalogue.solutions import Catalogue, Entry
from autograder.engine.grading.ledger import PlannedCheck
from autograder.engine.grading.plan import plan_checks
from autograder.engine.homework import Homework, HomeworkError

_BEGIN = "# BEGIN SOLUTION "
_END = "# END SOLUTION"


class Touched(TypedDict):
    """Arguments of a `Case`."""

    run: frozenset[str]
    skip: frozenset[str]


def load_catalogue(homework: Homework) -> Catalogue:
    """Return a homework's catalogue; an empty one if it has no module `catalogue`."""
    catalogue: Catalogue | None = homework.value("catalogue", "CATALOGUE")
    return catalogue or Catalogue()


def all_cases(homework: Homework) -> Iterator[Case]:
    """Yield the reference, the untouched template, all correct and all incorrect solutions."""
    catalogue = load_catalogue(homework)
    plan = plan_checks(homework)
    texts = solution_files(homework, homework.reference)
    yield Case("reference", "right", "The reference itself.", texts)
    for seed in catalogue.seeds:
        yield Case(
            f"reference-seed-{seed}",
            "right",
            f"The reference on the cases of seed {seed}.",
            texts,
            skip=frozenset(catalogue.slow),
            seed=seed,
        )
    template = solution_files(homework, homework.template)
    yield Case("template", "empty", "The untouched template.", template)
    for right in catalogue.right:
        yield Case(
            right.id,
            "right",
            right.titled,
            edited(texts, right),
            edits=right.parts,
            **touched(catalogue, plan, right),
        )
    for wrong in catalogue.wrong:
        yield Case(
            wrong.id,
            "wrong",
            wrong.titled,
            edited(texts, wrong),
            parts=wrong.parts,
            edits=wrong.parts,
            **touched(catalogue, plan, wrong),
            named=frozenset({wrong.id}) if wrong.answers else frozenset(),
            says=wrong.says,
        )


def edited(texts: Mapping[str, str], entry: Entry) -> dict[str, str]:
    """Return the files of the reference with an entry's regions replaced.

    Raises:
        HomeworkError: the reference has no such region.
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
    raise HomeworkError(f"the reference has no solution region {region!r}")


def _replaced(text: str, region: str, code: str) -> str:
    head, _, rest = text.partition(f"{_BEGIN}{region}\n")
    indent = head[head.rindex("\n") + 1 :]
    _, _, tail = rest.partition(f"{indent}{_END}\n")
    body = textwrap.indent(textwrap.dedent(code).strip("\n"), indent)
    return f"{head}{_BEGIN}{region}\n{body}\n{indent}{_END}\n{tail}"


def touched(catalogue: Catalogue, plan: Sequence[PlannedCheck], entry: Entry) -> Touched:
    """Return which checks to run for an entry."""
    called = [check for check in plan if catalogue.calls(entry, check)]
    return Touched(
        run=frozenset(check.part for check in called),
        skip=frozenset(check.number for check in plan) - {check.number for check in called},
    )


def solution_files(homework: Homework, folder: Path) -> dict[str, str]:
    """Return the text of the files that students write, by path."""
    return {path: (folder / path).read_text(encoding="utf-8") for path in homework.files}
