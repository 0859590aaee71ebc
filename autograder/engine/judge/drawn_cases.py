"""Cases of a check, each made of a few numbers: `@for_cases(made_cases(), 10)`.

A check that passes needs nothing but its cases, and one that fails at the simplest case has found
the smallest that fails. Otherwise Hypothesis is imported: it searches among all possible cases.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from autograder.engine.judge.exceptions import CheckFailed

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Case = TypeVar("Case")
Check = Callable[..., None]
_ARGUMENT = "case"


class Cases(Generic[Case]):
    """The cases that `make` returns for all combinations of these arguments.

    Args:
        make: returns a case.
        arguments: its arguments, each with all its values: a range without a step, or a tuple. The
            first value is the simplest.
    """

    def __init__(self, make: Callable[..., Case], **arguments: Sequence[Any]) -> None:
        self._make = make
        self._arguments = arguments

    def drawn(self, seed: int) -> Iterator[Case]:
        """Yield the simplest case, then random ones, which follow from the seed alone.

        Equal cases are one object: checks of the same cases share what these have computed.
        """
        yield self._case(values[0] for values in self._arguments.values())
        arguments = [(name, str(values)) for name, values in self._arguments.items()]
        rng = random.Random(" ".join((str(seed), self._make.__qualname__, str(arguments))))
        while True:
            yield self._case(
                values[int(rng.random() * len(values))] for values in self._arguments.values()
            )

    def _case(self, values: Iterator[Any]) -> Case:
        case: Case = _made(self._make, *zip(self._arguments, values, strict=True))
        return case

    def strategy(self) -> SearchStrategy[Case]:
        """Return Hypothesis' strategy for the same cases."""
        from hypothesis import strategies as st

        def one_of(values: Sequence[Any]) -> SearchStrategy[Any]:
            if isinstance(values, range):
                return st.integers(values[0], values[-1])
            return st.sampled_from(values) if len(values) > 1 else st.just(values[0])

        return st.builds(self._make, **{k: one_of(v) for k, v in self._arguments.items()})


@functools.lru_cache(maxsize=128)
def _made(make: Callable[..., Any], *arguments: tuple[str, Any]) -> Any:
    return make(**dict(arguments))


class CheckOfCases:
    """A check that is called with one case after the other.

    Args:
        check: the function; its argument `case` is the case.
        cases: the cases to draw from.
        count: how many.
        first: cases that come before the drawn ones.
    """

    def __init__(
        self, check: Check, cases: Cases[Any], count: int, first: Sequence[Any] = ()
    ) -> None:
        self._check = check
        self._cases = cases
        self._count = count
        self._first = tuple(first)
        self._seed = 0
        self._check_id = check.__qualname__

    def prepare(self, seed: int, check_id: str, wrap: Callable[[Check], Check]) -> None:
        """Set the assignment's seed and the check's id; wrap the check, to see each case."""
        self._seed, self._check_id = seed, check_id
        self._check = wrap(self._check)

    def run(self, fixtures: Mapping[str, Any]) -> None:
        """Call the check with every case.

        Raises:
            CheckFailed: for the first case that fails, of those that come before and the simplest;
                otherwise for the smallest that Hypothesis finds.
        """
        drawn = itertools.islice(self._cases.drawn(self._seed), self._count)
        for case in (*self._first, next(drawn)):
            try:
                self._check(**{_ARGUMENT: case}, **fixtures)
            except CheckFailed:
                # Once more, as a search would: a worker that has ended since is the true cause.
                self._check(**{_ARGUMENT: case}, **fixtures)
                raise
        try:
            for case in drawn:
                self._check(**{_ARGUMENT: case}, **fixtures)
        except CheckFailed:
            # Imported here: it takes longer than several checks.
            from autograder.engine.judge import hypothesis_profile

            hypothesis_profile.search(
                hypothesis_profile.seed_of(self._check_id, self._seed),
                self._check,
                {_ARGUMENT: self._cases.strategy()},
                self._count,
                [{_ARGUMENT: case} for case in self._first],
            )(**fixtures)
            raise  # it found none


def for_cases(cases: Cases[Case], count: int, *first: Case) -> Callable[[Check], Check]:
    """Decorate a check: call it with `count` of the cases, as `case`, and before with `first`."""

    def decorate(check: Check) -> Check:
        runs = CheckOfCases(check, cases, count, first)

        @functools.wraps(check)
        def check_all(**fixtures: Any) -> None:
            runs.run(fixtures)

        signature = inspect.signature(check)
        others = [each for each in signature.parameters.values() if each.name != _ARGUMENT]
        # pytest reads the names of the fixtures there, and base_plugin how to prepare the check.
        vars(check_all).update(__signature__=signature.replace(parameters=others), runs=runs)
        return check_all

    return decorate
