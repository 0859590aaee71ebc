"""The benchmark of luck continues where it stopped, and counts nothing that other checks graded."""

from __future__ import annotations

from pathlib import Path

from autograder.engine.catalogue.audit import Case
from benchmarks.luck import Log, under_seeds

CASE = Case("right-one", "right", "", {}, skip=frozenset({"1.1.1"}))


def test_what_was_graded_is_not_graded_again(tmp_path: Path) -> None:
    """A log that is read again holds what was added, complaints too."""
    log = Log(tmp_path / "luck.jsonl", "abc")
    log.add("right-one, seed 1000", [])
    log.add("right-one, seed 1001", ["a right solution loses points in 1.1.2"])
    assert Log(tmp_path / "luck.jsonl", "abc").done == log.done
    assert len(log.done) == 2


def test_gradings_by_other_checks_do_not_count(tmp_path: Path) -> None:
    """Their hash is another."""
    Log(tmp_path / "luck.jsonl", "abc").add("right-one, seed 1000", [])
    assert Log(tmp_path / "luck.jsonl", "def").done == {}


def test_all_cases_come_under_one_seed_before_the_next() -> None:
    """Each with its own id, its own seed, and without what follows no seed."""
    other = Case("right-two", "right", "", {})
    cases = list(under_seeds([CASE, other], 2, frozenset({"1.1.6"})))
    assert [case.id for case in cases[:2]] == ["right-one, seed 1000", "right-two, seed 1000"]
    assert [case.seed for case in cases] == [1000, 1000, 1001, 1001]
    assert cases[0].skip == {"1.1.1", "1.1.6", "1.3.4"}
