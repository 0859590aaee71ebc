"""A user of its own for every worker: nobody else's files, processes or memory.

Only root can do this. With one user for all workers, siblings could read and kill each other; so
every worker gets a fresh number that no account of the machine has.
"""

from __future__ import annotations

import os
import pwd
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

_FIRST, _LAST = 20_000, 59_999
# How long the child that kills may take: it makes two system calls.
_KILLER_S = 0.5


def why_not() -> str:
    """Why workers cannot have users of their own here, or "" when they can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "not started as root"
    return tried((Path(sys.executable), Path(os.__file__), *map(Path, sys.path)))


def tried(paths: Iterable[Path]) -> str:
    """Become another user in a child, and look from there.

    Args:
        paths: what a worker must be able to reach; those that are not there do not count.

    Returns:
        why it cannot be done, or "".
    """
    there = [path.absolute() for path in paths if path.exists()]
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, _seen_by(reserve().uid, there).encode()[:4000])
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read().decode(errors="replace")
    os.waitpid(pid, 0)
    return told


def _seen_by(uid: int, paths: Iterable[Path]) -> str:
    """Become a user for good; return what keeps a worker of that user from working, or ""."""
    try:
        become(uid)
    except OSError as error:  # root in a container that was started without CAP_SETUID
        return f"root may not become another user here ({error.strerror})"
    for path in paths:
        # Every folder on the way as it is written: a link may lead through a closed one.
        for folder in reversed(path.parents):
            if not os.access(folder, os.X_OK):
                return (
                    f"other users cannot enter {folder}, where the interpreter or its packages are"
                )
        if not os.access(path, os.R_OK):
            return f"other users cannot read {path}"
    return ""


class Reservation:
    """A user id that is this process's alone, among all graders of the machine, until `release`.

    Two graders that gave their workers the same number would end each other's.
    """

    def __init__(self, uid: int, hold: socket.socket) -> None:
        self.uid = uid
        self._hold = hold

    def release(self) -> None:
        """Let others have the number."""
        self._hold.close()


def reserve() -> Reservation:
    """Return a random user id that no account has and no other grader holds.

    The number is held by the name of a socket: whoever comes second cannot bind it, and it is free
    again when its holder ends, however that happens.
    """
    while True:
        uid = _FIRST + secrets.randbelow(_LAST - _FIRST + 1)
        hold = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            hold.bind(f"\0autograder-worker-{uid}")
        except OSError:
            hold.close()
            continue
        if _is_account(uid) or has_processes(uid):  # of a grader with a network of its own
            hold.close()
            continue
        return Reservation(uid, hold)


def become(uid: int) -> None:
    """Take on a user id, and the group of the same number, for good."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def kill_all(uid: int, reap: Callable[[], object], give_up_s: float = 5.0) -> None:
    """Kill every process of a worker's user, whatever session it fled to.

    One kill(-1) reaches all of them at once, so that not even a fork bomb outruns it; it is sent
    again until none is left.

    Args:
        uid: the user.
        reap: called between two rounds; must collect the dead among the caller's children, so that
            they do not count against the machine's limits.
        give_up_s: how long to go on at the most.
    """
    deadline = time.monotonic() + give_up_s
    while has_processes(uid) and time.monotonic() < deadline:
        pid = os.fork()
        if pid == 0:
            try:
                become(uid)
                os.kill(-1, signal.SIGKILL)
            finally:
                os._exit(0)
        _await(pid)
        reap()


def _await(pid: int) -> None:
    """Reap the child that kills. What it is to kill may have stopped it: then it is ended."""
    until = time.monotonic() + _KILLER_S
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return
        time.sleep(0.001)


def has_processes(uid: int) -> bool:
    """Whether any process of a user still runs; one that is dead and not yet reaped does not."""
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            try:
                if entry.stat().st_uid == uid and not _is_dead(entry.path):
                    return True
            except OSError:  # it ended while we looked
                continue
    return False


def _is_dead(process: str) -> bool:
    """Whether a process, given by its folder in /proc, is a zombie."""
    with open(f"{process}/stat", "rb") as file:
        # The name in brackets may hold anything, brackets too.
        return file.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")


def _is_account(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
