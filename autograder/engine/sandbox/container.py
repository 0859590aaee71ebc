"""The container's limits (control groups, v1 and v2) and the kernel's kills for memory.

Read from `/proc` and `/sys/fs/cgroup`; a limit that cannot be read counts as none.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# A grading without background runs: measured with `benchmarks/grading.py --limit-memory`.
_BASE_BYTES = 450 * 2**20
# One background run: the pages it writes to; it shares the others with the zygote.
_RUN_BYTES = 100 * 2**20


@dataclass(frozen=True)
class Container:
    """The resources that this process and its children share.

    Args:
        cpus: processors, at most the machine's; 0.5 is half of one.
        memory_bytes: memory, at most the machine's; infinite if unknown.
    """

    cpus: float
    memory_bytes: float

    @property
    def side_by_side(self) -> int:
        """The number of background runs at a time.

        They gain nothing with one processor or less, and each needs additional memory.
        """
        room = (self.memory_bytes - _BASE_BYTES) / _RUN_BYTES
        return max(0, int(min(self.cpus if self.cpus > 1 else 0, room, 64)))

    def __str__(self) -> str:
        memory = self.memory_bytes
        size = "no limit" if math.isinf(memory) else f"{memory / 2**20:,.0f} MiB"
        return f"processors {self.cpus:g}, memory {size}, side by side {self.side_by_side}"


def container(root: Path = Path("/")) -> Container:
    """Read the limits that hold for this process, from `proc` and `sys` in `root`."""
    cpus = float(_processors())
    total_kib = _number_after(root / "proc/meminfo", "MemTotal:")
    memory = math.inf if total_kib is None else total_kib * 1024.0
    for folder in _folders(root, "cpu"):
        cpus = min(cpus, _quota(folder))
    for folder in _folders(root, "memory"):
        memory = min(memory, _memory_limit(folder))
    return Container(cpus, memory)


def killed_for_memory(root: Path = Path("/")) -> int | None:
    """Return how often the kernel has killed a process of this container for memory.

    Only the difference between two calls is meaningful. None if the kernel does not count.
    """
    for folder in _folders(root, "memory"):
        for file in ("memory.events", "memory.oom_control"):
            count = _number_after(folder / file, "oom_kill")
            if count is not None:
                return count
    return _number_after(root / "proc/vmstat", "oom_kill")


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folder of a controller's control group and all visible folders above it.

    Inside a container the path in /proc may be the host's; then only the mount's top exists.
    """
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers == "":
            mounts: Sequence[str] = ("sys/fs/cgroup", "sys/fs/cgroup/unified")
        elif controller in controllers.split(","):
            mounts = (f"sys/fs/cgroup/{controllers}", f"sys/fs/cgroup/{controller}")
        else:
            continue
        for mount in mounts:
            top = root / mount
            inner = top / path.lstrip("/")
            while inner != top:
                if inner.is_dir():
                    yield inner
                inner = inner.parent
            if top.is_dir():
                yield top


def _quota(folder: Path) -> float:
    """Return a group's processors (cpu.max of v2, cpu.cfs_* of v1)."""
    words = _text(folder / "cpu.max").split()
    if not words:
        words = [_text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    with contextlib.suppress(ValueError, ZeroDivisionError, IndexError):
        quota, period = float(words[0]), float(words[1])
        if quota > 0:
            return quota / period
    return math.inf


def _memory_limit(folder: Path) -> float:
    """Return a group's bytes (memory.max of v2, memory.limit_in_bytes of v1)."""
    for name in ("memory.max", "memory.limit_in_bytes"):
        with contextlib.suppress(ValueError):
            limit = int(_text(folder / name))
            if limit > 0:
                return float(limit)
    return math.inf


def _number_after(path: Path, word: str) -> int | None:
    for line in _text(path).splitlines():
        name, _, rest = line.partition(" ")
        if name == word:
            with contextlib.suppress(ValueError, IndexError):
                return int(rest.split()[0])
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
