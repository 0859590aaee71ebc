"""Workers that die, hang or send garbage lose their own call only."""

from __future__ import annotations

import re

import pytest

from autograder.engine.judge import worker
from autograder.engine.judge.calls import Death, Ending
from autograder.engine.judge.control import ZygoteGone
from tests.engine.sandbox.workers.kit import Grader, Hand, is_alive_and_well
from tests.processes import is_gone, wait_until


@pytest.mark.parametrize(
    ("function", "module", "detail"),
    [
        ("exits_at_once", "solution", "it exited with status 0"),
        ("f", "dies_on_import", "it exited with status 0"),
        ("segfaults", "solution", "it was ended by signal 11 (segmentation fault)"),
        ("aborts", "solution", "it was ended by signal 6 (abort)"),
        ("kills_itself", "solution", "it was killed"),
        ("closes_everything", "solution", "it was killed"),
    ],
)
def test_the_death_of_a_worker_is_described(
    grader: Grader, hand: Hand, function: str, module: str, detail: str
) -> None:
    """`os._exit(0)` is no pass, a crash is named, and the next worker is unaffected."""
    outcome = hand.call(function, module=module)
    assert outcome.ending is Ending.DIED
    assert outcome.detail == detail
    assert is_gone(hand.pid)
    assert is_alive_and_well(grader)


@pytest.mark.parametrize(
    ("function", "module"),
    [
        ("loops", "solution"),
        ("ignores_signals_and_loops", "solution"),
        ("sleeps_in_c", "solution"),
        ("stops_itself", "solution"),
        ("answers_a_byte_a_time", "solution"),
        ("f", "loops_on_import"),
    ],
)
def test_a_worker_that_hangs_is_ended_at_its_deadline(
    grader: Grader, hand: Hand, function: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loops, ignored signals, a held lock, SIGSTOP and a slow reply all end in time."""
    monkeypatch.setattr(worker, "_TRANSFER_S", 1.0)
    outcome = hand.call(function, module=module, limit_s=0.5)
    assert outcome.ending is Ending.TIMED_OUT
    if function != "answers_a_byte_a_time":  # a reply has a separate time limit
        assert outcome.seconds >= 0.5
        asleep = function in ("sleeps_in_c", "stops_itself")
        assert (outcome.slept_s > outcome.seconds / 2) == asleep
    assert is_gone(hand.pid)
    assert is_alive_and_well(grader)


def test_a_dead_worker_can_be_called_again(hand: Hand) -> None:
    """The second call gives a second DIED, not an error of the grader."""
    assert hand.call("exits_at_once").ending is Ending.DIED
    assert hand.call("forty_two").ending is Ending.DIED
    assert hand.worker.close() == Death()


@pytest.mark.parametrize(
    ("function", "detail"),
    [
        ("answers_another_question", "a reply to another request"),
        ("answers_without_values", "a reply without values"),
        ("answers_with_a_strange_error", "an error that is not an object"),
        ("sends_rubbish", "a frame must begin with its magic number"),
        ("announces_four_gib", "body of 4294967295 bytes, 67108864 allowed"),
        ("sends_a_pickle", "body's own header of .* bytes is too long"),
    ],
)
def test_a_worker_that_sends_garbage_is_ended(
    grader: Grader, hand: Hand, function: str, detail: str
) -> None:
    """Bytes that student code writes to the connection are a bad reply, and the last one."""
    outcome = hand.call(function)
    assert outcome.ending is Ending.BAD_REPLY
    assert re.fullmatch(detail, outcome.detail)
    assert is_gone(hand.pid)
    assert not (grader.submission / "codebase" / "owned").exists(), "the pickle was executed"


def test_an_extra_reply_spoils_the_next_call(hand: Hand) -> None:
    """A late reply is not taken for the reply to another call."""
    assert hand.call("forges_its_first_answer").values == {"value": "forged"}
    assert hand.call("forty_two").ending is Ending.BAD_REPLY


@pytest.mark.slow
def test_a_zygote_that_is_killed_is_noticed(own_grader: Grader) -> None:
    """Its workers die too, the judge gets an error, and the holder starts another zygote."""
    zygote, idle, busy = own_grader.zygote, Hand(own_grader), Hand(own_grader)
    pending = busy.start("ignores_signals_and_loops")
    zygote.kill()
    with pytest.raises(ZygoteGone, match="the zygote"):
        pending.result()
    wait_until(lambda: is_gone(idle.pid) and is_gone(busy.pid), "the workers' end")
    with pytest.raises(ZygoteGone, match="the zygote"):
        own_grader.launcher.open()
    assert own_grader.holder.connect() is not own_grader.control
    assert own_grader.zygote.pid != zygote.pid
    own_grader.zygote.kill()  # without waiting for its import of torch
