"""What a worker may use: its own session, rlimits, a scrubbed environment; and how it is ended.

The layers that need a kernel's help beyond that (uid, Landlock, seccomp) have their place here
too: `confine_self` runs in the worker after the fork and before any line of student code.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class ResourceLimits:
    """Limits of one worker. AS is a backstop: the CUDA build of torch maps 3 GB by import alone."""

    cpu_s: int = 120
    data_bytes: int = 1_500_000_000
    address_space_bytes: int = 8_000_000_000
    file_bytes: int = 16_000_000
    open_files: int = 256


def scrubbed_environment(temporary: Path) -> dict[str, str]:
    """The whole environment of the zygote and its workers: nothing of the caller's goes in."""
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
        # One thread each: two workers share two cores, and sums come out the same every time.
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "CUDA_VISIBLE_DEVICES": "",
    }


def become_subreaper() -> None:
    """Let orphans of this process's descendants become its children, so that it can end them."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the process that started it dies."""
    parent = os.getppid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def private_folder(temporary: Path) -> Path:
    """Make a new folder for one worker to live in."""
    return Path(tempfile.mkdtemp(prefix="worker-", dir=temporary))


def confine_self(limits: ResourceLimits, folder: Path) -> None:
    """Confine the calling process for good. Runs in a fresh worker before student code.

    Args:
        limits: the rlimits to set.
        folder: this worker's private working folder.

    Raises:
        OSError: a limit could not be set; the worker must not go on.
    """
    os.setsid()
    die_with_parent()
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    for what, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_DATA, limits.data_bytes),
        (resource.RLIMIT_AS, limits.address_space_bytes),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
    ):
        _lower(what, value)
    os.environ["TMPDIR"] = os.environ["HOME"] = str(folder)
    tempfile.tempdir = None  # forget the zygote's
    os.chdir(folder)


def keep_only(descriptors: Iterable[int]) -> None:
    """Close every file descriptor but these; stdin, stdout and stderr become /dev/null."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    kept = sorted({0, 1, 2, *descriptors})
    for low, high in zip(kept, [*kept[1:], _highest_descriptor() + 1], strict=True):
        os.closerange(low + 1, high)


def end_session(pid: int) -> None:
    """Kill the session of a worker and reap it. Never raises for a process that is gone."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def end_orphans(known: Iterable[int]) -> int:
    """Kill and reap the children of this process that are not `known`; return how many.

    With `become_subreaper`, a process that left its worker's session (a daemon that forked twice)
    becomes our child as soon as its parent dies: whatever is a child and unknown is such a one.
    """
    keep = set(known)
    killed = 0
    give_up = time.monotonic() + 2.0
    while time.monotonic() < give_up:
        strangers = [pid for pid in children() if pid not in keep]
        if not strangers:
            break
        for pid in strangers:
            end_session(pid)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
            killed += 1
    return killed


def children() -> list[int]:
    """Return the children of this process's main thread (empty where /proc cannot tell)."""
    pid = os.getpid()
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:  # not Linux, or a kernel without CONFIG_PROC_CHILDREN
        return []
    return [int(word) for word in text.split()]


def _lower(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(what, (value, value))


def _highest_descriptor() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(soft, 1 << 20) if soft != resource.RLIM_INFINITY else 1 << 16


def _prctl(option: int, argument: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, argument, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
