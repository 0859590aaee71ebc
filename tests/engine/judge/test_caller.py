"""The conclusion from how a call ended."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder.engine.judge import clock
from autograder.engine.judge.caller import Caller, HangTracker
from autograder.engine.judge.calls import Call, OutOfMemory
from autograder.engine.judge.exceptions import Advice, CheckFailed, NotAttempted, WorkerLost
from autograder.engine.judge.launcher import Launcher
from autograder.engine.judge.worker import WorkerNotReady
from tests.engine.judge.caller_kit import FILE, PATIENCE_S, MakeCaller, call
from tests.small_homework.fake_zygote import HANG, FakeZygote, raises, returns

pytestmark = pytest.mark.usefixtures("computing")


# ---- how a call ends ----------------------------------------------------------------------


def test_a_call_returns_values_and_arrays(make_caller: MakeCaller) -> None:
    """The seed and the arguments were sent."""
    vector = np.array([1.0, 2.0])
    outcome = make_caller().call(Call("echo", {"n": 1}, {"v": vector}, seed=5, needs=FILE))
    assert outcome.values == {"seed": 5}
    np.testing.assert_array_equal(outcome.arrays["v"], vector)


def test_one_worker_serves_all_calls_of_a_caller(
    make_caller: MakeCaller, zygote: FakeZygote
) -> None:
    """It is started at the first call, and ended when the caller is closed, once."""
    caller = make_caller()
    assert zygote.opened == 0
    for _ in range(3):
        call(caller, "answer")
    assert zygote.opened == 1
    assert zygote.ended == []
    caller.close()
    caller.close()
    assert zygote.ended == [1]


def test_a_call_after_close_starts_a_fresh_worker(
    make_caller: MakeCaller, zygote: FakeZygote
) -> None:
    """Closing ends the worker, not the caller."""
    caller = make_caller()
    call(caller, "answer")
    caller.close()
    call(caller, "answer")
    assert zygote.opened == 2


def test_a_missing_file_is_not_attempted_and_starts_nothing(
    make_caller: MakeCaller, zygote: FakeZygote
) -> None:
    """No worker is started for it."""
    caller = make_caller(missing=(FILE,))
    with pytest.raises(NotAttempted) as caught:
        call(caller, "answer")
    assert caught.value.feedback == "Not attempted: codebase/a.py is not in the submission."
    assert zygote.opened == 0
    caller.call(Call("answer", seed=0, needs="codebase/b.py"))


def test_an_exception_fails_the_check(make_caller: MakeCaller) -> None:
    """The worker lives on: the next call is answered."""
    caller = make_caller()
    with pytest.raises(CheckFailed, match=r"^codebase/a\.py, line 7 raised ZeroDivisionError\.$"):
        call(caller, "raise")
    assert call(caller, "answer").values == {"x": 1}


def test_a_stub_is_not_attempted(make_caller: MakeCaller) -> None:
    """NotImplementedError from a line that names it is the template's stub."""
    with pytest.raises(NotAttempted) as caught:
        call(make_caller(), "stub")
    assert caught.value.feedback == (
        "Not attempted: codebase/a.py, line 7 still raises NotImplementedError."
    )


def test_a_hanging_call_reports_its_limit(make_caller: MakeCaller, zygote: FakeZygote) -> None:
    """The message contains the limit, and the worker is ended."""
    with pytest.raises(WorkerLost) as caught:
        call(make_caller(timeout_s=0.15), "hang")
    assert caught.value.feedback == (
        "Your code did not return within 0.15 s of processor time.\n"
        "Look for a loop that never ends, or work that grows with the size of the input."
    )
    assert zygote.ended == [1]


def test_a_worker_that_dies_says_how(make_caller: MakeCaller, zygote: FakeZygote) -> None:
    """The message contains the signal or status, and the worker is reaped."""
    with pytest.raises(WorkerLost) as caught:
        call(make_caller(), "die")
    assert caught.value.feedback == (
        "The process that ran your code ended before it answered: it was ended by signal 11 "
        "(segmentation fault).\n"
        "Look for exit(), for endless recursion, or for very large tensors."
    )
    assert zygote.ended == [1]


def test_an_invalid_reply_is_reported(make_caller: MakeCaller, zygote: FakeZygote) -> None:
    """The message describes it, and the worker is ended."""
    with pytest.raises(WorkerLost) as caught:
        call(make_caller(), "babble")
    assert caught.value.feedback == (
        "The process that ran your code sent an invalid reply: "
        "a frame must begin with its magic number."
    )
    assert zygote.ended == [1]


def test_a_kill_for_memory_that_others_took_is_not_the_students_fault(
    make_caller: MakeCaller, zygote: FakeZygote
) -> None:
    """In a full container the kernel may kill any process."""
    zygote.end_otherwise(status=-9, out_of_memory=True, memory_bytes=50 * 2**20)
    for experiment in ("die", "import"):
        zygote.behaviours[experiment] = lambda _: None
        with pytest.raises(OutOfMemory):
            call(make_caller(), "die")


def test_a_kill_for_memory_that_the_code_took_is_reported(
    make_caller: MakeCaller, zygote: FakeZygote
) -> None:
    """The message contains the memory taken."""
    zygote.end_otherwise(status=-9, out_of_memory=True, memory_bytes=700 * 2**20)
    with pytest.raises(WorkerLost) as caught:
        call(make_caller(), "die")
    assert caught.value.feedback == (
        "The process that ran your code ended before it answered: the memory ran out.\n"
        "It had taken 700 MiB of memory. Look for very large tensors."
    )


def test_a_kill_that_was_not_for_memory_is_the_students(
    make_caller: MakeCaller, zygote: FakeZygote
) -> None:
    """os.kill(os.getpid(), SIGKILL) does not get a second try."""
    zygote.end_otherwise(status=-9, out_of_memory=False, memory_bytes=0)
    with pytest.raises(WorkerLost, match="it was killed"):
        call(make_caller(), "die")


def test_a_call_that_sleeps_is_reported_as_waiting(
    make_caller: MakeCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message does not suggest an endless loop."""
    monkeypatch.setattr(clock, "processor_time_s", lambda _: 0.0)
    monkeypatch.setattr(clock, "sleeps", lambda _: True)
    with pytest.raises(WorkerLost) as caught:
        call(make_caller(timeout_s=0.15), "hang")
    feedback = re.sub(r"for 0\.\d+ s", "for N s", caught.value.feedback)
    assert feedback == (
        "Your code waited for N s without computing anything.\n"
        "Look for input(), sleep(), or a lock that is never released."
    )


@pytest.mark.parametrize("experiment", ["die", "babble", "hang"])
def test_a_lost_worker_stays_lost(make_caller: MakeCaller, experiment: str) -> None:
    """A second call of the same caller raises the same conclusion."""
    caller = make_caller(timeout_s=0.1)
    for _ in range(2):
        with pytest.raises(WorkerLost):
            call(caller, experiment)


def test_conclusions_are_not_shrunk() -> None:
    """Hypothesis catches Exception to look for smaller cases; these are none."""
    for kind in (NotAttempted, WorkerLost, Advice):
        assert not issubclass(kind, Exception)
    assert issubclass(CheckFailed, Exception)


@pytest.mark.parametrize("size", [1, 200_000], ids=["small", "more than a socket's buffer"])
def test_a_finished_reply_can_be_read_late(make_caller: MakeCaller, size: int) -> None:
    """A training run that ended in time is not lost if the checks are slow."""
    caller, numbers = make_caller(), np.arange(size, dtype=np.float64)
    pending = caller.start(Call("echo", {}, {"v": numbers}, seed=0, needs=FILE, timeout_s=0.2))
    time.sleep(0.4)
    np.testing.assert_array_equal(caller.finish(pending).arrays["v"], numbers)


def test_a_call_that_still_hangs_when_it_is_read_late_is_ended_at_once(
    make_caller: MakeCaller,
) -> None:
    """Its time is over."""
    caller = make_caller()
    pending = caller.start(Call("hang", seed=0, needs=FILE, timeout_s=0.1))
    time.sleep(0.2)
    asked = time.monotonic()
    with pytest.raises(WorkerLost, match=r"within 0\.1 s"):
        caller.finish(pending)
    assert time.monotonic() - asked < PATIENCE_S / 2


def test_a_forged_source_makes_no_stub(make_caller: MakeCaller) -> None:
    """A stub is recognised in the staged file, not in the worker's report."""
    with pytest.raises(CheckFailed, match="NotImplementedError"):
        call(make_caller(), "forge")


# ---- importing the file -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "kind", "feedback"),
    [
        (lambda _: HANG, WorkerLost, "codebase/a.py did not finish when it was imported."),
        (lambda _: None, WorkerLost, "ended while codebase/a.py was imported: it was ended by"),
        (
            lambda _: b"x" * 99,
            WorkerLost,
            "an invalid reply while codebase/a.py was imported: a frame",
        ),
        (
            raises("ImportError"),
            CheckFailed,
            "codebase/a.py, line 7 imports a module or name that does not",
        ),
    ],
    ids=["hangs", "dies", "babbles", "raises"],
)
def test_a_file_that_cannot_be_imported_is_named(
    make_caller: MakeCaller, zygote: FakeZygote, behaviour: Any, kind: type, feedback: str
) -> None:
    """The file is imported by a separate call, so the message names the file."""
    zygote.behaviours["import"] = behaviour
    with pytest.raises(kind) as caught:
        call(make_caller(timeout_s=0.3), "answer")
    error: Any = caught.value
    shown = error.feedback(public=False) if isinstance(error, CheckFailed) else error.feedback
    assert feedback in shown
    assert zygote.asked == ["import"]


def test_a_file_that_hangs_when_imported_costs_two_waits(
    make_caller: MakeCaller, zygote: FakeZygote
) -> None:
    """All functions of the file fail at once after that."""
    zygote.behaviours["import"] = lambda _: HANG
    hangs = HangTracker()
    for experiment in ("answer", "raise", "echo"):
        with pytest.raises(WorkerLost, match="did not finish when it was imported"):
            call(make_caller(hangs, timeout_s=0.1), experiment)
    assert zygote.asked == ["import", "import"]


def test_a_background_run_is_given_up_if_its_file_hangs(
    make_caller: MakeCaller, zygote: FakeZygote
) -> None:
    """A training run does not wait for a file that never finishes its import."""
    zygote.behaviours["import"] = lambda _: HANG
    hangs, began = HangTracker(), time.monotonic()
    background = make_caller(hangs)
    pending = background.start(Call("hang", seed=0, needs=FILE, timeout_s=PATIENCE_S))
    for _ in range(2):
        with pytest.raises(WorkerLost):
            call(make_caller(hangs, timeout_s=0.1), "answer")
    with pytest.raises(WorkerLost):
        background.finish(pending)
    assert time.monotonic() - began < PATIENCE_S / 2


@pytest.mark.parametrize("experiment", ["hang", "answer", "raise"])
def test_a_background_run_is_given_up_if_its_function_hangs(
    make_caller: MakeCaller, zygote: FakeZygote, experiment: str
) -> None:
    """Its check ends alike on a fast machine, where the run has ended, and on a slow one."""
    hangs = HangTracker()
    background = make_caller(hangs)
    pending = background.start(
        Call(experiment, seed=0, needs=FILE, functions=["f"], timeout_s=PATIENCE_S)
    )
    time.sleep(0.1)
    hangs.add(["f"])
    hangs.add(["f"])
    with pytest.raises(WorkerLost, match="so it was not run again here"):
        background.finish(pending)
    assert zygote.ended == [1]


# ---- workers that never were --------------------------------------------------------------


@pytest.mark.parametrize(
    ("hello", "feedback"),
    [
        (None, "the worker was never ready: the peer .*; status 1"),
        ({"failed": "OSError: no Landlock"}, "the worker is not confined:\nOSError: no Landlock"),
        ({"values": {}}, "the worker is not confined:\nNone"),
    ],
)
def test_a_worker_that_is_not_confined_is_the_graders_fault(
    tmp_path: Path, hello: dict[str, Any] | None, feedback: str
) -> None:
    """None of the student's code has run, so an error is raised, not a conclusion."""
    with FakeZygote({"answer": returns(x=1)}, status=1, hello=hello) as zygote:
        caller = Caller(
            Launcher(zygote.control, tmp_path, PATIENCE_S), HangTracker(), PATIENCE_S, ()
        )
        with pytest.raises(WorkerNotReady, match=feedback):
            call(caller, "answer")
        assert zygote.ended == [1]


def test_a_zygote_that_cannot_fork_is_the_graders_fault(tmp_path: Path) -> None:
    """The error contains the zygote's reason."""
    with FakeZygote({}, spawn_fails="BlockingIOError: no more processes") as zygote:
        launcher = Launcher(zygote.control, tmp_path, PATIENCE_S)
        with pytest.raises(WorkerNotReady, match="no worker could be started:\nBlockingIOError"):
            launcher.open()


def test_a_worker_that_the_zygote_ended_reports_the_reason(tmp_path: Path) -> None:
    """The message contains the zygote's reason in place of a signal."""
    with FakeZygote({"die": lambda _: None}, -9, why="it made more than 2,000 files") as zygote:
        caller = Caller(
            Launcher(zygote.control, tmp_path, PATIENCE_S), HangTracker(), PATIENCE_S, ()
        )
        with pytest.raises(WorkerLost) as caught:
            call(caller, "die")
        assert "before it answered: it made more than 2,000 files." in caught.value.feedback
