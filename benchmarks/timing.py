"""Time one command: seconds of wall time and of CPU, of the command and all that it waited for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.control_groups import Group

# The unit: a grading has to import torch once, so no machine can do with less than one.
IMPORT_TORCH = (sys.executable, "-c", "import torch")


@dataclass(frozen=True)
class Timed:
    """A command that has ended: its status, and seconds."""

    status: int
    wall_s: float
    cpu_s: float


def timed(command: Sequence[str | Path], group: Group | None = None, **options: Any) -> Timed:
    """Run a command to its end.

    Args:
        command: the command line.
        group: the control group that it runs in; none is the caller's own.
        options: those of `subprocess.Popen`.
    """
    started = time.monotonic()
    process = (
        subprocess.Popen([str(word) for word in command], **options)
        if group is None
        else group.start(command, **options)
    )
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:  # Ctrl-C among them
        process.terminate()  # a grading ends what it started and writes its results
        process.wait()
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.monotonic() - started
    return Timed(process.returncode, wall_s, usage.ru_utime + usage.ru_stime)
