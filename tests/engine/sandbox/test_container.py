"""The container's limits, from the files of control groups v1 and v2."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from autograder.engine.sandbox import container as module
from autograder.engine.sandbox.container import Container, container, killed_for_memory

MIB = 2**20


@pytest.fixture(autouse=True)
def four_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine of these tests."""
    monkeypatch.setattr(module, "_processors", lambda: 4)


def tree(root: Path, files: dict[str, str]) -> Path:
    """Write files below a folder that stands for `/`."""
    for name, text in {"proc/meminfo": "MemTotal: 16777216 kB\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_version_2_with_both_limits(tmp_path: Path) -> None:
    """The platform's default container, as a newer kernel shows it."""
    files = {
        "proc/self/cgroup": "0::/job/inner\n",
        "sys/fs/cgroup/job/cpu.max": "50000 100000\n",
        "sys/fs/cgroup/job/memory.max": "805306368\n",
        "sys/fs/cgroup/job/inner/cpu.max": "max 100000\n",
        "sys/fs/cgroup/job/inner/memory.max": "max\n",
    }
    assert container(tree(tmp_path, files)) == Container(0.5, 768 * MIB)


def test_version_1_with_both_limits(tmp_path: Path) -> None:
    """The same on an older kernel; the tightest limit of all parents holds."""
    files = {
        "proc/self/cgroup": "5:memory:/a/b\n4:cpu,cpuacct:/a\n1:name=systemd:/\n",
        "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "150000\n",
        "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "1073741824\n",
    }
    assert container(tree(tmp_path, files)) == Container(1.5, 1024 * MIB)


def test_a_path_of_the_host_is_missing_inside_a_container(tmp_path: Path) -> None:
    """Then the mount's top is the group itself."""
    files = {
        "proc/self/cgroup": "0::/docker/0123\n",
        "sys/fs/cgroup/cpu.max": "100000 100000\n",
        "sys/fs/cgroup/memory.max": "1073741824\n",
    }
    assert container(tree(tmp_path, files)) == Container(1.0, 1024 * MIB)


def test_without_limits_the_machine_is_the_limit(tmp_path: Path) -> None:
    """A quota of -1 is none."""
    files = {
        "proc/self/cgroup": "4:cpu:/\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }
    assert container(tree(tmp_path, files)) == Container(4.0, 16384 * MIB)


def test_limits_that_cannot_be_read_count_as_none(tmp_path: Path) -> None:
    """No /proc, no /sys."""
    assert container(tmp_path) == Container(4.0, math.inf)
    assert killed_for_memory(tmp_path) is None


@pytest.mark.parametrize(
    ("cpus", "mib", "runs"),
    [(0.5, 768, 0), (1.0, 4096, 0), (2.0, 768, 2), (2.0, 600, 1), (2.0, 500, 0), (8.0, 4096, 8)],
)
def test_number_of_background_runs(cpus: float, mib: int, runs: int) -> None:
    """None with one processor; otherwise memory limits it."""
    assert Container(cpus, mib * MIB).side_by_side == runs
    assert Container(cpus, math.inf).side_by_side >= runs


@pytest.mark.parametrize(
    ("files", "kills"),
    [
        (
            {
                "proc/self/cgroup": "0::/a\n",
                "sys/fs/cgroup/a/memory.events": "low 0\noom 4\noom_kill 3\n",
            },
            3,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/a\n",
                "sys/fs/cgroup/memory/a/memory.oom_control": "oom_kill_disable 0\noom_kill 2\n",
            },
            2,
        ),
        ({"proc/vmstat": "nr_free_pages 1\noom_kill 7\n"}, 7),
    ],
    ids=["version 2", "version 1", "the whole machine"],
)
def test_kills_for_memory_are_counted(tmp_path: Path, files: dict[str, str], kills: int) -> None:
    """From the group's counter if it has one, else from the machine's."""
    assert killed_for_memory(tree(tmp_path, files)) == kills
