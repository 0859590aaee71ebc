"""Checks of a part hand on their worker."""

from __future__ import annotations

import pytest

from autograder.engine.judge import worker
from autograder.engine.judge.exceptions import CheckFailed, TooSlow, WorkerLost
from tests.engine.judge.caller_kit import PATIENCE_S, MakeCaller, call
from tests.small_homework.fake_zygote import FakeZygote, raises, returns

pytestmark = pytest.mark.usefixtures("computing")


@pytest.mark.parametrize("failing", ["raise", "import"])
def test_checks_of_a_part_hand_on_their_worker_until_a_call_fails(
    make_caller: MakeCaller, zygote: FakeZygote, failing: str
) -> None:
    """It is made fresh for the next check, which imports the file again; others get their own."""
    for _ in range(3):
        caller = make_caller(part="1.1")
        call(caller, "answer")
        caller.close(hand_on=True)
    assert (zygote.opened, zygote.ended) == (1, [])
    caller = make_caller(part="1.1")
    if failing == "import":
        zygote.behaviours["import"] = raises("RuntimeError", "no")
    with pytest.raises((CheckFailed, WorkerLost)):
        call(caller, failing)
    caller.close(hand_on=True)
    assert zygote.ended[0] == 1
    assert zygote.opened == len(zygote.ended)


def test_a_worker_serves_checks_of_one_part(make_caller: MakeCaller, zygote: FakeZygote) -> None:
    """A caller without a part keeps its worker for itself."""
    alone = make_caller()
    call(alone, "answer")
    alone.close(hand_on=True)
    assert (zygote.opened, zygote.ended) == (1, [1])
    for part in ("1.1", "1.2"):
        caller = make_caller(part=part)
        call(caller, "answer")
        caller.close(hand_on=True)
    assert (zygote.opened, zygote.ended) == (3, [1, 2])


def test_a_check_that_was_too_slow_ends_its_worker(
    make_caller: MakeCaller, zygote: FakeZygote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the time was over before a call, and all calls had returned."""
    caller = make_caller(part="1.1", budget_s=PATIENCE_S)
    call(caller, "answer")
    monkeypatch.setattr(caller, "_spent_s", PATIENCE_S)
    with pytest.raises(TooSlow):
        call(caller, "answer")
    caller.close(hand_on=True)
    assert zygote.ended == [1]


@pytest.mark.parametrize("broken", ["fresh", "slow"])
def test_a_worker_that_cannot_be_made_fresh_is_replaced(
    make_caller: MakeCaller, zygote: FakeZygote, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that sends something of its own, or has worked for long, serves no other check."""
    first, second = make_caller(part="1.1"), make_caller(part="1.1")
    call(first, "answer")
    first.close(hand_on=True)
    if broken == "fresh":
        zygote.behaviours["fresh"] = lambda _: b"x" * 100
    else:
        monkeypatch.setattr(worker, "processor_time_s", lambda _: 1000.0)
    assert call(second, "answer").values == {"x": 1}
    assert (zygote.opened, zygote.ended) == (2, [1])


def test_a_file_that_can_be_imported_once_is_imported_in_a_new_worker(
    make_caller: MakeCaller, zygote: FakeZygote
) -> None:
    """The check sees nothing of it."""
    first, second = make_caller(part="1.1"), make_caller(part="1.1")
    call(first, "answer")
    first.close(hand_on=True)
    imports = iter([raises("RuntimeError", "registered twice"), returns()])
    zygote.behaviours["import"] = lambda request: next(imports)(request)
    assert call(second, "answer").values == {"x": 1}
    assert (zygote.opened, zygote.ended) == (2, [1])
    second.close(hand_on=True)
    assert zygote.ended == [1, 2]
