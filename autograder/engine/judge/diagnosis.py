"""Name the mistake behind the answers that a check saw, or none.

A mistake is named only if, in every case that was drawn, the student's answer equals the mistake's,
and in some case that answer is clearly not the correct one. So a hint is computed, never guessed.
A mistake's answers are functions of the case, or come from a table (the golden values).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autograder.engine.judge.compare import Tolerance, close
from autograder.engine.judge.exceptions import CheckFailed, CheckStopped

# Two answers that agree to this are the same. Tighter than the checks' own tolerances: the answer
# must be the mistake's, not merely close to it.
SAME_ANSWER = Tolerance(rtol=2e-3, atol=2e-4)
_MAX_OBSERVATIONS = 40


@dataclass(frozen=True)
class Family:
    """Scalar answers of a mistake with a constant that the student chose, such as a clamp.

    Args:
        predict: the answer, from the observation and the constant.
        number: the constant in the entry's code.
        hint: shown if some constant explains all observations.
    """

    predict: Callable[[Any, float], float]
    number: float
    hint: Callable[[float], str]

    def __call__(self, about: Any) -> float:
        """The answer with the constant in the entry's code."""
        return self.predict(about, self.number)

    def fitted(self, about: Any, got: float) -> Family:
        """Return the family with the constant, 1e-6 to 0.5, that gives the closest answer."""

        def error(number: float) -> float:
            with np.errstate(all="ignore"):
                return abs(got - self.predict(about, number))

        logarithms = np.linspace(np.log(1e-6), np.log(0.5), 60)
        for _ in range(4):  # next time between the neighbours of the best
            step = logarithms[1] - logarithms[0]
            best = min(logarithms, key=lambda one: error(float(np.exp(one))))
            logarithms = np.linspace(best - step, best + step, 21)
        return replace(self, number=float(np.exp(best)))


@dataclass(frozen=True, eq=False)
class Tabulated:
    """An answer from a table: any of `arrays`, apart from their NaN; none leaves it open."""

    arrays: Sequence[NDArray[np.float64]]


Answer = ArrayLike | Tabulated


class Mistake(Protocol):
    """A known mistake, or several that give the same answers.

    `answers` predicts what it answers to an observation, by the name of the answer.
    """

    @property
    def ids(self) -> tuple[str, ...]:
        """Catalogue ids."""

    @property
    def hints(self) -> tuple[str, ...]:
        """Hints to show; a mistake without any is never named."""

    @property
    def answers(self) -> Mapping[str, Callable[[Any], Answer | None]]:
        """Predictions; None where the mistake gives no answer."""


@dataclass(frozen=True, eq=False)
class _Observation:
    answer: str
    about: Any
    got: Any
    right: Answer | None


class Diagnosis:
    """Collects the answers that a check saw, and names the mistake if the check failed.

    Args:
        mistakes: those that it may name, or a function that loads them when a check has failed.
    """

    def __init__(self, mistakes: Sequence[Mistake] | Callable[[], Sequence[Mistake]]) -> None:
        self._mistakes = mistakes
        self._seen: list[_Observation] = []
        self._room = _MAX_OBSERVATIONS
        self._questions: dict[str, Callable[[], object]] = {}

    def observe(self, answer: str, about: Any, got: ArrayLike | None, right: Answer | None) -> None:
        """Record one answer.

        Args:
            answer: its name, a key of `Wrong.answers`.
            about: the input of the predictions in `Wrong.answers`.
            got: the student's answer.
            right: the correct answer; None if the student's own steps leave none.
        """
        if len(self._seen) < self._room:
            self._seen.append(_Observation(answer, about, np.array(got), right))

    def ask_if_failed(self, name: str, question: Callable[[], object]) -> None:
        """Keep a question for the case that the check fails; it observes one more case.

        A check stops at the first case that fails, and in that one two mistakes may agree: a loop
        over the batch and a loop over two variables do if there are two examples.

        Args:
            name: a question is asked once, however often it is given.
            question: calls `observe`; it may fail as a check does.
        """
        self._questions.setdefault(name, question)

    def diagnose(self) -> tuple[str, str] | None:
        """Return (id, hint) of the mistake that explains the wrong answers, or None.

        Of several, the one that explains most wrong answers is named: that is likelier than one
        mistake for each. Those that explain equally many are named together.
        """
        self._room = len(self._seen) + _MAX_OBSERVATIONS
        for question in self._questions.values():
            # A call that fails gives no answer; the other questions may still give theirs.
            with contextlib.suppress(CheckFailed, CheckStopped):
                question()
        self._questions.clear()
        # As keys, they keep the order in which they were first seen.
        wrong = dict.fromkeys(s.answer for s in self._seen if not _same(s.got, s.right))
        mistakes = self._mistakes() if callable(self._mistakes) else self._mistakes
        explained = [(m, self._explained(m, wrong)) for m in mistakes if m.hints]
        for answer in wrong:
            candidates = [(m, hints) for m, hints in explained if answer in hints]
            most = max((len(hints) for _, hints in candidates), default=0)
            named = [(m, hints) for m, hints in candidates if len(hints) == most]
            if named:
                ids = dict.fromkeys(one for m, _ in named for one in m.ids)
                all_hints = dict.fromkeys(one for _, hints in named for one in hints[answer])
                return "+".join(ids), " Or: ".join(all_hints)
        return None

    def _explained(self, mistake: Mistake, wrong: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the hints of a mistake by the wrong answers that it explains.

        A derivative counts only together with its value: the derivative of a wrong value is wrong
        as well, and says nothing about cut-off gradients.
        """
        hints = {answer: self._hints(mistake, answer) for answer in wrong}
        return {
            answer: ours
            for answer, ours in hints.items()
            if ours and hints.get(_value_of(answer), ours)
        }

    def _hints(self, mistake: Mistake, answer: str) -> tuple[str, ...]:
        """Return the hints if a mistake gives this answer wherever it was seen, else ()."""
        predict = mistake.answers.get(answer)
        if predict is None:
            return ()
        seen_here = [seen for seen in self._seen if seen.answer == answer]
        hints = mistake.hints
        if isinstance(predict, Family):
            farthest = max(seen_here, key=lambda seen: _distance(seen.got, seen.right))
            predict = predict.fitted(farthest.about, float(farthest.got))
            hints = (predict.hint(predict.number),)
        with np.errstate(all="ignore"):
            is_explained = all(_same(seen.got, predict(seen.about)) for seen in seen_here)
        return hints if is_explained else ()


def _value_of(answer: str) -> str:
    """The answer that another one is a derivative of: z of its Jacobian, a loss of its gradient."""
    for end, value in ((".gradient", ""), (".jacobian", ".z")):
        if answer.endswith(end):
            return answer.removesuffix(end) + value
    return ""


def _distance(got: Any, right: Answer | None) -> float:
    """How far off an answer is; 0 if that is undefined."""
    if right is None or isinstance(right, Tabulated):
        return 0.0
    error = float(np.abs(got - np.asarray(right)).max())
    return error if np.isfinite(error) else 0.0


def _same(got: Any, other: Answer | None) -> bool:
    if isinstance(other, Tabulated):
        return not other.arrays or any(_same_where_finite(got, one) for one in other.arrays)
    # A mistake's own answer may be infinite; then it explains nothing.
    return other is not None and bool(np.isfinite(other).all()) and close(got, other, SAME_ANSWER)


def _same_where_finite(got: Any, table: NDArray[np.float64]) -> bool:
    compared = np.isfinite(table)
    return got.shape == table.shape and close(got[compared], table[compared], SAME_ANSWER)
