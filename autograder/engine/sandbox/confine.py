"""Sandbox layers of a worker, and how to end it with all processes that it started.

Always: a new session, rlimits, a scrubbed environment, a private folder. Where the kernel and our
rights allow it also: a separate user (identity.py), access only to the libraries and the private
folder (Landlock, landlock.py), no system calls that no solution needs (seccomp, seccomp.py). The
staff's log names each layer that is not available.
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
from autograder.engine.sandbox.isolated import INSTALLED, OURS

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class ResourceLimits:
    """rlimits of one worker. AS is generous: importing the CUDA build of torch maps 3 GB."""

    cpu_s: int = 200
    data_bytes: int = 1_500_000_000
    address_space_bytes: int = 8_000_000_000
    file_bytes: int = 16_000_000
    open_files: int = 256
    # Counts all processes of a user: set only if the worker has a separate user.
    processes: int = 64

    def on(self, speed: float) -> ResourceLimits:
        """Return the limits for a machine that is `speed` times slower."""
        return replace(self, cpu_s=math.ceil(self.cpu_s * speed))


# The consequence of workers that run as the grading user: with Landlock, and without.
_CONSEQUENCE = {
    True: "crashes and hangs of graded code stay contained and Landlock protects your files, but "
    "not your processes",
    False: "crashes and hangs of graded code stay contained, but it can read and change what you "
    "can: grade only code that you would run yourself",
}


@dataclass(frozen=True)
class Layers:
    """The layers that are available on this machine; `log` gives the reasons for those that aren't.

    If an available layer fails to apply, the worker does not start.
    """

    own_user: bool
    files: bool
    calls: bool
    log: str

    @staticmethod
    def probe() -> Layers:
        """Try each layer in a child process, since none can be undone."""
        why_no_user = identity.why_not()
        files = _works(lambda: bool(landlock.restrict(landlock.Paths((Path("/"),), ()))))
        calls = _works(seccomp.restrict)
        lines = [
            f"a separate user for each worker: no, {why_no_user}; {_CONSEQUENCE[files]}"
            if why_no_user
            else "a separate user for each worker: yes",
            f"Landlock for files: {f'yes, version {landlock.version()}' if files else 'no'}",
            f"seccomp for system calls: {'yes' if calls else 'no'}",
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
    """Return the whole environment of the zygote and its workers, with nothing of the caller's."""
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
        # One thread each: two workers share two cores, and sums are the same every time. The limit
        # also binds torch.set_num_threads: on a crowded machine, threads that spin while they wait
        # made a run of 3 s take 100.
        "OMP_NUM_THREADS": "1",
        "OMP_THREAD_LIMIT": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        # Figures need no screen; `preparation.py` copies the lists of fonts into the folder.
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": str(temporary / "matplotlib"),
        "PYTHONHASHSEED": "0",
        # Pages of 2 MiB for malloc where possible: a fork copies the page table.
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        "CUDA_VISIBLE_DEVICES": "",
        # A worker has no compiler: code that avoids its torch.compile also runs eagerly.
        "TORCHDYNAMO_DISABLE": "1",
    }


def become_subreaper() -> None:
    """Adopt orphaned descendants as children of this process, so that it can end them."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int | None = None) -> None:
    """Ask the kernel to kill this process when the process that started it dies.

    Args:
        parent: that process; by default it must still be alive.
    """
    parent = os.getppid() if parent is None else parent
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def private_folder(temporary: Path, uid: int | None) -> Path:
    """Make a new folder for one worker; it belongs to the worker's user."""
    folder = Path(tempfile.mkdtemp(prefix="worker-", dir=temporary))
    if uid is not None:
        os.chown(folder, uid, uid)
    return folder


def confine_self(
    limits: ResourceLimits,
    folder: Path,
    submission: Path,
    libraries: landlock.Paths,
    layers: Layers,
    uid: int | None,
    parent: int,
) -> None:
    """Confine the calling process for good, in a new worker before any student code runs.

    Args:
        limits: the rlimits to set.
        folder: this worker's private working folder.
        submission: the staged submission, to be read.
        libraries: what every worker may reach, see `reachable_libraries`.
        layers: the layers to apply.
        uid: the user to become, or None without a separate user.
        parent: the zygote; the worker dies with it, also if it has died already.

    Raises:
        OSError: a layer failed to apply; the worker must not start.
    """
    os.setsid()
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_DATA, limits.data_bytes),
        (resource.RLIMIT_AS, limits.address_space_bytes),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
    ):
        _lower(limit, value)
    with contextlib.suppress(OSError):  # if memory runs out, kill this process and not the judge
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    os.environ["TMPDIR"] = os.environ["HOME"] = str(folder)
    tempfile.tempdir = None  # forget the zygote's
    os.chdir(folder)
    if uid is not None:
        _lower(resource.RLIMIT_NPROC, limits.processes)
        identity.become(uid)
    die_with_parent(parent)  # after the change of user, which would undo it
    if layers.files:
        landlock.restrict(
            landlock.Paths(
                (submission, *libraries.readable),
                (folder, *libraries.writable),
                libraries.listable,
            )
        )
    if layers.calls:
        seccomp.restrict()


def reachable_libraries() -> landlock.Paths:
    """Return the files that every worker needs: the libraries, and some of the system's.

    The zygote does this once for all workers: it visits every module, and a worker that did so
    would copy the shared page of each.
    """
    system = map(Path, ("/usr/lib", "/usr/local/lib", "/lib", "/lib64"))
    readable, listable = without(OURS, (*libraries(), *system))
    return landlock.Paths(
        readable=(
            *readable,
            Path("/etc/ld.so.cache"),
            *map(Path, ("/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu")),
            *map(Path, ("/dev/urandom", "/dev/random")),
        ),
        writable=(Path("/dev/null"),),
        listable=listable,
    )


def without(hidden: Path, folders: Iterable[Path]) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Return paths that together are the folders without a hidden one, and the folders above it.

    An import lists the folders above the hidden one, such as site-packages.
    """
    kept: list[Path] = []
    above: list[Path] = []
    seen: set[Path] = set()
    waiting = [(path, path.resolve()) for path in folders]
    while waiting:
        path, real = waiting.pop()
        if real == hidden or real in seen:
            continue
        seen.add(real)
        if not hidden.is_relative_to(real):
            kept.append(path)
            continue
        above.append(path)
        with contextlib.suppress(OSError):  # who cannot list it cannot import from it
            for inner in path.iterdir():
                waiting.append(
                    (inner, inner.resolve() if inner.is_symlink() else real / inner.name)
                )
    return tuple(kept), tuple(above)


def libraries() -> set[Path]:
    """Return the folders that the interpreter imports from, without this project's.

    One of them contains this project if it is installed; `without` removes it.

    A path file (.pth) may add any folder, and an import hook finds packages outside of all these,
    so the folders of imported packages are included.
    """
    paths = sysconfig.get_paths()
    folders = {Path(sys.prefix), *(Path(paths[key]) for key in ("stdlib", "platstdlib"))}
    more = [Path(entry) for entry in sys.path]
    for name, module in list(sys.modules.items()):
        if "." not in name:
            more += [Path(entry) for entry in getattr(module, "__path__", ())]
    standard = [path.resolve() for path in folders]
    for folder in more:
        real = folder.resolve()
        if not any(real.is_relative_to(path) for path in standard) and not is_ours(real):
            folders.add(real)
    return {path for path in folders if path.exists()}


def is_ours(path: Path) -> bool:
    """Whether a path is in this project but not in its environment, or contains its checkout."""
    if INSTALLED:
        return path.is_relative_to(OURS)
    inside = path.is_relative_to(OURS) and not path.is_relative_to(sys.prefix)
    return inside or OURS.is_relative_to(path)


def keep_only(descriptors: Iterable[int]) -> None:
    """Close all file descriptors except these; stdin, stdout and stderr become /dev/null."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    kept = sorted({0, 1, 2, *descriptors})
    for low, high in zip(kept, [*kept[1:], _highest_descriptor() + 1], strict=True):
        os.closerange(low + 1, high)


def end_session(pid: int) -> None:
    """Kill a worker's session. A process that has ended is no error."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def end_orphans(keep: Iterable[int], give_up_s: float = 2.0) -> int:
    """Kill and reap the children of this process that are not in `keep`; return how many.

    After `become_subreaper`, a process that left its worker's session (a daemon that forked twice)
    becomes our child when its parent dies.
    """
    kept = set(keep)
    killed = 0
    give_up = time.monotonic() + give_up_s
    while time.monotonic() < give_up:
        strangers = [pid for pid in children() if pid not in kept]
        if not strangers:
            break
        for pid in strangers:
            end_session(pid)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
            killed += 1
    return killed


def children() -> list[int]:
    """Return the children of this process's main thread (none if /proc cannot tell)."""
    pid = os.getpid()
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:  # not Linux, or a kernel without CONFIG_PROC_CHILDREN
        return []
    return [int(word) for word in text.split()]


def _lower(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(limit, (value, value))


def _highest_descriptor() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(soft, 1 << 20) if soft != resource.RLIM_INFINITY else 1 << 16


def _prctl(option: int, argument: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, argument, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
