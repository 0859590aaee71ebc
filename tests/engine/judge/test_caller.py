"""The conclusion from how a call ended, and the time of the next call."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder.engine.judge import clock
from autograder.engine.judge.caller import Caller, HangTracker
from autograder.engine.judge.calls import Outcome, OutOfMemory
from autograder.engine.judge.client import Launcher, WorkerNotReady
from autograder.engine.judge.exceptions import (
    Advice,
    CheckFailed,
    NotAttempted,
    TooSlow,
    WorkerLost,
)
from autograder.engine.sandbox.frames import Frame
from tests.small_homework.fake_zygote import HANG, FakeZygote, raises, returns

FILE = "codebase/a.py"
ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 30.0


@pytest.fixture
def zygote(tmp_path: Path) -> Iterator[FakeZygote]:
    """Workers that end a call in every way."""
    behaviours = {
        "answer": returns(x=1),
        "echo": lambda request: Frame({"values": {"seed": request.header["seed"]}}, request.arrays),
        "raise": raises("ZeroDivisionError", "division by zero"),
        "stub": raises("NotImplementedError"),
        "forge": raises("NotImplementedError", file="codebase/b.py", source="NotImplementedError"),
        "hang": lambda _: HANG,
        "die": lambda _: None,
        "babble": lambda _: b"x" * 100,
    }
    (tmp_path / "codebase").mkdir()
    (tmp_path / FILE).write_text("\n" * 6 + "    raise NotImplementedError\n", encoding="utf-8")
    (tmp_path / "codebase" / "b.py").write_text("1\n2\n3\n4\n5\n6\n7\n", encoding="utf-8")
    with FakeZygote(behaviours, status=-11) as zygote:
        yield zygote


@pytest.fixture(autouse=True)
def computing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake workers are threads: whatever they do counts as computed."""
    monkeypatch.setattr(clock, "processor_time_s", lambda _: time.monotonic())
    monkeypatch.setattr(clock, "sleeps", lambda _: False)


MakeCaller = Callable[..., Caller]


@pytest.fixture
def make_caller(zygote: FakeZygote, tmp_path: Path) -> Iterator[MakeCaller]:
    """Callers as the checks get them, closed in the end."""
    made = []

    def make(
        hangs: HangTracker | None = None,
        timeout_s: float = PATIENCE_S,
        missing: tuple[str, ...] = (),
        budget_s: float = math.inf,
    ) -> Caller:
        launcher = Launcher(zygote.control, tmp_path, PATIENCE_S)
        made.append(Caller(launcher, hangs or HangTracker(), timeout_s, missing, budget_s))
        return made[-1]

    yield make
    for caller in made:
        caller.close()


def call(caller: Caller, experiment: str, **more: Any) -> Outcome:
    """Call an experiment that needs the one file there is."""
    return caller.call(experiment, seed=0, needs=FILE, **more)


# ---- how a call ends ----------------------------------------------------------------------


def test_a_call_returns_values_and_arrays(make_caller: MakeCaller) -> None:
    """The seed and the arguments were sent."""
    vector = np.array([1.0, 2.0])
    outcome = make_caller().call("echo", {"n": 1}, {"v": vector}, seed=5, needs=FILE)
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
    caller.call("answer", seed=0, needs="codebase/b.py")


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
    pending = caller.start("echo", {}, {"v": numbers}, seed=0, needs=FILE, timeout_s=0.2)
    time.sleep(0.4)
    np.testing.assert_array_equal(caller.finish(pending).arrays["v"], numbers)


def test_a_call_that_still_hangs_when_it_is_read_late_is_ended_at_once(
    make_caller: MakeCaller,
) -> None:
    """Its time is over."""
    caller = make_caller()
    pending = caller.start("hang", seed=0, needs=FILE, timeout_s=0.1)
    time.sleep(0.2)
    asked = time.monotonic()
    with pytest.raises(WorkerLost, match=r"within 0\.1 s"):
        caller.finish(pending)
    assert time.monotonic() - asked < PATIENCE_S / 2


def test_a_forged_source_makes_no_stub(make_caller: MakeCaller) -> None:
    """A stub is recognised in the staged file, not in the worker's report."""
    with pytest.raises(CheckFailed, match="NotImplementedError"):
        call(make_caller(), "forge")


# ---- hangs --------------------------------------------------------------------------------


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
    pending = first.start("raise", seed=0, needs=FILE)
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
    pending = background.start("hang", seed=0, needs=FILE, timeout_s=PATIENCE_S)
    for _ in range(2):
        with pytest.raises(WorkerLost):
            call(make_caller(hangs, timeout_s=0.1), "answer")
    with pytest.raises(WorkerLost):
        background.finish(pending)
    assert time.monotonic() - began < PATIENCE_S / 2


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
