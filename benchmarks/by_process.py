"""The CPU time of a grading by process; `benchmarks/grading.py --by-process` prints it.

The kernel's count of each process is read from /proc every hundredth of a second while the grading
runs. What a process used after it was last read shows as "not seen": the sum of all is exact, for
it is what the kernel reports when the grading has ended.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from autograder.engine.grading.judge_process import RunningJudge, environment
from autograder.engine.grading.supervisor import Request, grade
from autograder.engine.sandbox.isolated import command
from tests.this_homework import THIS

_JUDGE = "benchmarks.naming_judge"
_READ_EVERY_S = 0.01
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
# What runs beside the checks, by the experiment that its worker is asked for.
_BACKGROUND = {
    "train_flow": "flow training",
    "train_gan": "small GANs",
    "on_simulated_gpu": "advice on devices",
}
SUPERVISOR, JUDGE, ZYGOTE = "supervisor", "judge", "zygote (most of it: import torch)"
WORKERS, NOT_SEEN = "workers of the checks", "not seen (short-lived processes)"
KINDS = (SUPERVISOR, JUDGE, ZYGOTE, WORKERS, *_BACKGROUND.values(), NOT_SEEN)


class _NamingJudges:
    """Starts judges that write down which worker is asked for what."""

    kept: frozenset[int] = frozenset()

    def __init__(self, notes: Path) -> None:
        self._notes = notes

    def start(self, job: Path, control_fd: int, log: Path) -> RunningJudge:
        """Start a judge; see `autograder.engine.grading.judge_process.Judges`."""
        with log.open("ab") as sink:
            return subprocess.Popen(
                [*command(sys.executable, _JUDGE), str(job), str(control_fd), str(self._notes)],
                pass_fds=(control_fd,),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd=job.parent,
                env=environment(job.parent),
            )


@dataclass
class _Seen:
    """What was read of the processes of a grading: CPU seconds by pid, and what each is."""

    seconds: dict[int, float] = field(default_factory=dict)
    kinds: dict[int, str] = field(default_factory=dict)

    def look(self, pid: int, kind: str) -> None:
        """Read a process and all below it."""
        with contextlib.suppress(OSError, ValueError, IndexError):  # it has just ended
            self.seconds[pid] = _cpu_s(pid)
            if (
                self.kinds.get(pid) != JUDGE
            ):  # before and after its life it has another command line
                self.kinds[pid] = kind
            for child in _children(pid):
                self.look(child, _kind_below(kind, child))


def _kind_below(kind: str, child: int) -> str:
    """Say what a child of a process is: the supervisor has two, the zygote has workers."""
    if kind != SUPERVISOR:
        return WORKERS if kind == ZYGOTE else kind
    words = Path(f"/proc/{child}/cmdline").read_text(encoding="utf-8", errors="replace")
    return JUDGE if _JUDGE in words.split("\0") else ZYGOTE


def _cpu_s(pid: int) -> float:
    """Return user and system time; the name before them may hold blanks and brackets."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    fields = words.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def _children(pid: int) -> Iterator[int]:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        yield from map(int, (thread / "children").read_text(encoding="ascii").split())


def cpu_by_process(submission: Path) -> dict[str, float]:
    """Grade a submission; return the CPU seconds of each kind of process.

    Raises:
        RuntimeError: the grading failed.
    """
    seen = _Seen()
    with tempfile.TemporaryDirectory(prefix="by-process-") as name:
        notes = Path(name) / "notes"
        notes.touch()
        process = subprocess.Popen(
            [*command(sys.executable, "benchmarks.by_process"), str(submission.resolve()), name]
        )
        ended = 0
        while not ended:
            seen.look(process.pid, SUPERVISOR)
            time.sleep(_READ_EVERY_S)
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f"the grading ended with status {process.returncode}")
        for line in notes.read_text(encoding="utf-8").splitlines():
            worker, experiment = line.split()
            if experiment in _BACKGROUND:
                seen.kinds[int(worker)] = _BACKGROUND[experiment]
    totals = dict.fromkeys(KINDS, 0.0)
    for pid, seconds in seen.seconds.items():
        totals[seen.kinds[pid]] += seconds
    totals[NOT_SEEN] = usage.ru_utime + usage.ru_stime - sum(seen.seconds.values())
    return totals


def _grade(submission: Path, folder: Path) -> None:
    grade(
        Request(
            submission=submission,
            results=folder / "results.json",
            homework=THIS,
        ),
        judges=_NamingJudges(folder / "notes"),
    )


if __name__ == "__main__":
    _grade(Path(sys.argv[1]), Path(sys.argv[2]))
