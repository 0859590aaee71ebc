"""The time of the next call: after hangs, and within a check's budget."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from autograder.engine.judge.caller import Caller, HangTracker
from autograder.engine.judge.calls import Call
from autograder.engine.judge.exceptions import CheckFailed, TooSlow, WorkerLost
from autograder.engine.sandbox.frames import Frame
from tests.engine.judge.caller_kit import FILE, PATIENCE_S, MakeCaller, call
from tests.small_homework.fake_zygote import FakeZygote

pytestmark = pytest.mark.usefixtures("computing")


def test_hangs_shorten_the_time_and_then_end_it() -> None:
    """First the full limit, then at most 3 s, then no call; other functions are not affected."""
    hangs = HangTracker()
    assert hangs.timeout_s(["f"], 10.0) == 10.0
    hangs.add(["f"])
    assert hangs.timeout_s(["f"], 10.0) == 3.0
    assert hangs.timeout_s(["f"], 0.5) == 0.5
    hangs.add(["f"])
    with pytest.raises(WorkerLost) as caught:
        hangs.timeout_s(["f"], 10.0)
    assert caught.value.feedback == (
        "Your code did not return in time in earlier checks, so it was not run again here."
    )
    assert hangs.timeout_s(["g"], 10.0) == 10.0


def test_a_third_call_of_what_hangs_is_not_tried(
    make_caller: MakeCaller, zygote: FakeZygote
) -> None:
    """All checks share the tracker, so an endless loop costs two waits in total."""
    hangs = HangTracker()
    for _ in range(2):
        with pytest.raises(WorkerLost, match="did not return within"):
            call(make_caller(hangs, timeout_s=0.1), "hang")
    with pytest.raises(WorkerLost, match="was not run again here"):
        call(make_caller(hangs, timeout_s=0.1), "hang")
    assert zygote.asked == ["hang", "hang"]
    assert zygote.opened == 2
    assert call(make_caller(hangs), "answer").values == {"x": 1}


def test_only_what_hangs_counts_as_a_hang(make_caller: MakeCaller) -> None:
    """A call that raises, dies or sends an invalid reply shortens no limit."""
    hangs = HangTracker()
    for experiment in ("raise", "die", "babble"):
        for _ in range(3):
            with pytest.raises((CheckFailed, WorkerLost)):
                call(make_caller(hangs), experiment)
        assert hangs.timeout_s([experiment], 10.0) == 10.0


def test_a_call_can_have_its_own_limit(make_caller: MakeCaller) -> None:
    """A training run may have another limit than that of the settings."""
    began = time.monotonic()
    with pytest.raises(WorkerLost, match=r"within 0\.2 s"):
        call(make_caller(timeout_s=PATIENCE_S), "hang", timeout_s=0.2)
    assert time.monotonic() - began < PATIENCE_S


def test_a_started_call_runs_in_the_background(make_caller: MakeCaller) -> None:
    """`start` returns at once; `finish` concludes, in any order."""
    first, second = make_caller(), make_caller()
    pending = first.start(Call("raise", seed=0, needs=FILE))
    assert call(second, "answer").values == {"x": 1}
    with pytest.raises(CheckFailed, match="ZeroDivisionError"):
        first.finish(pending)


# ---- a budget for all calls of a check ----------------------------------------------------


def slow(seconds: float) -> Callable[[Frame], Frame]:
    """A function that takes its time and returns."""

    def behave(_: Frame) -> Frame:
        time.sleep(seconds)
        return Frame({"values": {}})

    return behave


def until_too_slow(caller: Caller, experiment: str = "slow") -> TooSlow:
    """Call until the budget is used up."""
    try:
        for _ in range(50):
            call(caller, experiment)
    except TooSlow as error:
        return error
    pytest.fail("the budget was never used up")


@pytest.fixture
def slow_zygote(zygote: FakeZygote) -> FakeZygote:
    """Workers with a slow function beside the others."""
    zygote.behaviours["slow"] = slow(0.1)
    return zygote


def test_calls_that_take_too_long_together_end_the_check(
    make_caller: MakeCaller, slow_zygote: FakeZygote
) -> None:
    """Each call is within its own limit; the message has the number of calls."""
    feedback = until_too_slow(make_caller(budget_s=0.35)).feedback
    feedback = re.sub("called your code [2-9] times", "called your code N times", feedback)
    assert feedback == (
        "Your code is too slow: this check may take 0.35 s of processor time, and it had called "
        "your code N times by then.\n"
        "Work on whole tensors instead of looping over their entries, and do nothing in a call "
        "that can be done once."
    )
    assert slow_zygote.ended == [1]


def test_a_slow_function_is_within_a_budget_that_suffices(
    make_caller: MakeCaller, slow_zygote: FakeZygote
) -> None:
    """A slow correct solution passes."""
    caller = make_caller(budget_s=PATIENCE_S)
    for _ in range(5):
        assert call(caller, "slow").values == {}


def test_what_was_too_slow_twice_is_not_tried_again(
    make_caller: MakeCaller, slow_zygote: FakeZygote
) -> None:
    """The second check gets less time, the third none; other functions are called as before."""
    hangs = HangTracker()
    for _ in range(2):
        until_too_slow(make_caller(hangs, budget_s=0.15))
    with pytest.raises(WorkerLost, match="was not run again here"):
        call(make_caller(hangs), "slow")
    assert call(make_caller(hangs), "answer").values == {"x": 1}
    assert HangTracker().budget_s(["f"], 25.0) == 25.0
    assert hangs.budget_s(["slow"], 25.0) == 8.0


def test_a_check_that_has_failed_counts_no_hang_for_looking_further(
    make_caller: MakeCaller, slow_zygote: FakeZygote
) -> None:
    """The search for a smaller example is not the student's fault."""
    hangs, caller = HangTracker(), make_caller(budget_s=0.25)
    caller = make_caller(hangs, budget_s=0.25)
    caller.note_failure()
    until_too_slow(caller)
    assert hangs.timeout_s(["slow"], 10.0) == 10.0


def test_a_call_with_its_own_limit_has_no_budget(
    make_caller: MakeCaller, slow_zygote: FakeZygote
) -> None:
    """A training run does not count against the check's budget."""
    caller = make_caller(budget_s=0.05)
    call(caller, "slow", timeout_s=PATIENCE_S)
    assert call(caller, "answer").values == {"x": 1}
