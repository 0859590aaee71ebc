"""Landlock and seccomp, each tested in a new process."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import types
from pathlib import Path

import pytest

from autograder.engine.sandbox import confine, landlock

ROOT = Path(__file__).resolve().parents[3]
needs_landlock = pytest.mark.skipif(landlock.version() == 0, reason="this kernel has no Landlock")


def under(layer: str, code: str, *arguments: str) -> str:
    """Run code in a process that restricted itself; return its output."""
    program = f"""
import ctypes, os, socket, subprocess, sys, threading
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from autograder.engine.sandbox import landlock, seccomp
readable = tuple(Path(p) for p in (sys.prefix, sys.base_prefix, "/usr/lib", "/lib", "/lib64"))
def outcome(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
    return "allowed"
{layer}
{textwrap.dedent(code)}
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


FILES = "landlock.restrict(landlock.Paths(readable, (Path(sys.argv[1]),)))"
CALLS = "seccomp.restrict()"
HIDES = """
from autograder.engine.sandbox.confine import without
names = without(Path(sys.argv[1]), readable + (Path(sys.argv[2]),))
landlock.restrict(landlock.Paths(names[0], (), names[1]))
"""


@needs_landlock
def test_files_outside_the_named_paths_cannot_be_read_or_written(tmp_path: Path) -> None:
    """A secret next to the private folder cannot be read; the folder can."""
    secret, private = tmp_path / "secret", tmp_path / "private"
    secret.write_text("42", encoding="utf-8")
    private.mkdir()
    code = """
    print(outcome(lambda: open(sys.argv[2]).read()))
    print(outcome(lambda: open(sys.argv[2], "w")))
    print(outcome(lambda: os.listdir("/proc")))
    print(outcome(lambda: open(sys.argv[1] + "/mine", "w").write("x")))
    """
    outcomes = under(FILES, code, str(private), str(secret)).split()
    assert outcomes == ["PermissionError", "PermissionError", "PermissionError", "allowed"]


@needs_landlock
def test_no_program_can_be_started(tmp_path: Path) -> None:
    """Not even one in a readable folder, or one that the process wrote."""
    code = """
    own = sys.argv[1] + "/own"
    open(own, "w").write("#!/bin/sh\\n")
    os.chmod(own, 0o755)
    print(outcome(lambda: subprocess.run(["/bin/true"])))
    print(outcome(lambda: subprocess.run([own])))
    """
    assert under(FILES, code, str(tmp_path)).split() == ["PermissionError", "PermissionError"]


@needs_landlock
@pytest.mark.skipif(landlock.version() < 6, reason="signals are scoped from version 6 on")
def test_processes_outside_cannot_be_signalled(tmp_path: Path) -> None:
    """Not even signal 0 to the parent; its own child can be killed."""
    code = """
    print(outcome(lambda: os.kill(os.getppid(), 0)))
    pid = os.fork()
    if pid == 0:
        threading.Event().wait()
    print(outcome(lambda: os.kill(pid, 9)))
    os.waitpid(pid, 0)
    """
    assert under(FILES, code, str(tmp_path)).split() == ["PermissionError", "allowed"]


def test_sockets_other_than_unix_ones_are_refused() -> None:
    """TCP, UDP and netlink fail; a pair of Unix sockets works."""
    code = """
    print(outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)))
    print(outcome(lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)))
    print(outcome(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)))
    print(outcome(socket.socketpair))
    """
    assert under(CALLS, code).split() == ["PermissionError"] * 3 + ["allowed"]


def test_dangerous_calls_are_refused_and_threads_and_forks_work() -> None:
    """ptrace and unshare fail with EPERM; threads, forks and subprocesses work."""
    code = """
    libc = ctypes.CDLL(None, use_errno=True)
    for call in (lambda: libc.ptrace(0, 0, 0, 0), lambda: libc.unshare(0x10000000)):
        print(call(), ctypes.get_errno())
    thread = threading.Thread(target=lambda: print("thread"))
    thread.start()
    thread.join()
    print(subprocess.run(["/bin/true"]).returncode)
    """
    assert under(CALLS, code).split() == ["-1", "1", "-1", "1", "thread", "0"]


def test_restrictions_hold_in_children_too(tmp_path: Path) -> None:
    """A forked child cannot remove its parent's restrictions."""
    code = """
    pid = os.fork()
    if pid == 0:
        print(outcome(lambda: socket.socket()), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
    """
    assert under(CALLS, code) == "PermissionError"


@needs_landlock
def test_a_hidden_folder_among_the_libraries_cannot_be_read(tmp_path: Path) -> None:
    """Such as this package in site-packages; what lies beside it is found and imported."""
    hidden = tmp_path / "lib" / "site-packages" / "autograder"
    hidden.mkdir(parents=True)
    (hidden / "solution.py").write_text("x = 42\n", encoding="utf-8")
    (hidden.parent / "numbers_beside.py").write_text("x = 1\n", encoding="utf-8")
    (tmp_path / "lib64").symlink_to("lib")
    (hidden.parent / "loop").symlink_to("..")
    (hidden.parent / "link").symlink_to("autograder")
    code = """
    packages = sys.argv[1].removesuffix("/autograder")
    sys.path.append(packages)
    import numbers_beside
    print(len(os.listdir(packages)))
    for path in ("autograder", "link", "loop/site-packages/autograder"):
        print(outcome(lambda: open(f"{packages}/{path}/solution.py")))
    lib64 = packages.replace("/lib/", "/lib64/")
    print(outcome(lambda: open(f"{lib64}/autograder/solution.py")))
    """
    outcomes = under(HIDES, code, str(hidden), str(tmp_path)).split()
    assert outcomes == ["4", *["PermissionError"] * 4]


# ---- folders with libraries -----------------------------------------------------------------


def test_a_folder_that_a_path_file_adds_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So can the folder of a package that an import hook finds."""
    (tmp_path / "hooked").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "added"))
    (tmp_path / "added").mkdir()
    hooked = types.ModuleType("hooked")
    hooked.__path__ = [str(tmp_path / "hooked")]
    monkeypatch.setitem(sys.modules, "hooked", hooked)
    assert {tmp_path / "added", tmp_path / "hooked"} <= confine.libraries()


def test_this_project_is_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is a folder that contains it, although both are on the path."""
    for place in (ROOT, ROOT / "reference", ROOT.parent):
        monkeypatch.syspath_prepend(str(place))
    environment = Path(sys.prefix).resolve()
    for library in confine.libraries():
        real = library.resolve()
        assert real.is_relative_to(environment) or not (
            real.is_relative_to(ROOT) or ROOT.is_relative_to(real)
        )


def _printed(code: str, folder: Path) -> list[str]:
    """Run code in a new interpreter, with this project and a folder; return the printed lines."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(ROOT), str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_homework_outside_this_project_is_no_library(tmp_path: Path) -> None:
    """Its folder has the solution; importing its experiments must not open it to workers."""
    folder = tmp_path / "outside"
    folder.mkdir()
    for name in ("__init__", "experiments"):
        (folder / f"{name}.py").write_text("EXPERIMENTS = {}\n", encoding="utf-8")
    code = (
        "import pathlib, sys; sys.path.insert(0, sys.argv[1])\n"
        "from autograder.engine.sandbox import confine, zygote\n"
        "zygote.prepare(pathlib.Path(sys.argv[2]))\n"
        "assert 'outside.experiments' in sys.modules\n"
        "print(*confine.libraries(), sep='\\n')\n"
    )
    libraries = [Path(line) for line in _printed(code, folder)]
    assert libraries
    assert not any(folder.is_relative_to(library) for library in libraries)


def test_workers_reach_the_folders_of_packages_that_were_imported_for_them(tmp_path: Path) -> None:
    """The zygote finds the libraries once, and again after it has imported what a request names."""
    (tmp_path / "elsewhere").mkdir()
    text = f"import sys\nsys.path.append({str(tmp_path / 'elsewhere')!r})\n"
    (tmp_path / "extends_the_path.py").write_text(text, encoding="utf-8")
    code = (
        "import pathlib, socket, sys; sys.path += sys.argv[1:]\n"
        "from autograder.engine.sandbox import zygote\n"
        "one = zygote.Zygote(socket.socketpair()[0], zygote.Prepared({}), pathlib.Path('/tmp'))\n"
        "place = pathlib.Path(sys.argv[2], 'elsewhere')\n"
        "print('reached', place in one._libraries.readable)\n"
        "one._import(['extends_the_path'])\n"
        "print('reached', place in one._libraries.readable)\n"
    )
    reached = [line for line in _printed(code, tmp_path) if line.startswith("reached")]
    assert reached == ["reached False", "reached True"]
