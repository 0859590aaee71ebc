"""An entry of the catalogue: a small edit of the reference, wrong, or right but different."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Prediction = Callable[[Any], "ArrayLike | None"]


@dataclass(frozen=True)
class Family:
    """Answers, a number each, of a mistake with a constant of the student's own: where to clamp.

    Args:
        predict: the answer, from what it is about and the constant.
        number: the constant of an entry's own code.
        hint: shown when some constant explains all that was seen.
    """

    predict: Callable[[Any, float], float]
    number: float
    hint: Callable[[float], str]

    def __call__(self, about: Any) -> float:
        """The answer with the entry's own constant."""
        return self.predict(about, self.number)

    def fitted(self, about: Any, got: float) -> Family:
        """Return the family with the constant, 1e-6 to 0.5, that comes closest to an answer."""

        def error(number: float) -> float:
            with np.errstate(all="ignore"):
                return abs(got - self.predict(about, number))

        logarithms = np.linspace(np.log(1e-6), np.log(0.5), 60)
        for _ in range(4):  # each time between the two neighbours of the best
            step = logarithms[1] - logarithms[0]
            best = min(logarithms, key=lambda one: error(float(np.exp(one))))
            logarithms = np.linspace(best - step, best + step, 21)
        return replace(self, number=float(np.exp(best)))


@dataclass(frozen=True)
class Right:
    """A solution that is right though it differs from the reference.

    Args:
        id: unique in the catalogue, words joined by "-".
        region: the solution region of the reference that `code` replaces, "1.2 MADE.inverse".
        sentence: what is different, one sentence.
        code: what stands in the region instead (dedented).
        also: further regions and their code.
    """

    id: str
    region: str
    sentence: str
    code: str
    also: Mapping[str, str] = field(default_factory=dict)

    @property
    def parts(self) -> frozenset[str]:
        """The parts that are written differently."""
        return _parts_of((self.region, *self.also))

    @property
    def titled(self) -> str:
        """The sentence, with the functions that it is about."""
        return _titled(self.sentence, (self.region, *self.also))


def right(id: str, sentence: str, code: Mapping[str, str]) -> Right:
    """Make an entry from the code of all its regions, the first of which names it."""
    (region, first), *others = code.items()
    return Right(id, region, sentence, first, dict(others))


@dataclass(frozen=True)
class Wrong:
    """A misconception: as a submission that must lose points, and as a hint for students.

    Args:
        id: unique in the catalogue, words joined by "-".
        region: the solution region of the reference that `code` replaces, "1.2 MADE.inverse".
        sentence: what the student did, one sentence that a student understands.
        code: what stands in the region instead (dedented).
        also: further regions and their code; their parts lose points too.
        keeps: parts among them that keep their points all the same, because they are right on top
            of what the student's other parts give.
        hint: shown when the student's answers are those of this mistake; tells no solution code.
        answers: the mistake's answer to what checks observe, by the name of the answer
            ("MADE.inverse.z"), as a function of what `Diagnosis.observe` is given about it.
        says: for mistakes that a check names by its own words instead: a piece of that sentence.
    """

    id: str
    region: str
    sentence: str
    code: str
    also: Mapping[str, str] = field(default_factory=dict)
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
        return _parts_of((self.region, *self.also)) - self.keeps

    @property
    def titled(self) -> str:
        """The sentence, with the functions that it is about: by itself it names none."""
        return _titled(self.sentence, (self.region, *self.also))


def _parts_of(regions: Iterable[str]) -> frozenset[str]:
    return frozenset(region.partition(" ")[0] for region in regions)


def _titled(sentence: str, regions: Iterable[str]) -> str:
    functions = (region.partition(" ")[2] for region in regions)
    return f"{' and '.join(functions)}: {sentence}"
