"""A separate user for every worker: it cannot touch others' files, processes or memory.

Needs root. With one user for all, workers could read and kill each other, so every worker gets an
unused user id that no account of the machine has.
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
# Time for the child that kills; it makes two system calls.
_KILLER_S = 0.5


def why_not() -> str:
    """Return why workers cannot have separate users here, or ""."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "not started as root"
    return tried((Path(sys.executable), Path(os.__file__), *map(Path, sys.path)))


def tried(paths: Iterable[Path]) -> str:
    """Become another user in a child and test access from there.

    Args:
        paths: files and folders that a worker needs; missing ones are ignored.

    Returns:
        The reason why a worker could not run as another user, or "".
    """
    existing = [path.absolute() for path in paths if path.exists()]
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, _seen_by(reserve().uid, existing).encode()[:4000])
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        reason = pipe.read().decode(errors="replace")
    os.waitpid(pid, 0)
    return reason


def _seen_by(uid: int, paths: Iterable[Path]) -> str:
    """Become a user for good; return what would keep its worker from running, or ""."""
    try:
        become(uid)
    except OSError as error:  # root in a container that was started without CAP_SETUID
        return f"root may not become another user here ({error.strerror})"
    for path in paths:
        # Not resolved: the path may pass through a link in a closed folder.
        for folder in reversed(path.parents):
            if not os.access(folder, os.X_OK):
                return (
                    f"other users cannot enter {folder}, which contains the interpreter or packages"
                )
        if not os.access(path, os.R_OK):
            return f"other users cannot read {path}"
    return ""


class Reservation:
    """A user id that no other grader of the machine uses, until `release`.

    Two graders with the same id would kill each other's workers.
    """

    def __init__(self, uid: int, hold: socket.socket) -> None:
        self.uid = uid
        self._hold = hold

    def release(self) -> None:
        """Free the id."""
        self._hold.close()


def reserve() -> Reservation:
    """Return a random user id that no account and no other grader has.

    A bound abstract socket reserves it; the kernel frees that when the process ends.
    """
    while True:
        uid = _FIRST + secrets.randbelow(_LAST - _FIRST + 1)
        hold = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            hold.bind(f"\0autograder-worker-{uid}")
        except OSError:
            hold.close()
            continue
        if _is_account(uid) or has_processes(uid):  # of a grader in another network namespace
            hold.close()
            continue
        return Reservation(uid, hold)


def become(uid: int) -> None:
    """Change to a user id, and to the group with the same number, for good."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def kill_all(uid: int, reap: Callable[[], object], give_up_s: float = 5.0) -> None:
    """Kill every process of a worker's user, in any session.

    One kill(-1) reaches all of them at once, which even a fork bomb cannot outrun. It is repeated
    until none is left.

    Args:
        uid: the user.
        reap: called after each round; must reap the caller's dead children, which would count
            against the machine's limits.
        give_up_s: the longest time to try.
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
    """Reap the child that kills; end it if its targets have stopped it."""
    until = time.monotonic() + _KILLER_S
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return
        time.sleep(0.001)


def has_processes(uid: int) -> bool:
    """Whether any process of a user still runs; zombies do not count."""
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            try:
                if entry.stat().st_uid == uid and not _is_dead(entry.path):
                    return True
            except OSError:  # it has just ended
                continue
    return False


def _is_dead(process: str) -> bool:
    """Whether the process with this folder in /proc is a zombie."""
    with open(f"{process}/stat", "rb") as file:
        # The name in brackets may contain brackets.
        return file.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")


def _is_account(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
