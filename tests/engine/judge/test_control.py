"""The judge's line to the zygote, and workers that are forked ahead."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.engine.judge.calls import Ending, Outcome
from autograder.engine.judge.control import Control, ZygoteGone
from autograder.engine.judge.launcher import Launcher
from autograder.engine.judge.worker import Worker, WorkerNotReady
from tests.small_homework.fake_zygote import FakeZygote, returns

PATIENCE_S = 20.0


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The sockets of the judge and of the zygote."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        theirs.settimeout(PATIENCE_S)
        yield ours, theirs


def request_on(theirs: socket.socket) -> dict[str, Any]:
    """Read the zygote's next request."""
    request: dict[str, Any] = json.loads(theirs.recv(65536))
    return request


def test_answers_can_be_read_in_any_order(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """With two open requests, the second answer can be read first."""
    ours, theirs = ends
    control = Control(ours)
    numbers = [control.ask({"op": op}) for op in ("first", "second")]
    for _ in numbers:
        request = request_on(theirs)
        theirs.send(json.dumps({"number": request["number"], "to": request["op"]}).encode())
    assert control.answer(numbers[1], PATIENCE_S)["to"] == "second"
    assert control.answer(numbers[0], PATIENCE_S)["to"] == "first"


def test_an_answer_to_a_judge_that_was_killed_is_ignored(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """A zygote serves one judge after another; the next judge ignores the last one's answers."""
    ours, theirs = ends
    Control(ours).ask({"op": "from the judge that was killed"})
    theirs.send(json.dumps({"number": request_on(theirs)["number"], "pid": 1}).encode())
    control = Control(ours)
    number = control.ask({"op": "spawn"})
    theirs.send(json.dumps({"number": request_on(theirs)["number"], "pid": 2}).encode())
    assert control.answer(number, PATIENCE_S)["pid"] == 2


def test_a_forgotten_answer_is_ignored(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """It is dropped, whether it comes before or after `forget`."""
    ours, theirs = ends
    control = Control(ours)
    forgotten, wanted = (control.ask({"op": op}) for op in ("end", "spawn"))
    control.forget(forgotten)
    for _ in range(2):
        theirs.send(json.dumps({"number": request_on(theirs)["number"]}).encode())
    assert control.answer(wanted, PATIENCE_S)["number"] == wanted
    assert not control._answers


def test_a_zygote_that_hangs_up_is_gone(ends: tuple[socket.socket, socket.socket]) -> None:
    """Before the request, or before the answer: both raise ZygoteGone."""
    ours, theirs = ends
    control = Control(ours)
    number = control.ask({"op": "spawn"})
    theirs.close()
    with pytest.raises(ZygoteGone, match="the zygote"):
        control.answer(number, PATIENCE_S)
    with pytest.raises(ZygoteGone, match="does not answer"):
        control.ask({"op": "spawn"})


def test_a_zygote_that_does_not_answer_in_time_is_gone(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """The judge stops waiting."""
    control = Control(ends[0])
    with pytest.raises(ZygoteGone, match="does not answer: timed out"):
        control.answer(control.ask({"op": "spawn"}), 0.05)


# ---- workers that are forked ahead ------------------------------------------------------------


def _ask(worker: Worker, experiment: str) -> Outcome:
    return worker.start(experiment, {}, {}, seed=0, limit_s=PATIENCE_S).result()


def test_the_next_worker_is_forked_while_one_is_in_use(tmp_path: Path) -> None:
    """`open` returns the worker that was requested before, and requests another."""
    with FakeZygote({"answer": returns(x=1)}) as zygote:
        launcher = Launcher(zygote.control, tmp_path, PATIENCE_S, ahead=True)
        first = launcher.open()
        assert _ask(first, "answer").values == {"x": 1}
        second = launcher.open()
        assert _ask(second, "answer").values == {"x": 1}
        assert (zygote.number_of(first._pid), zygote.number_of(second._pid)) == (1, 2)
        first.dismiss()
        second.dismiss()
        launcher.close()
        assert zygote.opened == 3
        assert sorted(zygote.ended) == [1, 2, 3]


def test_without_ahead_only_the_requested_workers_are_forked(tmp_path: Path) -> None:
    """One worker for each `open`; it has ended when `dismiss` returns."""
    with FakeZygote({"answer": returns(x=1)}) as zygote:
        launcher = Launcher(zygote.control, tmp_path, PATIENCE_S)
        launcher.open().dismiss()
        assert (zygote.opened, zygote.ended) == (1, [1])
        launcher.close()
        assert zygote.opened == 1


def test_how_a_worker_died_is_known_while_the_next_one_is_forked(tmp_path: Path) -> None:
    """The answer to `end` is not mistaken for the answer to the open request."""
    with FakeZygote({"die": lambda _: None}, -11, why="") as zygote:
        launcher = Launcher(zygote.control, tmp_path, PATIENCE_S, ahead=True)
        outcome = _ask(launcher.open(), "die")
        assert outcome.ending is Ending.DIED
        assert "signal 11" in outcome.detail
        launcher.close()


def test_a_failed_fork_fails_the_check_that_needs_the_worker(tmp_path: Path) -> None:
    """The check before it still has its worker."""
    with FakeZygote({"answer": returns(x=1)}) as zygote:
        launcher = Launcher(zygote.control, tmp_path, PATIENCE_S, ahead=True)
        zygote.fail_after(1, "BlockingIOError: no more processes")
        worker = launcher.open()
        assert _ask(worker, "answer").values == {"x": 1}
        with pytest.raises(WorkerNotReady, match="no more processes"):
            launcher.open()
        launcher.close()


def test_closing_after_the_zygote_has_died_raises_nothing(tmp_path: Path) -> None:
    """Its workers died with it."""
    with FakeZygote({"answer": returns(x=1)}) as zygote:
        launcher = Launcher(zygote.control, tmp_path, PATIENCE_S, ahead=True)
        worker = launcher.open()
        zygote.hang_up()
        with pytest.raises(ZygoteGone):
            worker.dismiss()
        launcher.close()
