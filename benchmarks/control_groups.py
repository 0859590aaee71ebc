"""Control groups: run a process under limits on CPU and memory, and read the kernel's account.

    with limited(cpu=0.5, memory_bytes=768 * 2**20) as group:
        group.start(["./run_autograder", "reference"]).wait()
        print(group.account().peak_bytes)

Works with version 1 (a folder for each controller) and with version 2 (one tree). It needs a
writable control-group file system, so in practice root. Without one it raises `NoControlGroups`.
Limits are never imitated by other means.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEFAULT_ROOT = Path("/sys/fs/cgroup")
_PERIOD_US = 100_000  # Docker's default
_REMOVE_WITHIN_S = 10.0
_numbers = itertools.count(1)

# Move the shell into the groups, then become the command: it never runs outside them.
_ENTER = 'while [ "$1" != -- ]; do echo $$ >"$1" || exit 125; shift; done; shift; exec "$@"'


class NoControlGroups(Exception):
    """Control groups cannot be made here; the text says why."""


@dataclass(frozen=True)
class Account:
    """The kernel's account of all processes that ran in a group.

    Args:
        peak_bytes: the most memory in use at one time, page cache included; None where the kernel
            does not keep it (version 2 before Linux 5.19).
        cpu_s: user and system time.
        killed_for_memory: how many processes the kernel killed because the limit was reached.
    """

    peak_bytes: int | None
    cpu_s: float
    killed_for_memory: int


@dataclass(frozen=True)
class Group:
    """A control group: one folder in version 2, one for each controller in version 1."""

    folders: Mapping[str, Path]
    version: int

    def start(self, command: Sequence[str | Path], **options: Any) -> subprocess.Popen[bytes]:
        """Start a process in the group; its children stay in it.

        Args:
            command: the command line.
            options: those of `subprocess.Popen`.
        """
        doors = [str(folder / "cgroup.procs") for folder in dict.fromkeys(self.folders.values())]
        words = [str(word) for word in command]
        return subprocess.Popen(["/bin/sh", "-c", _ENTER, "sh", *doors, "--", *words], **options)

    def account(self) -> Account:
        """Read the kernel's account so far."""
        memory = self.folders["memory"]
        if self.version == 1:
            return Account(
                peak_bytes=int(_read(memory / "memory.max_usage_in_bytes")),
                cpu_s=int(_read(self.folders["cpuacct"] / "cpuacct.usage")) / 1e9,
                killed_for_memory=_fields(memory / "memory.oom_control").get("oom_kill", 0),
            )
        peak = memory / "memory.peak"
        return Account(
            peak_bytes=int(_read(peak)) if peak.exists() else None,
            cpu_s=_fields(memory / "cpu.stat")["usage_usec"] / 1e6,
            killed_for_memory=_fields(memory / "memory.events").get("oom_kill", 0),
        )


@contextlib.contextmanager
def limited(
    cpu: float | None = None, memory_bytes: int | None = None, *, root: Path = DEFAULT_ROOT
) -> Iterator[Group]:
    """Make a control group; on the way out, end what still runs in it and remove it.

    Args:
        cpu: how many processors it may use, such as 0.5; None for no limit.
        memory_bytes: how much memory it may use, without swap; None for no limit.
        root: where control groups are mounted.

    Raises:
        NoControlGroups: it cannot be made here.
    """
    version = _version(root)
    name = f"grading-{os.getpid()}-{next(_numbers)}"
    folders: dict[str, Path] = {}
    try:
        try:
            _make(folders, version, root, name, with_cpu=cpu is not None)
            group = Group(folders, version)
            _limit(group, cpu, memory_bytes)
        except OSError as error:
            raise NoControlGroups(f"{error.filename}: {error.strerror}") from error
        yield group
    finally:
        _remove(list(dict.fromkeys(folders.values())))


def why_not(root: Path = DEFAULT_ROOT) -> str:
    """Say why control groups with limits cannot be made here, or ""."""
    try:
        with limited(cpu=1.0, memory_bytes=2**30, root=root):
            return ""
    except NoControlGroups as error:
        return str(error)


def _version(root: Path) -> int:
    if (root / "cgroup.controllers").is_file():
        return 2
    if (root / "memory").is_dir() and (root / "cpu").is_dir() and (root / "cpuacct").is_dir():
        return 1
    raise NoControlGroups(f"{root} holds control groups of neither version 1 nor version 2")


def _make(folders: dict[str, Path], version: int, root: Path, name: str, *, with_cpu: bool) -> None:
    """Make the folders of a group, and note each one that was made."""
    if version == 1:
        # A group without a CPU limit stays out of that controller: being a group of its own there
        # would change its share of a busy machine.
        for controller in ("memory", "cpuacct", *(["cpu"] if with_cpu else [])):
            folder = (root / controller).resolve() / name  # cpu and cpuacct may be one folder
            if folder not in folders.values():
                folder.mkdir()
            folders[controller] = folder
        return
    wanted = ["memory", *(["cpu"] if with_cpu else [])]
    offered = _read(root / "cgroup.controllers").split()
    if missing := [each for each in wanted if each not in offered]:
        raise NoControlGroups(
            f"{root / 'cgroup.controllers'} does not offer {' and '.join(missing)}"
        )
    handed_down = root / "cgroup.subtree_control"
    switched_on = _read(handed_down).split()
    if new := [f"+{each}" for each in wanted if each not in switched_on]:
        _write(handed_down, " ".join(new))
    folder = root / name
    folder.mkdir()
    folders.update(dict.fromkeys(wanted, folder))


def _limit(group: Group, cpu: float | None, memory_bytes: int | None) -> None:
    if memory_bytes is not None:
        memory = group.folders["memory"]
        names = (
            # In this order: the limit with swap may not be below the one without.
            ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
            if group.version == 1
            else ("memory.max", "memory.swap.max")
        )
        _write(memory / names[0], str(memory_bytes))
        if (memory / names[1]).exists():  # a kernel may be built without an account of swap
            _write(memory / names[1], str(memory_bytes if group.version == 1 else 0))
    if cpu is not None:
        quota = round(cpu * _PERIOD_US)
        if group.version == 1:
            _write(group.folders["cpu"] / "cpu.cfs_period_us", str(_PERIOD_US))
            _write(group.folders["cpu"] / "cpu.cfs_quota_us", str(quota))
        else:
            _write(group.folders["cpu"] / "cpu.max", f"{quota} {_PERIOD_US}")


def _remove(folders: Sequence[Path]) -> None:
    """End what still runs in the folders and remove them.

    Raises:
        OSError: a folder cannot be removed, ten seconds after its processes were killed.
    """
    until = time.monotonic() + _REMOVE_WITHIN_S
    for folder in folders:
        while True:
            for pid in _members(folder):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            try:
                _remove_folder(folder)
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)


def _members(folder: Path) -> list[int]:
    try:
        return [int(line) for line in _read(folder / "cgroup.procs").split()]
    except FileNotFoundError:
        return []


def _remove_folder(folder: Path) -> None:
    folder.rmdir()  # the kernel takes the control files away with it


def _fields(path: Path) -> dict[str, int]:
    """Read a file of lines `name number`."""
    lines = [line.split() for line in _read(path).splitlines()]
    return {words[0]: int(words[1]) for words in lines if len(words) == 2}


def _read(path: Path) -> str:
    return path.read_text(encoding="ascii")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="ascii")
