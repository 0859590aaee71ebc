"""The environment of a worker: limits, descriptors, folders, imports."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import psutil
import pytest

from autograder.engine.judge.calls import Ending
from tests.engine.sandbox.workers.kit import VECTOR, Grader, Hand, is_alive_and_well, open_folder


def test_nothing_of_the_callers_environment_reaches_a_worker(hand: Hand) -> None:
    """No variable of ours is in its environment, now or at its start."""
    now, inherited = hand.value("environment"), psutil.Process(hand.pid).environ()
    expected = {"PATH", "LANG", "HOME", "TMPDIR", "OMP_NUM_THREADS", "MKL_NUM_THREADS"}
    expected |= {"OMP_THREAD_LIMIT", "PYTHONHASHSEED", "CUDA_VISIBLE_DEVICES", "GLIBC_TUNABLES"}
    expected |= {"OPENBLAS_NUM_THREADS", "MPLBACKEND", "MPLCONFIGDIR", "TORCHDYNAMO_DISABLE"}
    # torch and the C library may add a few of their own while they are imported, here as there.
    ours = {*os.environ, "CANARY"} - {"TORCHINDUCTOR_CACHE_DIR"}
    assert not (set(now) - expected) & ours
    assert set(inherited) == expected
    for text in (*now.values(), *inherited.values()):
        assert "/a/path/of/ours" not in text
    assert now["OMP_NUM_THREADS"] == inherited["OMP_NUM_THREADS"] == "1"


def test_modules_are_imported_before_workers_are_forked(
    submission: Path,
) -> None:
    """Failed imports do no harm; figures need no screen and find their fonts."""
    modules = ("no_such_module", "sklearn.nope", "matplotlib.pyplot")
    with open_folder() as folder:
        grader = Grader(submission, folder, modules=modules)
        hand = Hand(grader)
        try:
            loaded = hand.call("loaded", module="imports_late")
            assert loaded.values["value"] == ["matplotlib.pyplot"]
            plotted = hand.call("plots", VECTOR, module="imports_late")
            assert plotted.ending is Ending.RETURNED, plotted
            assert list(folder.glob("workers/matplotlib/fontlist-*.json"))
            assert "started a thread" not in grader.log.read_text()
        finally:
            hand.worker.close()
            grader.close()


def test_every_worker_is_a_fresh_process(grader: Grader) -> None:
    """Globals live as long as their worker."""
    first, second = Hand(grader), Hand(grader)
    try:
        assert [first.value("counts")["calls"] for _ in range(2)] == [1, 2]
        assert second.value("counts")["calls"] == 1
        assert first.value("counts")["pid"] != second.value("counts")["pid"]
    finally:
        first.worker.close()
        second.worker.close()


def test_a_worker_damages_only_itself(grader: Grader, hand: Hand) -> None:
    """The next worker has no changed dtype, patched torch or broken json."""
    hand.call("spoils_everything", limit_s=2.0)
    fresh = Hand(grader)
    try:
        assert fresh.value("counts")["dtype"] == "torch.float32"
        outcome = fresh.call("double", VECTOR)
        np.testing.assert_array_equal(outcome.arrays["recorded"], 2 * VECTOR)
    finally:
        fresh.worker.close()


def test_output_of_student_code_is_discarded(
    grader: Grader, hand: Hand, capfd: pytest.CaptureFixture[str]
) -> None:
    """It reaches neither our stdout and stderr nor the staff's log."""
    logged = grader.log.read_text()
    assert hand.value("writes_to_stdout") == "written"
    hand.worker.close()
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
    assert grader.log.read_text() == logged


def test_a_worker_sees_none_of_the_zygotes_descriptors(hand: Hand) -> None:
    """It has /dev/null three times and its connection: no control socket, no log, no other file."""
    descriptors: dict[str, str] = hand.value("descriptors")
    assert [descriptors.pop(n) for n in ("0", "1", "2")] == ["null"] * 3
    assert list(descriptors.values()) == ["socket"]


def test_a_worker_leads_a_new_session(hand: Hand) -> None:
    """Its session and group are new, and others cannot read its files."""
    pid, session, group, umask = hand.value("session")
    assert pid == session == group == hand.pid
    assert umask == 0o077


def test_the_limits_of_a_worker_are_set(hand: Hand) -> None:
    """Soft and hard limits; on a slow machine more than 200 s of CPU."""
    limits = hand.value("limits")
    expected = {"CORE": 0, "CPU": 8 * 200, "DATA": 1_500_000_000, "AS": 8_000_000_000}
    for name, most in {**expected, "FSIZE": 16_000_000, "NOFILE": 256}.items():
        soft, hard = limits[name]
        assert soft == hard
        assert 0 <= soft <= most


@pytest.mark.parametrize("function", ["takes_one_great_tensor", "takes_ever_more_memory"])
def test_a_memory_bomb_is_an_error_in_its_worker(grader: Grader, hand: Hand, function: str) -> None:
    """Memory over RLIMIT_DATA is refused, and the same worker continues."""
    outcome = hand.call(function)
    assert outcome.ending is Ending.RAISED
    assert outcome.error is not None
    assert outcome.error.type in {"MemoryError", "RuntimeError"}
    assert hand.call("forty_two").ending is Ending.RETURNED
    assert is_alive_and_well(grader)


@pytest.mark.parametrize("function", ["writes_a_huge_file", "opens_endlessly"])
def test_too_many_or_too_large_files_are_an_error_in_the_worker(hand: Hand, function: str) -> None:
    """A huge file and too many open ones raise OSError in student code."""
    outcome = hand.call(function)
    assert outcome.error is not None
    assert outcome.error.type == "OSError"


def test_the_same_seed_gives_the_same_numbers(grader: Grader) -> None:
    """torch, numpy and random start from the call's seed, in any worker."""
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
    """So sums are always the same, and two workers share two cores."""
    assert hand.value("threads") == [1, "1"]
