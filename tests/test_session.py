"""What a check concludes from how a call ended, and how long the next call may take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder.engine.judge import client
from autograder.engine.judge.client import Launcher, Outcome, RaisedError
from autograder.engine.judge.session import Caller, Strikes, _conclusion_of
from autograder.engine.judge.verdicts import Advice, CheckFailed, NotAttempted, WorkerLost
from autograder.engine.worker.frames import Frame
from tests.small_homework.fake_zygote import HANG, FakeZygote, raises, returns

FILE = "codebase/a.py"
PATIENCE_S = 30.0


@pytest.fixture
def zygote() -> Iterator[FakeZygote]:
    """Workers that end a call in every way."""
    behaviours = {
        "answer": returns(x=1),
        "echo": lambda request: Frame({"values": {"seed": request.header["seed"]}}, request.arrays),
        "raise": raises("ZeroDivisionError", "division by zero"),
        "stub": raises("NotImplementedError", source="raise NotImplementedError"),
        "hang": lambda _: HANG,
        "die": lambda _: None,
        "babble": lambda _: b"x" * 100,
    }
    with FakeZygote(behaviours, status=-11) as zygote:
        yield zygote


MakeCaller = Callable[..., Caller]


@pytest.fixture
def make_caller(zygote: FakeZygote, tmp_path: Path) -> Iterator[MakeCaller]:
    """Callers as the checks get them, closed in the end."""
    made = []

    def make(
        strikes: Strikes | None = None,
        timeout_s: float = PATIENCE_S,
        missing: tuple[str, ...] = (),
    ) -> Caller:
        launcher = Launcher(zygote.control, tmp_path, PATIENCE_S)
        made.append(Caller(launcher, strikes or Strikes(), timeout_s, missing))
        return made[-1]

    yield make
    for caller in made:
        caller.close()


def call(caller: Caller, experiment: str, **more: Any) -> Outcome:
    """Call an experiment that needs the one file there is."""
    return caller.call(experiment, seed=0, needs=FILE, **more)


# ---- how a call ends ----------------------------------------------------------------------


def test_what_a_call_returns_is_given_back(make_caller: MakeCaller) -> None:
    """Values and arrays arrive; the seed and the arguments were sent."""
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
    """What was not handed in is said before a worker is asked for."""
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
    """NotImplementedError from a line that raises it is the stub that was handed out."""
    with pytest.raises(NotAttempted) as caught:
        call(make_caller(), "stub")
    assert caught.value.feedback == (
        "Not attempted: codebase/a.py, line 7 still raises NotImplementedError."
    )


def test_a_call_that_hangs_says_how_long_it_was_given(
    make_caller: MakeCaller, zygote: FakeZygote
) -> None:
    """The time allowed is in the sentence, and the worker is ended."""
    with pytest.raises(WorkerLost) as caught:
        call(make_caller(timeout_s=0.15), "hang")
    assert caught.value.feedback == (
        "Your code did not return within 0.15 s.\n"
        "Look for a loop that never ends, or work that grows with the size of the input."
    )
    assert zygote.ended == [1]


def test_a_worker_that_dies_says_how(make_caller: MakeCaller, zygote: FakeZygote) -> None:
    """The signal or status is in the sentence, and the worker is reaped."""
    with pytest.raises(WorkerLost) as caught:
        call(make_caller(), "die")
    assert caught.value.feedback == (
        "The process that ran your code ended before it answered: it was ended by signal 11.\n"
        "Look for exit(), for endless recursion, or for very large tensors."
    )
    assert zygote.ended == [1]


def test_a_reply_that_is_none_is_said(make_caller: MakeCaller, zygote: FakeZygote) -> None:
    """Rubbish in place of an answer is named as such, and the worker is ended."""
    with pytest.raises(WorkerLost) as caught:
        call(make_caller(), "babble")
    assert caught.value.feedback == (
        "The process that ran your code sent something that is no answer: "
        "a frame must begin with its magic number."
    )
    assert zygote.ended == [1]


@pytest.mark.parametrize("experiment", ["die", "babble", "hang"])
def test_a_lost_worker_stays_lost(make_caller: MakeCaller, experiment: str) -> None:
    """A second call of the same caller concludes the same: no error of ours."""
    caller = make_caller(timeout_s=0.1)
    for _ in range(2):
        with pytest.raises(WorkerLost):
            call(caller, experiment)


def test_conclusions_are_not_shrunk() -> None:
    """Hypothesis catches Exception to look for smaller cases: these pass it by."""
    for kind in (NotAttempted, WorkerLost, Advice):
        assert not issubclass(kind, Exception)
    assert issubclass(CheckFailed, Exception)


@pytest.mark.parametrize("size", [1, 200_000], ids=["small", "more than a socket's buffer"])
def test_a_reply_that_waits_is_read_however_late_it_is_asked_for(
    make_caller: MakeCaller, size: int
) -> None:
    """A training run that ended in time is not lost because the checks beside it were slow."""
    caller, numbers = make_caller(), np.arange(size, dtype=np.float64)
    pending = caller.start("echo", {}, {"v": numbers}, seed=0, needs=FILE, timeout_s=1.0)
    time.sleep(max(0.0, pending.deadline - time.monotonic()) + 0.1)
    np.testing.assert_array_equal(caller.finish(pending).arrays["v"], numbers)


def test_a_call_that_still_hangs_when_it_is_asked_for_late_is_ended_at_once(
    make_caller: MakeCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing waits to be read, and its time is over."""
    monkeypatch.setattr(client, "_READ_S", PATIENCE_S)
    caller = make_caller()
    pending = caller.start("hang", seed=0, needs=FILE, timeout_s=0.1)
    time.sleep(0.2)
    asked = time.monotonic()
    with pytest.raises(WorkerLost, match=r"within 0\.1 s"):
        caller.finish(pending)
    assert time.monotonic() - asked < PATIENCE_S / 2


# ---- strikes ------------------------------------------------------------------------------


def test_strikes_shorten_the_time_and_then_end_it() -> None:
    """As asked, then at most 3 s, then not at all; other experiments are not touched."""
    strikes = Strikes()
    assert strikes.timeout_s(["f"], 10.0) == 10.0
    strikes.add(["f"])
    assert strikes.timeout_s(["f"], 10.0) == 3.0
    assert strikes.timeout_s(["f"], 0.5) == 0.5
    strikes.add(["f"])
    with pytest.raises(WorkerLost) as caught:
        strikes.timeout_s(["f"], 10.0)
    assert caught.value.feedback == (
        "Your code did not return in time in earlier checks, so it was not run again here."
    )
    assert strikes.timeout_s(["g"], 10.0) == 10.0


def test_a_third_call_of_what_hangs_is_not_tried(
    make_caller: MakeCaller, zygote: FakeZygote
) -> None:
    """Strikes are shared by all checks: an endless loop costs two waits, not one a check."""
    strikes = Strikes()
    for _ in range(2):
        with pytest.raises(WorkerLost, match="did not return within"):
            call(make_caller(strikes, timeout_s=0.1), "hang")
    with pytest.raises(WorkerLost, match="was not run again here"):
        call(make_caller(strikes, timeout_s=0.1), "hang")
    assert zygote.asked == ["hang", "hang"]
    assert zygote.opened == 2
    assert call(make_caller(strikes), "answer").values == {"x": 1}


def test_only_what_hangs_gets_a_strike(make_caller: MakeCaller) -> None:
    """To raise, to die or to babble costs no waiting, so it shortens nothing."""
    strikes = Strikes()
    for experiment in ("raise", "die", "babble"):
        for _ in range(3):
            with pytest.raises((CheckFailed, WorkerLost)):
                call(make_caller(strikes), experiment)
        assert strikes.timeout_s([experiment], 10.0) == 10.0


def test_a_call_can_have_a_time_of_its_own(make_caller: MakeCaller) -> None:
    """A training run is given more than a call, or less, than the settings say."""
    began = time.monotonic()
    with pytest.raises(WorkerLost, match=r"within 0\.2 s"):
        call(make_caller(timeout_s=PATIENCE_S), "hang", timeout_s=0.2)
    assert time.monotonic() - began < PATIENCE_S


def test_a_started_call_runs_beside_others(make_caller: MakeCaller) -> None:
    """`start` returns at once and `finish` concludes, in whatever order."""
    first, second = make_caller(), make_caller()
    pending = first.start("raise", seed=0, needs=FILE)
    assert call(second, "answer").values == {"x": 1}
    with pytest.raises(CheckFailed, match="ZeroDivisionError"):
        first.finish(pending)


# ---- the words for what was raised --------------------------------------------------------


def error(kind: str, message: str = "SECRET", **more: Any) -> RaisedError:
    """What a worker tells."""
    told = {"file": FILE, "line": 3, "source": "y = f(x)", "misuse": False, **more}
    return RaisedError(kind, message, **told)


def concluded(told: RaisedError, *, public: bool) -> str:
    """The feedback of a failed check."""
    conclusion = _conclusion_of(told)
    assert type(conclusion) is CheckFailed
    return conclusion.feedback(public=public)


@pytest.mark.parametrize(
    ("told", "lines"),
    [
        (
            error("ValueError"),
            ["codebase/a.py, line 3 raised ValueError.", "The line reads: y = f(x)"],
        ),
        (error("ValueError", source=None), ["codebase/a.py, line 3 raised ValueError."]),
        (error("ValueError", line=None, source=None), ["codebase/a.py raised ValueError."]),
        (error("ValueError", file=None), ["your code raised ValueError."]),
        (
            error("SystemExit", source="exit()"),
            ["codebase/a.py, line 3 raised SystemExit.", "The line reads: exit()"],
        ),
        (error("HomeMadeError", source=None), ["codebase/a.py, line 3 raised an exception."]),
        (error("print", source=None), ["codebase/a.py, line 3 raised an exception."]),
        (
            error("SyntaxError", source="def f(:"),
            ["Python cannot read codebase/a.py, line 3: SyntaxError.", "The line reads: def f(:"],
        ),
        (
            error("TabError", source=None),
            ["Python cannot read codebase/a.py, line 3: TabError."],
        ),
        (
            error("ModuleNotFoundError", source="import sklearn"),
            [
                "codebase/a.py, line 3 imports something that is not there.",
                "The line reads: import sklearn",
            ],
        ),
        (
            error("NotImplementedError"),
            ["codebase/a.py, line 3 raised NotImplementedError.", "The line reads: y = f(x)"],
        ),
        (
            error("NotImplementedError", file=None, line=None, source=None),
            ["your code raised NotImplementedError."],
        ),
    ],
)
def test_what_was_raised_is_told_in_fixed_words(told: RaisedError, lines: list[str]) -> None:
    """A private check names kind, place and line, and never the exception's own text."""
    assert concluded(told, public=False).splitlines() == lines
    shown = concluded(told, public=True).splitlines()
    assert shown == [lines[0], "It says: SECRET", *lines[1:]]


def test_a_misuse_is_told_in_our_own_words() -> None:
    """The text of a misuse is ours and is shown to everybody."""
    told = error("Misuse", "g was called with 3 arguments", misuse=True)
    for public in (True, False):
        assert concluded(told, public=public).splitlines() == [
            "g was called with 3 arguments.",
            "The line reads: y = f(x)",
        ]


def test_an_empty_message_is_not_quoted() -> None:
    """A public check says "It says:" only when something is said."""
    assert "It says" not in concluded(error("KeyError", ""), public=True)
