"""The measurements of a grading: its options, and where its CPU time goes."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

import pytest

from benchmarks import by_process, grading


@pytest.mark.parametrize(
    ("text", "bytes_"), [("768M", 768 * 2**20), ("1g", 2**30), ("4096", 4096), ("2K", 2048)]
)
def test_a_size_is_read_as_docker_reads_it(text: str, bytes_: int) -> None:
    """A number and a letter, in powers of 1024."""
    assert grading.size(text) == bytes_


@pytest.mark.parametrize("text", ["", "M", "1.5G", "768MB", "-1"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """With an example of one."""
    with pytest.raises(argparse.ArgumentTypeError, match="is no size; write for instance 768M"):
        grading.size(text)


def test_cpu_time_of_a_process_is_read_whatever_its_name() -> None:
    """A name with blanks and brackets shifts no field."""
    program = (
        "import ctypes, time\n"
        "ctypes.CDLL(None).prctl(15, b'a) (b c')\n"
        "t = time.process_time()\n"
        "while time.process_time() < t + 0.2: pass\n"
        "print(flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-S", "-c", program], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        assert 0.15 < by_process._cpu_s(process.pid) < 5
        assert process.pid in list(by_process._children(os.getpid()))
    finally:
        process.kill()
        process.wait()


def test_a_process_that_has_ended_is_passed_over() -> None:
    """What was read of it before stays."""
    process = subprocess.Popen([sys.executable, "-S", "-c", "pass"])
    process.wait()
    seen = by_process._Seen({process.pid: 1.5}, {process.pid: by_process.WORKERS})
    seen.look(process.pid, by_process.WORKERS)
    assert seen.seconds == {process.pid: 1.5}


@pytest.mark.e2e
@pytest.mark.slow
def test_the_cpu_time_of_a_grading_is_told_apart() -> None:
    """Every kind of process took some, and together they took what the kernel says."""
    started = time.process_time()
    found = by_process.cpu_by_process(grading.ROOT / "reference")
    assert time.process_time() - started < sum(found.values())  # ours is not in it
    assert tuple(found) == by_process.KINDS
    # The advice takes a few of the kernel's hundredths of a second, on a fast machine perhaps none.
    for kind in set(by_process.KINDS) - {by_process.NOT_SEEN, "advice on devices"}:
        assert found[kind] > 0, (kind, found)
    # Short-lived processes and ends that came between two reads are a small part of the whole.
    assert 0 <= found[by_process.NOT_SEEN] < 0.2 * sum(found.values()), found
