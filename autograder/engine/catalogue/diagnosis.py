"""Name the mistake behind the answers that a check saw, or say nothing.

A mistake is named only when, on every case that was drawn, the student's answer equals what the
mistake would give, and on some case that is clearly not the right answer. So a hint is computed,
never guessed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autograder.engine.catalogue.solutions import Family, Wrong
from autograder.engine.judge.compare import Tolerance, close
from autograder.engine.judge.exceptions import CheckFailed, CheckStopped

# Tighter than a check's own: a mistake must be met, not merely not excluded.
_EQUAL = Tolerance(rtol=2e-3, atol=2e-4)
_MAX_OBSERVATIONS = 40


@dataclass(frozen=True, eq=False)
class _Observation:
    answer: str
    about: Any
    got: Any
    right: Any


class Diagnosis:
    """Collects what a check saw; asked for a name only if the check failed."""

    def __init__(self, mistakes: Sequence[Wrong]) -> None:
        self._mistakes = mistakes
        self._seen: list[_Observation] = []
        self._room = _MAX_OBSERVATIONS
        self._questions: dict[str, Callable[[], object]] = {}

    def observe(self, answer: str, about: Any, got: ArrayLike, right: ArrayLike | None) -> None:
        """Note one answer.

        Args:
            answer: a key of `Wrong.answers`.
            about: what the predictions of `Wrong.answers` are computed from.
            got: the student's answer.
            right: the right answer; None where the student's own steps leave none.
        """
        if len(self._seen) < self._room:
            self._seen.append(_Observation(answer, about, np.array(got), right))

    def ask_if_failed(self, name: str, question: Callable[[], object]) -> None:
        """Keep a question for the case that the check fails; it observes one case more.

        A check stops at the first case that fails, and on that one alone two mistakes may agree:
        a loop over the batch and a loop over two variables do when there are two examples.

        Args:
            name: a question is asked once, however often it is given.
            question: calls `observe`; it may fail as a check does.
        """
        self._questions.setdefault(name, question)

    def diagnose(self) -> tuple[str, str] | None:
        """Return (id, hint) of the mistake that explains all that was seen, or None.

        Mistakes that nothing told apart are named together.
        """
        self._room = len(self._seen) + _MAX_OBSERVATIONS
        for question in self._questions.values():
            # A call that fails gives no answer; the other questions may still give theirs.
            with contextlib.suppress(CheckFailed, CheckStopped):
                question()
        self._questions.clear()
        # As keys, they keep the order in which they were seen first.
        wrong = dict.fromkeys(s.answer for s in self._seen if not _same(s.got, s.right))
        explained: dict[str, dict[str, str]] = {}  # by mistake and answer, the hint
        for mistake in (one for one in self._mistakes if one.hint):
            hints = {answer: self._explain(mistake, answer) for answer in wrong}
            ours = with_their_values({a for a in wrong if hints[a]}, wrong, _value_of)
            explained[mistake.id] = {answer: hints[answer] for answer in ours}
        for answer in wrong:
            # One mistake that explains several wrong answers is likelier than one for each.
            most = max((len(ours) for ours in explained.values() if answer in ours), default=0)
            named = [
                m
                for m in self._mistakes
                if answer in explained.get(m.id, ()) and len(explained[m.id]) == most
            ]
            if named:
                all_hints = dict.fromkeys(explained[mistake.id][answer] for mistake in named)
                return "+".join(m.id for m in named), " Or: ".join(all_hints)
        return None

    def _explain(self, mistake: Wrong, answer: str) -> str:
        """Return the hint if a mistake would have given this answer wherever it was seen, or ""."""
        predict = mistake.answers.get(answer)
        if predict is None:
            return ""
        seen_here = [seen for seen in self._seen if seen.answer == answer]
        hint = mistake.hint
        if isinstance(predict, Family):
            farthest = max(seen_here, key=lambda seen: _distance(seen.got, seen.right))
            predict = predict.fitted(farthest.about, float(farthest.got))
            hint = predict.hint(predict.number)
        for seen in seen_here:
            with np.errstate(all="ignore"):
                predicted = predict(seen.about)
            if not _same(seen.got, predicted):
                return ""
        return hint


def with_their_values(
    explained: set[str], wrong: Iterable[str], value_of: Callable[[str], str | None]
) -> set[str]:
    """Drop derivatives from what a mistake explains, where their value is wrong for another reason.

    Of a wrong value the derivative is wrong as well, and says nothing of what cuts off gradients.

    Args:
        explained: names of the wrong answers that the mistake would give.
        wrong: names of all wrong answers.
        value_of: the answer that an answer is a derivative of; None where it is none.
    """
    unexplained = set(wrong) - explained
    return {answer for answer in explained if value_of(answer) not in unexplained}


def _value_of(answer: str) -> str | None:
    """The answer that another one is a derivative of: z of its Jacobian, a loss of its gradient."""
    for end, value in ((".gradient", ""), (".jacobian", ".z")):
        if answer.endswith(end):
            return answer.removesuffix(end) + value
    return None


def _distance(got: Any, right: ArrayLike | None) -> float:
    """How far off an answer is; 0 where that cannot be said."""
    error = 0.0 if right is None else float(np.abs(got - np.asarray(right)).max())
    return error if np.isfinite(error) else 0.0


def _same(got: Any, other: ArrayLike | None) -> bool:
    # A mistake's own answer may well be infinite; then it is nobody's.
    return other is not None and bool(np.isfinite(other).all()) and close(got, other, _EQUAL)
