"""What a worker may use, in layers, and how it is ended with all that it started.

Everywhere: a session of its own, rlimits, a scrubbed environment, a private folder. Where the
kernel and the rights allow it also: a user of its own (identity.py), no files but the libraries
and its folder (landlock.py), no system calls that no solution needs (seccomp.py). What cannot be
had is said in the staff's log, never left out silently.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import resource
import signal
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.engine.sandbox import identity, landlock, seccomp
from autograder.engine.sandbox.isolated import ROOT

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class ResourceLimits:
    """Limits of one worker. AS is a backstop: the CUDA build of torch maps 3 GB by import alone."""

    cpu_s: int = 200
    data_bytes: int = 1_500_000_000
    address_space_bytes: int = 8_000_000_000
    file_bytes: int = 16_000_000
    open_files: int = 256
    # Counts the processes of a user: set only where a worker has a user of its own.
    processes: int = 64

    def on(self, speed: float) -> ResourceLimits:
        """Return the limits of a machine that is so many times slower."""
        return replace(self, cpu_s=math.ceil(self.cpu_s * speed))


# What it means that workers run as the user who grades: by whether Landlock holds.
_MEANS = {
    True: "crashes and hangs of what is graded harm nothing else, your files are kept from it by "
    "Landlock, your processes are not",
    False: "crashes and hangs of what is graded harm nothing else, but it can read and change what "
    "you can: grade only code that you would run yourself",
}


@dataclass(frozen=True)
class Layers:
    """Which of the layers that need help can be had on this machine; `log` says why not."""

    own_user: bool
    files: bool
    calls: bool
    log: str

    @staticmethod
    def probe() -> Layers:
        """Try the layers, in a child where they cannot be undone."""
        why_no_user = identity.why_not()
        files = _works(lambda: bool(landlock.restrict(landlock.Paths((Path("/"),), ()))))
        calls = _works(seccomp.restrict)
        lines = [
            f"workers have users of their own: no, {why_no_user}; {_MEANS[files]}"
            if why_no_user
            else "workers have users of their own: yes",
            f"files behind Landlock: {f'yes, version {landlock.version()}' if files else 'no'}",
            f"system calls behind seccomp: {'yes' if calls else 'no'}",
        ]
        return Layers(not why_no_user, files, calls, "\n".join(f"confine: {x}" for x in lines))


def _works(layer: Callable[[], bool]) -> bool:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if layer() else 1
        finally:
            os._exit(status)
    return os.waitpid(pid, 0)[1] == 0


def scrubbed_environment(temporary: Path) -> dict[str, str]:
    """The whole environment of the zygote and its workers: nothing of the caller's goes in."""
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
        # One thread each: two workers share two cores, and sums come out the same every time. The
        # limit holds against torch.set_num_threads too: threads that wait for each other by
        # spinning made a training run of 3 s on a crowded machine last 100.
        "OMP_NUM_THREADS": "1",
        "OMP_THREAD_LIMIT": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        # Figures need no screen; the folder is where `preparation.py` lays the lists of fonts.
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": str(temporary / "matplotlib"),
        "PYTHONHASHSEED": "0",
        # A fork copies the tables of pages: what malloc gives has pages of 2 MiB where it can.
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        "CUDA_VISIBLE_DEVICES": "",
        # No compiler here: what goes around the worker's own torch.compile runs eagerly, too.
        "TORCHDYNAMO_DISABLE": "1",
    }


def become_subreaper() -> None:
    """Let orphans of this process's descendants become its children, so that it can end them."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int | None = None) -> None:
    """Ask the kernel to kill this process when the process that started it dies.

    Args:
        parent: that process, where it is known; else it must still be alive now.
    """
    parent = os.getppid() if parent is None else parent
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def private_folder(temporary: Path, uid: int | None) -> Path:
    """Make a new folder for one worker to live in; it belongs to the worker's user."""
    folder = Path(tempfile.mkdtemp(prefix="worker-", dir=temporary))
    if uid is not None:
        os.chown(folder, uid, uid)
    return folder


def confine_self(
    limits: ResourceLimits,
    folder: Path,
    submission: Path,
    layers: Layers,
    uid: int | None,
    parent: int,
) -> None:
    """Confine the calling process for good. Runs in a fresh worker before student code.

    Args:
        limits: the rlimits to set.
        folder: this worker's private working folder.
        submission: the staged submission, to be read.
        layers: which of the layers that need help to put on.
        uid: the user to become, where the worker has one of its own.
        parent: the zygote; the worker dies with it, also if it has died already.

    Raises:
        OSError: a layer could not be put on; the worker must not go on.
    """
    os.setsid()
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
    _be_killed_first()
    os.environ["TMPDIR"] = os.environ["HOME"] = str(folder)
    tempfile.tempdir = None  # forget the zygote's
    os.chdir(folder)
    if uid is not None:
        _lower(resource.RLIMIT_NPROC, limits.processes)
        identity.become(uid)
    die_with_parent(parent)  # after the change of user, which would take it back
    if layers.files:
        landlock.restrict(_reachable(folder, submission))
    if layers.calls:
        seccomp.restrict()


def _reachable(folder: Path, submission: Path) -> landlock.Paths:
    """What a worker needs files for: the libraries, the submission, its own folder."""
    return landlock.Paths(
        readable=(
            submission,
            *sorted(libraries()),
            *map(Path, ("/usr/lib", "/usr/local/lib", "/lib", "/lib64", "/etc/ld.so.cache")),
            *map(Path, ("/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu")),
            *map(Path, ("/dev/urandom", "/dev/random")),
        ),
        writable=(folder, Path("/dev/null")),
    )


def libraries() -> set[Path]:
    """Return the folders that hold what the interpreter can import, but for our own.

    A path file (.pth) may add folders anywhere; an import hook finds packages that lie in none of
    them, so those that are imported count, too.
    """
    paths = sysconfig.get_paths()
    found = {Path(sys.prefix), *(Path(paths[key]) for key in ("stdlib", "platstdlib"))}
    places = [Path(entry) for entry in sys.path]
    for name, module in list(sys.modules.items()):
        if "." not in name:
            places += [Path(entry) for entry in getattr(module, "__path__", ())]
    known = [path.resolve() for path in found]
    for place in places:
        real = place.resolve()
        if not any(real.is_relative_to(path) for path in known) and not is_ours(real):
            found.add(real)
    return {path for path in found if path.exists()}


def is_ours(path: Path) -> bool:
    """Whether a path lies in this project and not in its environment, or the project lies in it."""
    inside = path.is_relative_to(ROOT) and not path.is_relative_to(sys.prefix)
    return inside or ROOT.is_relative_to(path)


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


def end_orphans(known: Iterable[int], give_up_s: float = 2.0) -> int:
    """Kill and reap the children of this process that are not `known`; return how many.

    With `become_subreaper`, a process that left its worker's session (a daemon that forked twice)
    becomes our child as soon as its parent dies: whatever is a child and unknown is such a one.
    """
    keep = set(known)
    killed = 0
    give_up = time.monotonic() + give_up_s
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


def _be_killed_first() -> None:
    """Where memory runs out all the same, the kernel shall choose this process, not the judge."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


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
