"""A real zygote and its workers: whatever student code does, it costs its own worker only."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from autograder.engine.judge.client import (
    Ending,
    Launcher,
    Outcome,
    PendingCall,
    Worker,
)
from autograder.engine.judge.conclusions import with_source
from autograder.engine.judge.control import ZygoteGone
from autograder.engine.worker import identity
from autograder.engine.worker.frames import Array
from autograder.engine.worker.launch import ZygoteHolder, open_nest
from tests.processes import PATIENCE_S, is_gone, wait_until

ROOT = Path(__file__).resolve().parents[1]
HOMEWORK = "tests.small_homework"
# Long enough for a machine under load; no test waits for it unless it is about to fail.

SOLUTION = (ROOT / "tests" / "small_homework" / "solution.py").read_text()

FILES = {
    "solution.py": SOLUTION,
    "unreadable.py": "def f():\n    return (1 +\n",
    "crooked.py": "def f():\n\treturn 1\n        return 2\n",
    "exits_on_import.py": "import sys\nsys.exit(0)\n",
    "dies_on_import.py": "import os\nos._exit(0)\n",
    "loops_on_import.py": "while True:\n    pass\n",
    "needs_sklearn.py": "import nothing_of_this_name\n",
    # Never picked up: the student's folders come after the library's.
    "json.py": "raise SystemError('shadowed')\n",
    "torch.py": "raise SystemError('shadowed')\n",
    "colorsys.py": "raise SystemError('shadowed')\n",
}


def line_of(text: str) -> int:
    """The number of the first line of the solution that holds this text."""
    return next(n for n, line in enumerate(SOLUTION.splitlines(), 1) if text in line)


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that a worker with a user of its own can pass through; pytest's are closed."""
    with tempfile.TemporaryDirectory(prefix="test-workers-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


@pytest.fixture(scope="module")
def submission() -> Iterator[Path]:
    """A staged submission."""
    with open_folder() as root:
        root.chmod(0o755)
        _write_submission(root)
        yield root


def _write_submission(root: Path) -> None:
    (root / "codebase").mkdir()
    for name, text in FILES.items():
        (root / "codebase" / name).write_text(text)
    for name in ("random.py", "torch.py", "colorsys.py", "sitecustomize.py"):
        (root / name).write_text("raise SystemError('shadowed')\n")


class Grader:
    """A zygote, alone or out of a nest, and a launcher that asks it for workers."""

    def __init__(
        self, submission: Path, folder: Path, homework: str = HOMEWORK, *, nest: bool = False
    ) -> None:
        self.nest = open_nest(homework, folder) if nest else None
        self.submission = submission
        self.temporary = folder / "workers"
        self.temporary.mkdir(mode=0o711)
        self.log = folder / "log"
        self.holder = ZygoteHolder(homework, self.temporary, self.log, self.nest)
        self.control = self.holder.control  # starts it
        self.launcher = Launcher(self.control, submission, PATIENCE_S)

    @property
    def zygote(self) -> psutil.Process:
        """The zygote's process."""
        running = self.holder._running
        assert running is not None
        return psutil.Process(running.process.pid)

    def close(self) -> None:
        """End the zygote, and its nest."""
        self.holder.close()
        if self.nest is not None:
            self.nest.close()


@pytest.fixture(scope="module", params=[False, True], ids=["started", "hatched"])
def grader(submission: Path, request: pytest.FixtureRequest) -> Iterator[Grader]:
    """The zygote that most tests share; it was started with a secret in our environment."""
    with open_folder() as folder:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CANARY", "a secret")
            patch.setenv("PYTHONPATH", "/a/path/of/ours")
            patch.setenv("OMP_NUM_THREADS", "7")
            grader = Grader(submission, folder, nest=request.param)
        yield grader
        grader.close()


@pytest.fixture(params=[False, True], ids=["started", "hatched"])
def own_grader(submission: Path, request: pytest.FixtureRequest) -> Iterator[Grader]:
    """A zygote that the test may end."""
    with open_folder() as folder:
        grader = Grader(submission, folder, nest=request.param)
        yield grader
        grader.close()


class Hand:
    """One worker, and what a test asks of it."""

    def __init__(self, grader: Grader) -> None:
        self.worker: Worker = grader.launcher.open()
        self.submission = grader.submission

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self.worker._pid

    def call(
        self,
        function: str,
        *arrays: Array,
        module: str = "solution",
        times: int = 1,
        seed: int = 0,
        timeout_s: float = PATIENCE_S,
    ) -> Outcome:
        """Call a function of the submission and wait for its end."""
        return self.start(
            function, *arrays, module=module, times=times, seed=seed, timeout_s=timeout_s
        ).result()

    def start(
        self,
        function: str,
        *arrays: Array,
        module: str = "solution",
        times: int = 1,
        seed: int = 0,
        timeout_s: float = PATIENCE_S,
    ) -> PendingCall:
        """Call a function of the submission and go on."""
        return self.worker.start(
            "call",
            {"module": module, "function": function, "times": times},
            {str(i): array for i, array in enumerate(arrays)},
            seed=seed,
            timeout_s=timeout_s,
        )

    def value(self, function: str, *arrays: Array, seed: int = 0) -> Any:
        """Call a function that returns a plain value."""
        outcome = self.call(function, *arrays, seed=seed)
        assert outcome.ending is Ending.RETURNED, outcome
        return outcome.values["value"]


@pytest.fixture
def hand(grader: Grader) -> Iterator[Hand]:
    """A fresh worker, closed after the test."""
    hand = Hand(grader)
    yield hand
    hand.worker.close()


def is_alive_and_well(grader: Grader) -> bool:
    """Whether the zygote still gives workers that answer."""
    hand = Hand(grader)
    try:
        return hand.call("forty_two").ending is Ending.RETURNED
    finally:
        hand.worker.close()


# ---- calls that end by themselves ---------------------------------------------------------

VECTOR = np.array([1.0, 2.0, 3.0], np.float32)


def test_what_a_function_returns_comes_back(hand: Hand) -> None:
    """A tensor arrives with its values, and with what is known about it."""
    outcome = hand.call("double", VECTOR)
    assert outcome.ending is Ending.RETURNED
    assert outcome.error is None
    np.testing.assert_array_equal(outcome.arrays["recorded"], 2 * VECTOR)
    assert outcome.values["recorded"] == {
        "kind": "tensor",
        "dtype": "float32",
        "shape": [3],
        "requires_grad": False,
    }
    assert 0 < outcome.seconds < PATIENCE_S


def test_a_view_with_gradients_is_recorded_by_its_values(hand: Hand) -> None:
    """A transposed, strided leaf that wants gradients is as good as any."""
    square = np.arange(16, dtype=np.float32).reshape(4, 4)
    outcome = hand.call("strided", square)
    np.testing.assert_array_equal(outcome.arrays["recorded"], square.T[:, ::2])
    assert outcome.values["recorded"]["requires_grad"] is True


def test_bfloat16_is_recorded_by_its_values(hand: Hand) -> None:
    """numpy has no bfloat16: the values come as float32, the dtype by its name."""
    outcome = hand.call("low_precision", VECTOR)
    np.testing.assert_array_equal(outcome.arrays["recorded"], VECTOR)
    assert outcome.values["recorded"]["dtype"] == "bfloat16"


def test_what_is_changed_later_is_recorded_as_it_was(hand: Hand) -> None:
    """The record is a copy, so that a later write of the student's code is not in it."""
    outcome = hand.call("adds_up", VECTOR, times=2)
    np.testing.assert_array_equal(outcome.arrays["recorded"], VECTOR)
    np.testing.assert_array_equal(outcome.arrays["recorded1"], 2 * VECTOR)


@pytest.mark.parametrize(
    ("function", "recorded"),
    [
        ("nothing", {"kind": "other", "type": "NoneType"}),
        ("not_a_number", {"kind": "other", "type": "float"}),
        ("forty_two", {"kind": "number", "type": "int", "value": 42.0}),
    ],
)
def test_what_is_no_tensor_is_recorded_by_its_kind(
    hand: Hand, function: str, recorded: Mapping[str, object]
) -> None:
    """None, a NaN and a number are told apart, and a NaN cannot break the reply."""
    outcome = hand.call(function)
    assert outcome.ending is Ending.RETURNED
    assert outcome.values["recorded"] == recorded


def test_a_worker_answers_one_call_after_the_other(hand: Hand) -> None:
    """Each reply belongs to its question, also after an exception."""
    for i in range(3):
        outcome = hand.call("double", np.full(2, i, np.float32))
        np.testing.assert_array_equal(outcome.arrays["recorded"], np.full(2, 2.0 * i))
        assert hand.call("divides").ending is Ending.RAISED


def test_two_workers_work_side_by_side(grader: Grader) -> None:
    """A worker that is busy keeps no other from answering."""
    busy, free = Hand(grader), Hand(grader)
    pending = busy.start("loops")
    assert free.call("forty_two").ending is Ending.RETURNED
    assert not is_gone(busy.pid)
    for hand in (busy, free):
        hand.worker.close()
    assert is_gone(busy.pid)
    assert pending.result().ending is Ending.DIED


def test_an_exception_comes_with_type_file_line_and_source(hand: Hand) -> None:
    """The student is shown the line of their own that raised."""
    outcome = hand.call("divides")
    assert outcome.ending is Ending.RAISED
    assert outcome.error is not None
    assert outcome.error.type == "ZeroDivisionError"
    assert outcome.error.message == "division by zero"
    assert outcome.error.file == "codebase/solution.py"
    assert outcome.error.line == line_of("return one / zero")
    told = with_source(outcome.error, hand.submission)
    assert told.source == "return one / zero  # here"
    assert outcome.error.misuse is False


def test_an_exception_inside_torch_points_at_the_students_line(hand: Hand) -> None:
    """Where a library raised, the line is the student's that called it, and no file of ours."""
    outcome = hand.call("asks_torch")
    assert outcome.error is not None
    assert outcome.error.type == "RuntimeError"
    assert outcome.error.line == line_of("shapes do not fit")


@pytest.mark.parametrize(
    ("module", "kind", "line"), [("unreadable", "SyntaxError", 2), ("crooked", "TabError", 3)]
)
def test_a_file_that_python_cannot_read_raises_with_its_line(
    hand: Hand, module: str, kind: str, line: int
) -> None:
    """A syntax error names the file and the line that Python names."""
    outcome = hand.call("f", module=module)
    assert outcome.ending is Ending.RAISED
    assert outcome.error is not None
    assert outcome.error.type in {kind, "IndentationError"}
    assert outcome.error.file == f"codebase/{module}.py"
    assert outcome.error.line == line
    told = with_source(outcome.error, hand.submission)
    assert told.source == FILES[f"{module}.py"].splitlines()[line - 1].strip()


def test_a_missing_function_is_a_misuse(hand: Hand) -> None:
    """What is not there is named, in words of ours."""
    outcome = hand.call("of_no_such_name")
    assert outcome.error is not None
    assert outcome.error.misuse is True
    assert outcome.error.message == "codebase/solution.py does not define of_no_such_name"
    assert outcome.error.file is None


def test_a_missing_library_raises_with_its_line(hand: Hand) -> None:
    """An import that fails points at the import."""
    outcome = hand.call("f", module="needs_sklearn")
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.line) == ("ModuleNotFoundError", 1)


def test_an_endless_message_is_cut(hand: Hand) -> None:
    """An exception's text is cut, whatever is in it, so that its reply fits a frame."""
    outcome = hand.call("says_much")
    assert outcome.error is not None
    assert outcome.error.message == "x" * 600


def test_an_exception_that_cannot_say_what_it_is_still_arrives(hand: Hand) -> None:
    """Where `str` of the exception raises, the rest of the reply comes all the same."""
    outcome = hand.call("cannot_say")
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.message) == ("Dumb", "(its text could not be read)")


@pytest.mark.parametrize(
    ("function", "module", "kind"),
    [
        ("recurses", "solution", "RecursionError"),
        ("exits", "solution", "SystemExit"),
        ("interrupts", "solution", "KeyboardInterrupt"),
        ("f", "exits_on_import", "SystemExit"),
    ],
)
def test_an_exit_is_an_exception_like_any_other(
    hand: Hand, function: str, module: str, kind: str
) -> None:
    """SystemExit, KeyboardInterrupt and endless recursion are replies, never a clean end."""
    outcome = hand.call(function, module=module)
    assert outcome.ending is Ending.RAISED
    assert outcome.error is not None
    assert outcome.error.type == kind
    assert outcome.error.file == f"codebase/{module}.py"


def test_the_students_files_shadow_nothing(hand: Hand) -> None:
    """Files named like a library's, loaded already or not, are not picked up."""
    files = hand.value("imported_from")
    assert all(file and "submission" not in file for file in files.values()), files


# ---- workers that die, hang or lie --------------------------------------------------------


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
def test_a_worker_that_dies_says_how(
    grader: Grader, hand: Hand, function: str, module: str, detail: str
) -> None:
    """`os._exit(0)` is no pass, a crash is named, and the next worker is as good as new."""
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
    grader: Grader, hand: Hand, function: str, module: str
) -> None:
    """Loops, ignored signals, a held lock, SIGSTOP, a dripping reply: over when the time is."""
    outcome = hand.call(function, module=module, timeout_s=0.5)
    assert outcome.ending is Ending.TIMED_OUT
    assert 0.5 <= outcome.seconds < 3.0  # the machine may be busy
    assert is_gone(hand.pid)
    assert is_alive_and_well(grader)


def test_a_worker_that_was_ended_can_be_asked_again(hand: Hand) -> None:
    """A second question to a worker that died is a second DIED, not an error of ours."""
    assert hand.call("exits_at_once").ending is Ending.DIED
    assert hand.call("forty_two").ending is Ending.DIED
    assert hand.worker.close() == (None, "")


@pytest.mark.parametrize(
    ("function", "detail"),
    [
        ("answers_another_question", "a reply to a question that was not asked"),
        ("answers_without_values", "a reply without values"),
        ("answers_with_a_strange_error", "an error that is not an object"),
        ("sends_rubbish", "a frame must begin with its magic number"),
        ("announces_four_gib", "body of 4294967295 bytes, 67108864 allowed"),
        ("sends_a_pickle", "body's own header of .* bytes is too long"),
    ],
)
def test_a_worker_that_sends_rubbish_is_ended(
    grader: Grader, hand: Hand, function: str, detail: str
) -> None:
    """Bytes that student code writes into the connection are a bad reply, and its last."""
    outcome = hand.call(function)
    assert outcome.ending is Ending.BAD_REPLY
    assert re.fullmatch(detail, outcome.detail)
    assert is_gone(hand.pid)
    assert not (grader.submission / "codebase" / "owned").exists(), "the pickle was executed"


def test_an_answer_too_many_spoils_the_next_call(hand: Hand) -> None:
    """The true reply to a question that was answered already is taken for no other's."""
    assert hand.call("forges_its_first_answer").values == {"value": "forged"}
    assert hand.call("forty_two").ending is Ending.BAD_REPLY


def test_a_zygote_that_is_killed_is_noticed(own_grader: Grader) -> None:
    """Its workers die with it, the judge is told and does not hang, the holder starts another."""
    zygote, idle, busy = own_grader.zygote, Hand(own_grader), Hand(own_grader)
    pending = busy.start("ignores_signals_and_loops")
    zygote.kill()
    with pytest.raises(ZygoteGone, match="the zygote"):
        pending.result()
    wait_until(lambda: is_gone(idle.pid) and is_gone(busy.pid), "the workers' end")
    with pytest.raises(ZygoteGone, match="the zygote"):
        own_grader.launcher.open()
    assert own_grader.holder.control is not own_grader.control
    assert own_grader.zygote.pid != zygote.pid
    own_grader.zygote.kill()  # nobody has to wait until it has imported torch


# ---- nothing is left behind ---------------------------------------------------------------


def test_a_daemon_is_ended_with_its_worker(hand: Hand) -> None:
    """Forked twice, a session of its own, deaf to TERM: it is gone when `close` returns."""
    daemon = int(hand.value("leaves_a_daemon"))
    hand.worker.close()
    assert is_gone(daemon)


def test_a_child_in_its_own_session_is_ended_with_its_worker(hand: Hand) -> None:
    """`setsid` alone takes a child out of the worker's process group, not out of our reach."""
    child = int(hand.value("leaves_a_session"))
    assert not is_gone(child)
    hand.worker.close()
    assert is_gone(child)


def test_a_daemon_is_ended_while_its_worker_goes_on(hand: Hand) -> None:
    """Orphans are swept up beside the calls, so that none lives as long as a training run."""
    daemon = int(hand.value("leaves_a_daemon"))
    wait_until(lambda: is_gone(daemon), "the daemon's end")
    assert hand.call("forty_two").ending is Ending.RETURNED


def test_what_a_worker_that_died_left_is_ended(hand: Hand) -> None:
    """The worker's own death changes nothing for its children."""
    child = int(hand.value("leaves_a_session"))
    outcome = hand.call("exits_at_once")
    assert (outcome.ending, outcome.detail) == (Ending.DIED, "it exited with status 0")
    assert is_gone(child)


def test_the_workers_folder_is_removed_with_it(hand: Hand) -> None:
    """A worker works in a private folder of its own, and all it wrote there goes."""
    place = hand.value("place")
    folder = Path(hand.value("leaves_files"))
    assert place["cwd"] == place["temporary"] == str(folder)
    assert place["mode"] & 0o077 == 0
    assert folder.is_dir()
    hand.worker.close()
    assert not folder.exists()


def test_hundreds_of_workers_leave_neither_descriptor_nor_zombie(grader: Grader) -> None:
    """A grading opens a worker per check: what each one leaks would add up."""

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


@pytest.mark.parametrize("nest", [False, True])
def test_a_nest_warms_up_for_all_workers(submission: Path, nest: bool) -> None:
    """What takes a worker long at its first use is done once; a single grading is not kept."""
    with open_folder() as folder:
        grader = Grader(submission, folder, nest=nest)
        try:
            worker = grader.launcher.open()
            outcome = worker.call("warmed", {}, {}, seed=0, timeout_s=PATIENCE_S)
            assert outcome.values == {"value": ["warm"] if nest else []}
        finally:
            grader.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_user_whose_processes_are_all_dead_has_none() -> None:
    """A worker that was killed stays as a zombie until it is asked for: nothing waits for that."""
    uid, pid = identity.reserve().uid, os.fork()
    if pid == 0:
        try:
            identity.become(uid)
            signal.pause()
        finally:
            os._exit(1)
    wait_until(lambda: identity.has_processes(uid), "the other user's process")
    started = time.monotonic()
    identity.kill_all(uid, lambda: None)
    assert not identity.has_processes(uid)
    assert time.monotonic() - started < 4  # it gives up after five
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL


def test_the_zygote_ends_with_all_workers_when_its_socket_closes(own_grader: Grader) -> None:
    """No request is needed: the closed socket is the order to leave nothing behind."""
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
from tests.test_workers import Grader, Hand
grader = Grader(Path(sys.argv[2]), Path(sys.argv[3]), nest=sys.argv[4] == "hatched")
hand = Hand(grader)
hand.start("loops")
print(grader.zygote.pid, hand.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("how", ["started", "hatched"])
def test_the_zygote_and_its_workers_die_with_a_killed_judge(submission: Path, how: str) -> None:
    """`kill -9` of the process that asks leaves no zygote and no busy worker."""
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


def test_a_zygote_that_cannot_start_is_told_at_once(submission: Path, tmp_path: Path) -> None:
    """A homework that is not there is the grader's fault; the log says which and why."""
    grader = Grader(submission, tmp_path, "tests.no_such_homework")
    try:
        with pytest.raises(ZygoteGone, match="the zygote"):
            grader.launcher.open()
    finally:
        grader.holder.close()
    assert "No module named 'tests.no_such_homework'" in grader.log.read_text()


# ---- what a worker has and sees -----------------------------------------------------------


def test_nothing_of_the_callers_environment_reaches_a_worker(hand: Hand) -> None:
    """Neither now nor in what the process started with is there a variable of ours."""
    now, inherited = hand.value("environment"), psutil.Process(hand.pid).environ()
    expected = {"PATH", "LANG", "HOME", "TMPDIR", "OMP_NUM_THREADS", "MKL_NUM_THREADS"}
    expected |= {"OMP_THREAD_LIMIT", "PYTHONHASHSEED", "CUDA_VISIBLE_DEVICES", "GLIBC_TUNABLES"}
    # torch and the C library may add a few of their own while they are imported.
    assert not (set(now) - expected) & {*os.environ, "CANARY"}
    assert set(inherited) == expected
    for text in (*now.values(), *inherited.values()):
        assert "/a/path/of/ours" not in text
    assert now["OMP_NUM_THREADS"] == inherited["OMP_NUM_THREADS"] == "1"


def test_every_worker_is_a_fresh_process(grader: Grader) -> None:
    """Globals live as long as their worker; the next one knows nothing of them."""
    first, second = Hand(grader), Hand(grader)
    try:
        assert [first.value("counts")["calls"] for _ in range(2)] == [1, 2]
        assert second.value("counts")["calls"] == 1
        assert first.value("counts")["pid"] != second.value("counts")["pid"]
    finally:
        first.worker.close()
        second.worker.close()


def test_what_a_worker_spoils_is_spoilt_for_itself_alone(grader: Grader, hand: Hand) -> None:
    """A changed dtype, a patched torch, a broken json: the next worker has none of it."""
    hand.call("spoils_everything", timeout_s=2.0)
    fresh = Hand(grader)
    try:
        assert fresh.value("counts")["dtype"] == "torch.float32"
        outcome = fresh.call("double", VECTOR)
        np.testing.assert_array_equal(outcome.arrays["recorded"], 2 * VECTOR)
    finally:
        fresh.worker.close()


def test_what_student_code_prints_reaches_nobody(
    grader: Grader, hand: Hand, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither our stdout or stderr nor the staff's log gets a byte of it."""
    logged = grader.log.read_text()
    assert hand.value("writes_to_stdout") == "written"
    hand.worker.close()
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
    assert grader.log.read_text() == logged


def test_a_worker_sees_none_of_the_zygotes_descriptors(hand: Hand) -> None:
    """Three times /dev/null and its own connection: no control socket, no log, no file of ours."""
    found: dict[str, str] = hand.value("descriptors")
    assert [found.pop(n) for n in ("0", "1", "2")] == ["null"] * 3
    assert list(found.values()) == ["socket"]


def test_a_worker_leads_a_session_of_its_own(hand: Hand) -> None:
    """Its session and group are its own, and what it writes nobody else can read."""
    pid, session, group, umask = hand.value("session")
    assert pid == session == group == hand.pid
    assert umask == 0o077


def test_the_limits_of_a_worker_are_set(hand: Hand) -> None:
    """Soft and hard: 200 s of CPU, 1.5 GB of data, 8 GB of addresses, no core files."""
    limits = hand.value("limits")
    wanted = {"CORE": 0, "CPU": 200, "DATA": 1_500_000_000, "AS": 8_000_000_000}
    for name, most in {**wanted, "FSIZE": 16_000_000, "NOFILE": 256}.items():
        soft, hard = limits[name]
        assert soft == hard
        assert 0 <= soft <= most


@pytest.mark.parametrize("function", ["takes_one_great_tensor", "takes_ever_more_memory"])
def test_a_memory_bomb_is_an_error_in_its_worker(grader: Grader, hand: Hand, function: str) -> None:
    """More than RLIMIT_DATA allows is refused, and the same worker goes on."""
    outcome = hand.call(function)
    assert outcome.ending is Ending.RAISED
    assert outcome.error is not None
    assert outcome.error.type in {"MemoryError", "RuntimeError"}
    assert hand.call("forty_two").ending is Ending.RETURNED
    assert is_alive_and_well(grader)


@pytest.mark.parametrize("function", ["writes_a_huge_file", "opens_endlessly"])
def test_files_without_end_are_an_error_in_their_worker(hand: Hand, function: str) -> None:
    """A huge file and too many open ones raise OSError in student code."""
    outcome = hand.call(function)
    assert outcome.error is not None
    assert outcome.error.type == "OSError"


def test_the_same_seed_gives_the_same_numbers(grader: Grader) -> None:
    """torch, numpy and random start from the call's seed, whichever worker serves it."""
    first, second = Hand(grader), Hand(grader)
    try:
        drawn = first.value("draws", seed=7)
        assert first.value("draws", seed=7) == drawn
        assert second.value("draws", seed=7) == drawn
        other = second.value("draws", seed=8)
    finally:
        first.worker.close()
        second.worker.close()
    for source, numbers in drawn.items():
        assert other[source] != numbers
        assert len(set(numbers)) == 3


def test_a_worker_has_one_thread(hand: Hand) -> None:
    """Sums come out the same every time, and two workers share two cores."""
    assert hand.value("threads") == [1, "1"]
