"""Checks of drawn cases: which cases they see, and what they report when one fails."""

from __future__ import annotations

import inspect
import itertools
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from autograder.engine.judge.drawn_cases import Cases, CheckOfCases, for_cases
from autograder.engine.judge.exceptions import CheckFailed, NotAttempted
from autograder.engine.sandbox.isolated import ROOT


@dataclass(frozen=True)
class Pair:
    """A case of two numbers."""

    size: int
    kind: str


PAIRS = Cases(Pair, size=range(3, 1000), kind=("plain", "odd"))
SEED = 7


def drawn(seed: int, count: int = 200) -> list[Pair]:
    """The first cases of a seed."""
    return list(itertools.islice(PAIRS.drawn(seed), count))


def run(check: Callable[..., None], count: int = 100, *first: Pair) -> None:
    """Run a check of pairs as a plugin does."""
    runs = CheckOfCases(check, PAIRS, count, first)
    runs.prepare(SEED, "private/test_it.py::test_it", lambda one: one)
    runs.run({"student": "the student"})


def test_the_simplest_case_comes_first_and_all_values_occur() -> None:
    """Small cases are read easily; the others cover both ends and both kinds."""
    cases = drawn(SEED, 5000)
    assert cases[0] == Pair(3, "plain")
    assert min(case.size for case in cases[1:]) < 10
    assert max(case.size for case in cases) > 990
    assert {case.kind for case in cases} == {"plain", "odd"}
    assert all(3 <= case.size < 1000 for case in cases)


def test_cases_follow_from_the_seed_and_are_shared() -> None:
    """The same seed draws the same objects, which checks share; another one draws others."""
    assert all(a is b for a, b in zip(drawn(SEED, 20), drawn(SEED, 20), strict=True))
    assert drawn(SEED)[1:] != drawn(SEED + 1)[1:]


def test_these_cases_are_drawn_on_every_machine() -> None:
    """They are the random numbers of a text, which Python promises to keep."""
    assert drawn(SEED, 4) == [
        Pair(3, "plain"),
        Pair(454, "odd"),
        Pair(711, "plain"),
        Pair(295, "plain"),
    ]


def test_a_check_that_passes_sees_the_first_cases_and_then_drawn_ones() -> None:
    """With its fixtures, every time."""
    seen = []

    def check(student: str, case: Pair) -> None:
        seen.append((student, case))

    run(check, 10, Pair(5, "odd"))
    assert [case for _, case in seen] == [Pair(5, "odd"), *drawn(SEED, 10)]
    assert {student for student, _ in seen} == {"the student"}


def test_a_failure_shows_the_smallest_case() -> None:
    """Hypothesis searches among all cases, not only the drawn ones."""

    def check(student: str, case: Pair) -> None:
        if case.size > 20 and case.kind == "odd":
            raise CheckFailed(f"{case} fails")

    with pytest.raises(CheckFailed, match=r"Pair\(size=21, kind='odd'\) fails"):
        run(check)


@pytest.mark.parametrize("first", [(), (Pair(77, "odd"),)])
def test_a_failure_of_the_simplest_case_is_not_searched(first: tuple[Pair, ...]) -> None:
    """No smaller one can fail. It is checked once more, as a search would do."""
    calls = []

    def check(student: str, case: Pair) -> None:
        calls.append(case)
        if case == drawn(SEED)[0]:
            raise CheckFailed(f"{case} fails")

    with pytest.raises(CheckFailed, match="Pair\\(size=3, kind='plain'\\) fails"):
        run(check, 10, *first)
    assert calls == [*first, drawn(SEED)[0], drawn(SEED)[0]]


def test_a_failure_that_does_not_come_again_is_reported() -> None:
    """What a second try finds instead counts, unless that is nothing."""
    failures: list[BaseException] = [CheckFailed("first"), NotAttempted("then")]

    def check(student: str, case: Pair) -> None:
        if failures:
            raise failures.pop(0)

    with pytest.raises(NotAttempted, match="then"):
        run(check)
    failures.append(CheckFailed("only"))
    with pytest.raises(CheckFailed, match="only"):
        run(check)


def test_a_failure_in_the_first_cases_is_shown_as_it_is() -> None:
    """They are there for what they are."""

    def check(student: str, case: Pair) -> None:
        if case.size > 20:
            raise CheckFailed(f"{case} fails")

    with pytest.raises(CheckFailed, match="Pair\\(size=77, kind='odd'\\) fails"):
        run(check, 10, Pair(77, "odd"))


def test_a_failure_that_the_search_does_not_find_is_reported() -> None:
    """The check fails all the same, with the case that was drawn."""
    only = drawn(SEED)[50]
    assert 100 < only.size < 900

    def check(student: str, case: Pair) -> None:
        if case == only:
            raise CheckFailed(f"{case} fails")

    with pytest.raises(CheckFailed, match=f"Pair\\(size={only.size}"):
        run(check)


def test_what_stops_a_check_is_not_searched() -> None:
    """A stub is one whatever the case."""
    calls = []

    def check(student: str, case: Pair) -> None:
        calls.append(case)
        raise NotAttempted("a stub")

    with pytest.raises(NotAttempted):
        run(check)
    assert len(calls) == 1


def test_pytest_sees_the_other_arguments_only() -> None:
    """`case` is no fixture; title and advice stay the check's own."""

    @for_cases(PAIRS, 10)
    def test_it(student: str, case: Pair) -> None:
        """A title."""

    assert list(inspect.signature(test_it).parameters) == ["student"]
    assert test_it.__doc__ == "A title."
    assert test_it.__name__ == "test_it"


@pytest.mark.parametrize(
    ("body", "imported"),
    [
        ("pass", False),
        ("raise CheckFailed('it fails')", False),
        ("if case['size'] > 2: raise CheckFailed('it fails')", True),
    ],
)
def test_hypothesis_is_imported_only_to_search(body: str, imported: bool) -> None:
    """Its import takes longer than several checks."""
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from autograder.engine.judge.drawn_cases import Cases, for_cases
from autograder.engine.judge.exceptions import CheckFailed
@for_cases(Cases(dict, size=range(2, 9)), 5)
def check(case):
    {body}
try:
    check()
except CheckFailed:
    pass
print("hypothesis" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.strip() == str(imported)
