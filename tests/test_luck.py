"""The benchmark of luck goes on where it stopped, and counts nothing that other checks graded."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.engine.assignment import load_assignment
from autograder.engine.audit import Case
from autograder.engine.inventory import plan_checks
from autograder.homework.mistakes.entries import Right
from benchmarks.luck import Log, never_called, under_seeds

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


@pytest.mark.parametrize(
    ("region", "calling"),
    [
        ("1.1 MADE.forward", {"1.1.1", "1.1.2", "1.1.3", "1.1.4", "1.1.5", "1.1.6"}),
        (
            "5.5 loss_wasserstein_gp_d",
            {"5.5.1", "5.5.2", "5.5.5", "5.5.6", "5.5.7", "5.5.8", "5.5.9"},
        ),
        ("2.2 loss_nonsaturating_g", {"2.2.3", "2.2.4", "2.2.5", "2.2.6", "2.2.11"}),
        ("1.2 MADE.inverse", {"1.1.3", "1.2.1", "1.2.6", "1.3.1", "1.3.2", "1.3.4"}),
    ],
)
def test_checks_that_call_a_function_are_never_left_out(region: str, calling: set[str]) -> None:
    """The round trip calls both of MADE's functions, draws and training runs both losses."""
    plan = plan_checks(load_assignment("autograder.homework"))
    left_out = never_called(Right("one", region, "", ""), plan)
    assert not left_out & calling
    assert "4.2.1" in left_out


def test_the_other_loss_is_left_out() -> None:
    """An edit of the d loss cannot change what a check of the g loss sees."""
    plan = plan_checks(load_assignment("autograder.homework"))
    left_out = never_called(Right("one", "2.2 loss_nonsaturating_d", "", ""), plan)
    assert {"2.2.3", "2.2.4", "2.2.11"} <= left_out
    both = Right("one", "2.2 loss_nonsaturating_d", "", "", {"2.2 loss_nonsaturating_g": ""})
    assert not {"2.2.1", "2.2.3"} & never_called(both, plan)
