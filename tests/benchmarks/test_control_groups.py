"""Control groups of both versions: on a made-up tree, and with real ones where root may."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import control_groups
from benchmarks.control_groups import Account, Group, NoControlGroups, limited, why_not

MIB = 2**20
_WHY_NOT = why_not()
real = pytest.mark.skipif(bool(_WHY_NOT), reason=f"no control groups here: {_WHY_NOT}")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to lay control groups out in; its files go with a folder, as the kernel's do."""
    monkeypatch.setattr(control_groups, "_remove_folder", shutil.rmtree)
    root = tmp_path / "cgroup"
    root.mkdir()
    return root


def version_1(root: Path, *, joined: bool = False) -> Path:
    """Lay out version 1; `joined` as most distributions do, with one folder for CPU matters."""
    (root / "memory").mkdir()
    if joined:
        (root / "cpu,cpuacct").mkdir()
        (root / "cpu").symlink_to("cpu,cpuacct")
        (root / "cpuacct").symlink_to("cpu,cpuacct")
    else:
        (root / "cpu").mkdir()
        (root / "cpuacct").mkdir()
    return root


def version_2(root: Path, controllers: str = "cpuset cpu io memory pids") -> Path:
    """Lay out version 2, with nothing handed down yet."""
    (root / "cgroup.controllers").write_text(controllers + "\n")
    (root / "cgroup.subtree_control").write_text("\n")
    return root


def files(folder: Path) -> dict[str, str]:
    """What was written into a group's folder."""
    return {path.name: path.read_text() for path in folder.iterdir()}


def folders(root: Path) -> list[str]:
    """The groups that are left in a tree."""
    return [path.name for path in root.rglob("grading-*")]


@pytest.mark.parametrize("joined", [False, True])
def test_version_1_writes_each_limit_into_its_controller(tree: Path, joined: bool) -> None:
    """Half a processor is half of the period; the folders are gone afterwards."""
    with limited(cpu=0.5, memory_bytes=768 * MIB, root=version_1(tree, joined=joined)) as group:
        assert files(group.folders["memory"])["memory.limit_in_bytes"] == str(768 * MIB)
        cpu = files(group.folders["cpu"])
        assert (cpu["cpu.cfs_quota_us"], cpu["cpu.cfs_period_us"]) == ("50000", "100000")
        assert (group.folders["cpu"] == group.folders["cpuacct"]) is joined
    assert folders(tree) == []


def test_version_1_reads_the_account(tree: Path) -> None:
    """Peak, CPU time and kills, each from its own file and in its own unit."""
    with limited(memory_bytes=MIB, root=version_1(tree)) as group:
        memory = group.folders["memory"]
        (memory / "memory.max_usage_in_bytes").write_text("123456\n")
        (memory / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
        (group.folders["cpuacct"] / "cpuacct.usage").write_text("2500000000\n")
        assert group.account() == Account(123456, 2.5, 2)


def test_version_1_without_a_cpu_limit_leaves_that_controller_alone(tree: Path) -> None:
    """A group of its own would have another share of a busy machine."""
    with limited(memory_bytes=MIB, root=version_1(tree)) as group:
        assert set(group.folders) == {"memory", "cpuacct"}
        assert list((tree / "cpu").iterdir()) == []


def test_version_1_limits_swap_with_the_memory_where_the_kernel_counts_it(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that the kernel does not offer is not written."""
    make = Path.mkdir

    def with_swap(path: Path) -> None:
        make(path)
        if path.parent.name == "memory":
            (path / "memory.memsw.limit_in_bytes").write_text("-1\n")

    root = version_1(tree)
    with limited(memory_bytes=MIB, root=root) as group:
        assert "memory.memsw.limit_in_bytes" not in files(group.folders["memory"])
    monkeypatch.setattr(Path, "mkdir", with_swap)
    with limited(memory_bytes=MIB, root=root) as group:
        assert files(group.folders["memory"])["memory.memsw.limit_in_bytes"] == str(MIB)


def test_version_2_hands_the_controllers_down_and_writes_the_limits(tree: Path) -> None:
    """One folder; quota and period share a file."""
    with limited(cpu=0.5, memory_bytes=768 * MIB, root=version_2(tree)) as group:
        assert (tree / "cgroup.subtree_control").read_text() == "+memory +cpu"
        folder = group.folders["memory"]
        assert folder == group.folders["cpu"]
        assert files(folder) == {"memory.max": str(768 * MIB), "cpu.max": "50000 100000"}
    assert folders(tree) == []


def test_version_2_reads_the_account(tree: Path) -> None:
    """An older kernel keeps no peak: then there is none, not 0."""
    with limited(memory_bytes=MIB, root=version_2(tree)) as group:
        folder = group.folders["memory"]
        (folder / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 2000000\n")
        (folder / "memory.events").write_text("low 0\noom 3\noom_kill 1\noom_group_kill 0\n")
        assert group.account() == Account(None, 2.5, 1)
        (folder / "memory.peak").write_text("123456\n")
        assert group.account() == Account(123456, 2.5, 1)


def test_version_2_without_a_controller_says_which(tree: Path) -> None:
    """Such as a container that was given no CPU controller."""
    version_2(tree, "memory pids")
    with pytest.raises(NoControlGroups, match="does not offer cpu"), limited(cpu=1.0, root=tree):
        pass
    assert folders(tree) == []


def test_a_tree_of_neither_version_is_refused(tree: Path) -> None:
    """The text names the folder that was looked at."""
    assert "neither version 1 nor version 2" in why_not(tree)


def test_a_limit_that_cannot_be_written_leaves_nothing_behind(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is the file and the kernel's own word."""

    def refuse(path: Path, text: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(control_groups, "_write", refuse)
    with (
        pytest.raises(NoControlGroups, match=r"memory\.limit_in_bytes: Permission denied"),
        limited(memory_bytes=MIB, root=version_1(tree)),
    ):
        pass
    assert folders(tree) == []


def test_a_started_process_enters_every_folder_before_it_runs(tree: Path) -> None:
    """It writes its own number, and the command sees it there."""
    with limited(cpu=1.0, root=version_1(tree)) as group:
        doors = [folder / "cgroup.procs" for folder in group.folders.values()]
        command: list[str | Path] = ["/bin/sh", "-c", 'echo $$; cat "$@"', "sh", *doors]
        process = group.start(command, stdout=subprocess.PIPE)
        printed = process.communicate()[0].decode().split()
        assert printed == [str(process.pid)] * 4
        for door in doors:
            door.unlink()  # it has ended: the kernel would have taken it out


@real
def test_a_real_group_kills_at_its_limit_and_counts() -> None:
    """Memory beyond the limit is never given, and what was killed is counted."""
    with limited(memory_bytes=64 * MIB) as group:
        hog = [sys.executable, "-S", "-c", "bytearray(256 * 2**20)"]
        assert group.start(hog, stderr=subprocess.DEVNULL).wait() == -9
        account = group.account()
    assert account.killed_for_memory == 1
    assert account.peak_bytes is None or 32 * MIB < account.peak_bytes <= 65 * MIB


@real
def test_a_real_group_holds_a_loop_to_its_share() -> None:
    """A quarter of a processor: whatever the machine does, no more CPU time than that."""
    loop = "import time; t = time.monotonic()\nwhile time.monotonic() < t + 1.5: pass"
    with limited(cpu=0.25) as group:
        started = time.monotonic()
        assert group.start([sys.executable, "-S", "-c", loop]).wait() == 0
        took_s = time.monotonic() - started
        used_s = group.account().cpu_s
    # The kernel fills the quota every 0.1 s: one slice more than the share is possible.
    assert 0 < used_s < 0.25 * (took_s + 0.2)


@real
def test_a_real_group_is_removed_with_what_runs_in_it() -> None:
    """Also when what uses it is interrupted."""
    started: list[Group | subprocess.Popen[bytes]] = []

    def interrupted() -> None:
        with limited(memory_bytes=64 * MIB) as group:
            started.append(group)
            command = ["/bin/sh", "-c", "echo inside; exec sleep 60"]
            process = group.start(command, stdout=subprocess.PIPE)
            started.append(process)
            assert process.stdout is not None
            process.stdout.readline()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    group, process = started
    assert isinstance(process, subprocess.Popen)
    assert process.wait() == -9
    assert isinstance(group, Group)
    assert not any(folder.exists() for folder in group.folders.values())
