"""No process or file is left after a worker, a zygote or a judge has ended."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograder.engine.judge.calls import Ending
from autograder.engine.judge.control import ZygoteGone
from autograder.engine.sandbox import identity
from tests.engine.sandbox.workers.kit import ROOT, Grader, Hand, open_folder
from tests.processes import PATIENCE_S, is_gone, wait_until


def test_a_daemon_is_ended_with_its_worker(hand: Hand) -> None:
    """It forked twice, has a new session and ignores SIGTERM, but is gone after `close`."""
    daemon = int(hand.value("leaves_a_daemon"))
    hand.worker.close()
    assert is_gone(daemon)


def test_a_child_in_its_own_session_is_ended_with_its_worker(hand: Hand) -> None:
    """`setsid` removes a child from the worker's process group only."""
    child = int(hand.value("leaves_a_session"))
    assert not is_gone(child)
    hand.worker.close()
    assert is_gone(child)


def test_a_daemon_is_ended_while_its_worker_runs(hand: Hand) -> None:
    """Orphans are ended during calls, so that none lives as long as a training run."""
    daemon = int(hand.value("leaves_a_daemon"))
    wait_until(lambda: is_gone(daemon), "the daemon's end")
    assert hand.call("forty_two").ending is Ending.RETURNED


def test_children_of_a_dead_worker_are_ended(hand: Hand) -> None:
    """Even if the worker exits first."""
    child = int(hand.value("leaves_a_session"))
    outcome = hand.call("exits_at_once")
    assert (outcome.ending, outcome.detail) == (Ending.DIED, "it exited with status 0")
    assert is_gone(child)


def test_the_workers_folder_is_removed_with_it(hand: Hand) -> None:
    """A worker's private folder is removed with all its files."""
    place = hand.value("place")
    folder = Path(hand.value("leaves_files"))
    assert place["cwd"] == place["temporary"] == str(folder)
    assert place["mode"] & 0o077 == 0
    assert folder.is_dir()
    hand.worker.close()
    assert not folder.exists()


def test_hundreds_of_workers_leave_neither_descriptor_nor_zombie(grader: Grader) -> None:
    """A grading opens a worker per check, so that leaks would add up."""

    def count() -> tuple[int, int, int]:
        ours = len(os.listdir("/proc/self/fd"))
        return ours, grader.zygote.num_fds(), len(grader.zygote.children(recursive=True))

    before = count()
    for _ in range(20):
        grader.launcher.open().close()
    hand = Hand(grader)
    hand.call("exits_at_once")
    assert count() == before
    assert list(grader.temporary.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_user_whose_processes_are_all_dead_has_none() -> None:
    """A killed worker is a zombie until it is reaped; nothing waits for that."""
    uid, pid = identity.reserve().uid, os.fork()
    if pid == 0:
        try:
            identity.become(uid)
            signal.pause()
        finally:
            os._exit(1)
    wait_until(lambda: identity.has_processes(uid), "the other user's process")
    started = time.monotonic()
    identity.kill_all(uid, lambda: None, give_up_s=2 * PATIENCE_S)
    assert not identity.has_processes(uid)
    assert time.monotonic() - started < PATIENCE_S
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL


def test_the_zygote_ends_with_all_workers_when_its_socket_closes(own_grader: Grader) -> None:
    """Without any request."""
    zygote = own_grader.zygote
    idle, busy = Hand(own_grader), Hand(own_grader)
    daemon = int(idle.value("leaves_a_session"))
    busy.start("ignores_signals_and_loops")
    own_grader.holder.close()
    for pid in (zygote.pid, idle.pid, busy.pid, daemon):
        assert is_gone(pid)
    assert list(own_grader.temporary.iterdir()) == []


_A_JUDGE = """
import sys, time
from pathlib import Path
sys.path[:0] = sys.argv[1:2]
from tests.engine.sandbox.workers.kit import Grader, Hand
grader = Grader(Path(sys.argv[2]), Path(sys.argv[3]), prefork=sys.argv[4] == "forked")
hand = Hand(grader)
hand.start("loops")
print(grader.zygote.pid, hand.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("how", ["started", "forked"])
def test_the_zygote_and_its_workers_die_with_a_killed_judge(submission: Path, how: str) -> None:
    """`kill -9` of the judge leaves no zygote and no busy worker."""
    with open_folder() as folder:
        judge = subprocess.Popen(
            [sys.executable, "-c", _A_JUDGE, str(ROOT), str(submission), str(folder), how],
            stdout=subprocess.PIPE,
            text=True,
        )
        _kill_and_watch(judge)


def _kill_and_watch(judge: subprocess.Popen[str]) -> None:
    with judge:
        assert judge.stdout is not None
        readable, _, _ = select.select([judge.stdout], [], [], PATIENCE_S)
        assert readable, "the judge did not start"
        zygote, worker = map(int, judge.stdout.readline().split())
        try:
            assert not is_gone(zygote)
            assert not is_gone(worker)
        finally:
            judge.kill()
    wait_until(lambda: is_gone(zygote) and is_gone(worker), "the end of zygote and worker")


def test_a_zygote_that_cannot_start_is_an_error_at_once(submission: Path, tmp_path: Path) -> None:
    """A missing homework is the grader's fault; the log names it."""
    grader = Grader(submission, tmp_path, tmp_path / "no_such_homework")
    try:
        with pytest.raises(ZygoteGone, match="the zygote"):
            grader.launcher.open()
    finally:
        grader.holder.close()
    assert "there is no folder" in grader.log.read_text()
