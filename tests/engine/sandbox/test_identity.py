"""Separate users for workers: whether they are available, and the reason if not."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.engine.sandbox import identity, landlock

ROOT = Path(__file__).resolve().parents[3]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users can enter."""
    with tempfile.TemporaryDirectory(prefix="test-identity-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@needs_root
def test_paths_that_other_users_can_reach_give_no_reason(folder: Path) -> None:
    """A readable file in an open folder does not matter, nor does a missing file."""
    (folder / "python").touch(mode=0o755)
    assert identity.tried((folder / "python", folder / "python311.zip")) == ""


@needs_root
def test_a_closed_folder_is_named(folder: Path) -> None:
    """A home folder of mode 0700 with an interpreter in it."""
    (folder / "home" / "bin").mkdir(parents=True)
    (folder / "home" / "bin" / "python").touch()
    (folder / "home").chmod(0o700)
    reason = identity.tried((folder / "home" / "bin" / "python",))
    assert reason.startswith(f"other users cannot enter {folder / 'home'}")


@needs_root
def test_a_link_that_leads_through_a_closed_folder_is_named(folder: Path) -> None:
    """The path is open, but the target of the link is not."""
    (folder / "home" / "venv").mkdir(parents=True)
    (folder / "home" / "venv" / "python").touch()
    (folder / "home").chmod(0o700)
    (folder / "open").mkdir()
    (folder / "open" / ".venv").symlink_to(folder / "home" / "venv", target_is_directory=True)
    reason = identity.tried((folder / "open" / ".venv" / "python",))
    assert reason.startswith(f"other users cannot enter {folder / 'open' / '.venv'}")


@needs_root
def test_a_link_that_lies_in_a_closed_folder_is_named(folder: Path) -> None:
    """The target is open, but the link cannot be reached."""
    (folder / "venv").mkdir()
    (folder / "venv" / "python").touch()
    (folder / "home").mkdir()
    (folder / "home" / ".venv").symlink_to(folder / "venv", target_is_directory=True)
    (folder / "home").chmod(0o700)
    reason = identity.tried((folder / "home" / ".venv" / "python",))
    assert reason.startswith(f"other users cannot enter {folder / 'home'}")


@needs_root
def test_a_file_that_others_cannot_read_is_named(folder: Path) -> None:
    """An installation made under a strict umask."""
    (folder / "os.py").touch(mode=0o600)
    assert identity.tried((folder / "os.py",)) == f"other users cannot read {folder / 'os.py'}"


def only_these(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Leave `count` user ids to choose from, all unused by other gradings on the machine."""
    first = identity._LAST + 1 + secrets.randbelow(5_000)
    monkeypatch.setattr(identity, "_FIRST", first)
    monkeypatch.setattr(identity, "_LAST", first + count - 1)


@needs_root
def test_two_graders_never_have_the_same_user_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise one would kill the other's workers. A released id is available again."""
    only_these(monkeypatch, 3)
    held = [identity.reserve() for _ in range(3)]
    assert len({one.uid for one in held}) == 3
    held[1].release()
    assert identity.reserve().uid == held[1].uid


@needs_root
def test_a_user_id_is_free_again_after_its_process_died(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing needs to be cleaned up."""
    only_these(monkeypatch, 1)
    pid = os.fork()
    if pid == 0:
        identity.reserve()
        os._exit(9)
    os.waitpid(pid, 0)
    assert identity.reserve().uid == identity._FIRST


_PROBE = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from autograder.engine.sandbox import confine
if os.geteuid() == 0 and sys.argv[1] == "ordinary":
    os.setgroups([])
    os.setresgid(65000, 65000, 65000)
    os.setresuid(65000, 65000, 65000)
print(confine.Layers.probe().log)
"""


def layers(*, who: str, before: tuple[str, ...] = ()) -> list[str]:
    """The lines about the layers in the staff's log."""
    done = subprocess.run(
        [*before, sys.executable, "-c", _PROBE, who], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_an_ordinary_user_gets_the_consequence() -> None:
    """One line: why workers have no separate users, and what they can reach."""
    line = layers(who="ordinary")[0]
    assert line.startswith("confine: a separate user for each worker: no, not started as root; ")
    assert "crashes and hangs of graded code stay contained" in line
    assert ("Landlock protects your files" in line) == (landlock.version() > 0)


@needs_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv, of util-linux")
def test_root_without_the_right_to_change_users_gets_the_reason() -> None:
    """A container without CAP_SETUID grades anyway, with a line in the log."""
    line = layers(who="root", before=("setpriv", "--bounding-set=-setuid,-setgid"))[0]
    assert line.startswith(
        "confine: a separate user for each worker: no, root may not become another user here "
        "(Operation not permitted); "
    )
