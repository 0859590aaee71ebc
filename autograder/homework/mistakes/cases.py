"""The catalogue as submissions: reference text with one region replaced."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypedDict

from autograder.engine.audit import Case
from autograder.homework.mistakes.catalogue import WRONG
from autograder.homework.mistakes.entries import Right, Wrong
from autograder.homework.mistakes.right import RIGHT

_BEGIN = "# BEGIN SOLUTION "
_END = "# END SOLUTION"
_FILES = ("codebase/flow_network.py", "codebase/gan.py")
# The parts of problem 1 call each other. The losses do not: each is a function on its own, so that
# an edit of one cannot touch the checks of another.
_CALLING_EACH_OTHER = frozenset({"1.1", "1.2", "1.3"})
# The training run takes longer than all else together. It never calls MADE.forward; and what is
# wrong in 1.3 has cost its points in 1.3 before the run ends.
TRAINING, _IN_TRAINING = "1.3.4", frozenset({"1.2", "1.3"})
# A term may have a seed of its own: tolerances must hold there too.
_OTHER_SEEDS = (1, 2, 3)


def all_cases(reference: Path, template: Path) -> Iterator[Case]:
    """Yield the reference, the untouched template, every right and every wrong solution."""
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
            right.sentence,
            edited(texts, right),
            edits=right.parts,
            **touched(right.parts, trains=bool(right.parts & _IN_TRAINING)),
        )
    for wrong in WRONG:
        yield Case(
            wrong.id,
            "wrong",
            wrong.sentence,
            edited(texts, wrong),
            parts=wrong.parts,
            edits=wrong.parts,
            **touched(wrong.parts | wrong.keeps, trains="1.2" in wrong.parts),
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


def touched(parts: frozenset[str], *, trains: bool) -> Touched:
    """What an edit of these parts can change, and whether the training run is of interest."""
    run = parts | _CALLING_EACH_OTHER if parts & _CALLING_EACH_OTHER else parts
    return Touched(run=run, skip=frozenset() if trains else frozenset({TRAINING}))


def solution_files(folder: Path) -> dict[str, str]:
    """Return the text of the files that students write, by path."""
    return {path: (folder / path).read_text(encoding="utf-8") for path in _FILES}
