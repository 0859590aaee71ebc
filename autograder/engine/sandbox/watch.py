"""Limits on the sum of a worker's files and processes, and the removal of its files.

An rlimit bounds one file or one process, but a worker may have many. The zygote checks the sums
regularly and ends a worker that exceeds a limit.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

MAX_FILES = 2_000
_MAX_DEPTH = 12
MAX_FILE_BYTES = 128 * 1024 * 1024
# The rlimit of a single process is 1.5 GB.
MAX_MEMORY_BYTES = 2_500_000_000
# Open files that were unlinked are in no folder; they show as lost space.
_LEAST_FREE_BYTES = 512 * 1024 * 1024
# Folders where any user may leave files, unless Landlock prevents it.
_COMMON_FOLDERS = ("/dev/shm", "/dev/mqueue", "/tmp", "/var/tmp")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def excess(folder: Path, free_before: int, memory_bytes: int) -> str:
    """Return which limit a worker exceeds, or "".

    Args:
        folder: its private folder.
        free_before: free bytes on that disk when the worker started.
        memory_bytes: of its user, from `memory_by_user`.
    """
    files, size = _usage(folder)
    if files > MAX_FILES:
        return f"it made more than {MAX_FILES:,} files"
    if size > MAX_FILE_BYTES:
        return f"it wrote more than {MAX_FILE_BYTES // 2**20} MB of files"
    free = free_bytes(folder)
    if free < _LEAST_FREE_BYTES and free_before - free > MAX_FILE_BYTES:
        return "it filled the disk"
    if memory_bytes > MAX_MEMORY_BYTES:
        return f"its processes used more than {MAX_MEMORY_BYTES / 1e9:g} GB of memory together"
    return ""


def free_bytes(folder: Path) -> int:
    """Return the free bytes on a folder's disk; enough if unknown."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return _LEAST_FREE_BYTES
    return disk.f_bavail * disk.f_frsize


def memory_by_user(uids: Collection[int]) -> dict[int, int]:
    """Return the bytes of memory, without files, that the processes of each user take.

    Pages that a process shares with the one it was forked from count for both.
    """
    total = dict.fromkeys(uids, 0)
    if not total:
        return total
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdecimal():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    uid = entry.stat().st_uid
                    if uid in total:
                        words = Path(entry.path, "statm").read_text(encoding="ascii").split()
                        total[uid] += (int(words[1]) - int(words[2])) * _PAGE
    return total


def resident_bytes() -> int:
    """Return the memory of this process with shared pages; 0 if /proc cannot tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    return 0


def remove(folder: Path) -> None:
    """Remove the folder of a worker that has ended, however deep it is."""
    with contextlib.suppress(RecursionError):  # shutil recurses before Python 3.13
        shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                ["/bin/rm", "-rf", "--one-file-system", "--", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=20,
                check=False,
            )


def remove_leftovers(uid: int) -> None:
    """Remove the files of a worker's user from the folders that everyone may write to."""
    for folder in _COMMON_FOLDERS:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_uid != uid:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        remove(Path(entry.path))
                    else:
                        os.unlink(entry.path)


def _usage(folder: Path) -> tuple[int, int]:
    """Count files and their bytes until either exceeds its limit.

    Folders that are nested too deeply count as too many files: no path reaches their contents.
    """
    files, size, folders = 0, 0, [(str(folder), 0)]
    while folders and files <= MAX_FILES and size <= MAX_FILE_BYTES:
        path, depth = folders.pop()
        if depth > _MAX_DEPTH:
            return MAX_FILES + 1, size
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    files += 1
                    if files > MAX_FILES:
                        break
                    if entry.is_dir(follow_symlinks=False):
                        folders.append((entry.path, depth + 1))
                    else:
                        with contextlib.suppress(OSError):
                            size += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return MAX_FILES + 1, size
            continue  # it has just been removed
    return files, size
