"""The catalogue's entries: small edits of the reference, incorrect, or correct but different."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import ArrayLike

from autograder.engine.grading.ledger import PlannedCheck

Prediction = Callable[[Any], "ArrayLike | None"]


@dataclass(frozen=True)
class _Edit:
    """A change of the reference: its regions, and how the new code differs."""

    id: str
    region: str
    sentence: str
    code: str
    also: Mapping[str, str] = field(default_factory=dict)

    @property
    def parts(self) -> frozenset[str]:
        """The parts whose code differs."""
        return frozenset(region.partition(" ")[0] for region in (self.region, *self.also))

    @property
    def titled(self) -> str:
        """The sentence with the names of its functions."""
        functions = (region.partition(" ")[2] for region in (self.region, *self.also))
        return f"{' and '.join(functions)}: {self.sentence}"


class Right(_Edit):
    """A solution that is correct although it differs from the reference.

    Args:
        id: unique in the catalogue, words joined by "-".
        region: the solution region of the reference that `code` replaces, "1.2 gradient".
        sentence: one sentence on how it differs.
        code: the region's new code (dedented).
        also: further regions and their code.
    """


def right(id: str, sentence: str, code: Mapping[str, str]) -> Right:
    """Make an entry from the code of all its regions, the main one first."""
    (region, first), *others = code.items()
    return Right(id, region, sentence, first, dict(others))


@dataclass(frozen=True)
class Wrong(_Edit):
    """A misconception: a submission that must lose points, and a hint for students.

    Args:
        id, region, sentence, code: see `Right`; the sentence is one that a student understands.
        also: further regions and their code; their parts lose points too.
        keeps: parts among them that keep their points, because they are correct given the results
            of the student's other parts.
        hint: shown if the student's answers are those of this mistake; reveals no solution code.
        answers: by the name of an answer ("gradient"), the mistake's answer as a function of
            the `about` of `Diagnosis.observe`.
        says: for a mistake that a check's own message names instead: a piece of that message.
    """

    hint: str = ""
    answers: Mapping[str, Prediction] = field(default_factory=dict)
    says: str = ""
    keeps: frozenset[str] = frozenset()

    @property
    def ids(self) -> tuple[str, ...]:
        """The id, as `diagnosis.Mistake` has it."""
        return (self.id,)

    @property
    def hints(self) -> tuple[str, ...]:
        """The hint, if there is one."""
        return (self.hint,) if self.hint else ()

    @property
    def parts(self) -> frozenset[str]:
        """The parts that must lose points."""
        return super().parts - self.keeps


Entry = Right | Wrong


def _is_of_its_parts(entry: Entry, check: PlannedCheck) -> bool:
    return check.part in entry.parts


@dataclass(frozen=True)
class Catalogue:
    """A homework's incorrect and correct solutions; `catalogue.py` in its folder makes one.

    Args:
        wrong: solutions that must lose points, each in its own parts only.
        right: solutions that must keep all points.
        calls: whether a check may run the code that an entry edits; the audit grades the entry by
            these checks only. By default, all checks of the entry's parts.
        seeds: further seeds by which the reference is graded, since terms may use others.
        slow: numbers of checks that are left out with further seeds.
    """

    wrong: Sequence[Wrong] = ()
    right: Sequence[Right] = ()
    calls: Callable[[Entry, PlannedCheck], bool] = _is_of_its_parts
    seeds: Sequence[int] = ()
    slow: Collection[str] = ()
