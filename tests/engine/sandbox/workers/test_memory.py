"""A container that runs out of memory: whether a killed worker was the cause."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from autograder.engine.judge.calls import Ending
from benchmarks.control_groups import Group, NoControlGroups, limited
from tests.engine.sandbox.workers.kit import Grader, Hand, open_folder, write_submission
from tests.processes import wait_until

_LIMIT = 900 * 2**20

# Takes memory in small steps until it is killed, and is the last to be.
_NEIGHBOUR = """
import sys, time
open("/proc/self/oom_score_adj", "w").write("-1000")
taken = []
while True:
    taken.append(bytearray(4 << 20))
    time.sleep(0.002)
"""


@pytest.fixture
def group() -> Iterator[Group]:
    """A control group with little memory."""
    try:
        with limited(cpu=2.0, memory_bytes=_LIMIT) as group:
            yield group
    except NoControlGroups as error:
        pytest.skip(str(error))


@pytest.fixture
def hand(group: Group) -> Iterator[Hand]:
    """A worker whose zygote is in the group."""
    with open_folder() as folder:
        submission = folder / "submission"
        submission.mkdir(mode=0o755)
        write_submission(submission)
        grader = Grader(submission, folder)
        for place in dict.fromkeys(group.folders.values()):
            (place / "cgroup.procs").write_text(str(grader.zygote.pid))
        hand = Hand(grader)
        hand.call("forty_two")  # it is in the group
        yield hand
        hand.worker.close()
        grader.close()


def test_a_worker_that_took_little_is_not_blamed(group: Group, hand: Hand) -> None:
    """The kernel kills workers first, whichever process took the memory."""
    pending = hand.start("sleeps_in_c")
    neighbour = group.start([sys.executable, "-S", "-c", _NEIGHBOUR], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: not pending.is_at_work, "the kill")
    finally:
        neighbour.kill()
        neighbour.wait()
    outcome = pending.result()
    assert outcome.ending is Ending.DIED
    assert outcome.death is not None
    assert outcome.death.out_of_memory
    assert outcome.death.memory_bytes < 256 * 2**20


def test_a_worker_that_took_much_memory_is_blamed(hand: Hand) -> None:
    """With the approximate amount."""
    outcome = hand.call("takes_memory")
    assert outcome.ending is Ending.DIED
    assert outcome.death is not None
    assert outcome.death.out_of_memory
    assert outcome.death.memory_bytes > 256 * 2**20
    assert outcome.detail == "the memory ran out"


def test_a_worker_that_kills_itself_did_not_run_out_of_memory(hand: Hand) -> None:
    """Even in a small container."""
    outcome = hand.call("kills_itself")
    assert outcome.ending is Ending.DIED
    assert outcome.death is not None
    assert not outcome.death.out_of_memory
