"""The zygote: imports torch once, then forks a new, confined worker for each request.

It runs no student code and holds no secret. It serves one judge over a SOCK_SEQPACKET pair, with
one JSON object a packet, each with a `number`:

    {"op": "spawn", "submission": PATH, "code": FOLDER, "modules": [NAME, ...]}
        with the worker's end of a socket; the modules are imported first
    {"op": "end", "pid": N}

It answers in order, with the same number. A worker's first frame reports that it is confined, or
why not. When the judge's end closes, the zygote kills every worker and all processes that they
left, and exits.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.util
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from autograder.engine.sandbox import (
    confine,
    container,
    frames,
    huge_pages,
    identity,
    lean_torch,
    preparation,
    watch,
)
from autograder.engine.sandbox.isolated import importable, package_and_root

# How often orphans and limits are checked while no request comes.
_SWEEP_S = 0.25
_HELLO_S = 60.0
# Processor time for importing torch and the experiments on the machine that all time limits were
# set for. On a slower machine, all time limits grow in proportion.
_NOMINAL_IMPORT_S = 1.6
# The same where `lean_torch` leaves out modules: 0.72 of a whole import, on any machine.
_NOMINAL_LEAN_IMPORT_S = 1.15
_SLOWEST = 8.0


def main(argv: list[str]) -> int:
    """Run the zygote until the judge's end of the control socket closes."""
    parser = argparse.ArgumentParser(prog="zygote")
    parser.add_argument("--control-fd", type=int, required=True)
    parser.add_argument("--homework", type=Path, required=True, help="the homework's folder")
    parser.add_argument("--temporary", type=Path, required=True)
    options = parser.parse_args(argv)

    confine.die_with_parent()
    confine.become_subreaper()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor handles Ctrl-C
    control = socket.socket(fileno=options.control_fd)
    Zygote(control, prepare(options.homework), options.temporary).run()
    return 0


@dataclass(frozen=True)
class Prepared:
    """The state that every worker is forked with.

    Args:
        experiments: by name.
        speed: how many times slower this machine is than the one that time limits were set for; at
            least 1.
    """

    experiments: Mapping[str, Callable[..., Any]]
    speed: float = 1.0


def prepare(homework: Path, *, many: bool = False) -> Prepared:
    """Import torch and a homework's experiments, and make forks of this process cheap.

    Args:
        homework: the homework's folder; its `experiments` are optional.
        many: whether many gradings follow, so that expensive preparations pay.
    """
    gc.disable()  # it finds nothing in what is imported
    late = lean_torch.import_torch()
    # numpy imports it at its first use, which would be in every worker.
    import numpy.random  # noqa: F401
    import torch

    torch.set_num_threads(1)
    # A worker is confined before it could import its loop.
    importlib.import_module("autograder.engine.sandbox.serve")
    module = _experiments(homework)
    # Autograd loads modules on first use: once here, for all workers.
    weight = torch.ones(2, requires_grad=True)
    (weight * weight).sum().backward()  # type: ignore[no-untyped-call]
    # Measured here: the nominal time covers the imports above only.
    imported_s = time.process_time()
    nominal_s = _NOMINAL_LEAN_IMPORT_S if late else _NOMINAL_IMPORT_S
    speed = min(max(imported_s / nominal_s, 1.0), _SLOWEST)
    if many:
        preparation.import_all(preparation.FIRST_USED)
    _hide(homework)
    # A worker's garbage collector must not touch, and so copy, the shared pages.
    if many:
        gc.collect()
    gc.freeze()
    gc.enable()
    huge_pages.gather()
    return Prepared(getattr(module, "EXPERIMENTS", {}), speed)


def _experiments(homework: Path) -> ModuleType | None:
    """Import a homework's experiments, if it has any; leave `sys.path` as it was."""
    path = list(sys.path)
    name = f"{importable(homework)}.experiments"
    try:
        return importlib.import_module(name) if importlib.util.find_spec(name) else None
    finally:
        sys.path[:] = path


def _hide(homework: Path) -> None:
    """Forget where a homework outside this project lies.

    Workers may read the folders of imported packages, and this one has the solution.
    """
    package, root = package_and_root(homework)
    name = package.partition(".")[0]
    if not confine.is_ours(root / name):
        sys.modules[name].__path__ = []


@dataclass(frozen=True)
class Submission:
    """A staged submission, and the folder of the student's files in it ("" for none)."""

    root: Path
    code: str


@dataclass(frozen=True)
class _Home:
    """A worker's folder and user (None without a separate user).

    `free_before` and `kills_before` are the disk's free bytes and the kernel's kills for memory at
    the time of the fork.
    """

    folder: Path
    user: identity.Reservation | None
    free_before: int
    kills_before: int | None

    @property
    def uid(self) -> int | None:
        """The user id."""
        return None if self.user is None else self.user.uid


class Zygote:
    """The loop that forks and ends workers on request, and ends orphans."""

    def __init__(self, control: socket.socket, prepared: Prepared, temporary: Path) -> None:
        self._control = control
        self._prepared = prepared
        self._temporary = temporary
        self._workers: dict[int, _Home] = {}
        self._excesses: dict[int, str] = {}
        self._watched = time.monotonic()
        self._layers = confine.Layers.probe()
        self._libraries = confine.reachable_libraries()
        print(self._layers.log, flush=True)  # into the staff's log
        slower = f"time limits are multiplied by {prepared.speed:.2g} on this machine"
        print(f"container: {container.container()}; {slower}", flush=True)

    def run(self) -> None:
        """Serve requests until the other end closes."""
        try:
            while True:
                readable, _, _ = select.select([self._control], [], [], _SWEEP_S)
                if readable and not self._serve_one():
                    break
                confine.end_orphans(self._workers)
                self._watch()
        finally:
            for pid in list(self._workers):
                self._end(pid)

    def _serve_one(self) -> bool:
        packet, descriptors, _, _ = socket.recv_fds(self._control, 65536, 1)
        if not packet:
            return False
        request = json.loads(packet)
        answer: dict[str, int | float | str | None]
        if request["op"] == "spawn":
            self._import(request["modules"])
            try:
                submission = Submission(Path(request["submission"]), request["code"])
                pid = self._spawn(descriptors[0], submission)
                answer = {"pid": pid, "speed": self._prepared.speed}
            except OSError:  # no memory, process or disk; the next request may succeed
                answer = {"failed": traceback.format_exc()[-4000:]}
        else:
            answer = self._end(request["pid"])
            answer["why"] = self._excesses.pop(request["pid"], "")
        answer["number"] = request["number"]
        try:
            self._control.send(json.dumps(answer).encode())
        except BrokenPipeError:  # the judge was killed
            return False
        return True

    def _import(self, modules: list[str]) -> None:
        before = len(sys.modules)
        for name in preparation.import_all(modules):
            print(f"prepare: importing {name} started a thread", flush=True)
        if len(sys.modules) != before:
            self._libraries = confine.reachable_libraries()

    def _spawn(self, descriptor: int, submission: Submission) -> int:
        user = identity.reserve() if self._layers.own_user else None
        folder = confine.private_folder(self._temporary, None if user is None else user.uid)
        kills = container.killed_for_memory()
        home = _Home(folder, user, watch.free_bytes(folder), kills)
        zygote = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            watch.remove(home.folder)
            raise
        if pid == 0:
            self._become_worker(descriptor, submission, home, zygote)
        os.close(descriptor)
        self._workers[pid] = home
        return pid

    def _become_worker(
        self, descriptor: int, submission: Submission, home: _Home, zygote: int
    ) -> None:
        status = 1
        try:
            confine.keep_only([descriptor])
            sock = socket.socket(fileno=descriptor)
            try:
                limits = confine.ResourceLimits().on(self._prepared.speed)
                folder, uid = home.folder, home.uid
                root, libraries = submission.root, self._libraries
                confine.confine_self(limits, folder, root, libraries, self._layers, uid, zygote)
            except BaseException:
                why = traceback.format_exc()[-4000:]
                frames.send(sock, frames.Frame({"failed": why}), time.monotonic() + _HELLO_S)
                raise
            from autograder.engine.sandbox.experiment import StudentCode
            from autograder.engine.sandbox.serve import serve

            frames.send(sock, frames.Frame({"ready": True}), time.monotonic() + _HELLO_S)
            serve(
                sock,
                self._prepared.experiments,
                StudentCode(submission.root, submission.code, self._prepared.speed),
            )
            status = 0
        finally:
            # Never unwind into the zygote's stack, and run no exit handlers.
            os._exit(status)

    def _watch(self) -> None:
        """End every worker that exceeds a limit; the answer to "end" gives the reason."""
        now = time.monotonic()
        if now - self._watched < _SWEEP_S:
            return
        self._watched = now
        memory = watch.memory_by_user({home.uid for home in self._workers.values() if home.uid})
        for pid, home in self._workers.items():
            why = watch.excess(home.folder, home.free_before, memory.get(home.uid or -1, 0))
            if why and pid not in self._excesses:
                self._excesses[pid] = why
                confine.end_session(pid)
                if home.uid is not None:
                    identity.kill_all(home.uid, lambda: confine.end_orphans(self._workers))

    def _end(self, pid: int) -> dict[str, int | float | str | None]:
        """End a worker and all that it started; return how it ended and the memory that it took.

        A status of -SIGKILL may be due to us, unless the worker was seen to die before.
        """
        home = self._workers.pop(pid, None)
        if home is None:
            return {"status": None}
        confine.end_session(pid)
        _, wait_status, usage = os.wait4(pid, 0)
        status = os.waitstatus_to_exitcode(wait_status)
        confine.end_orphans(self._workers)
        if home.uid is not None:
            identity.kill_all(home.uid, lambda: confine.end_orphans(self._workers))
            watch.remove_leftovers(home.uid)
        watch.remove(home.folder)
        if home.user is not None:
            home.user.release()
        killed = status == -signal.SIGKILL and pid not in self._excesses
        return {
            "status": status,
            "out_of_memory": killed and _more_kills(home.kills_before),
            "memory_bytes": max(0, usage.ru_maxrss * 1024 - watch.resident_bytes()),
        }


def _more_kills(before: int | None) -> bool:
    """Whether the kernel has killed for memory since; False if it does not count."""
    now = container.killed_for_memory()
    return before is not None and now is not None and now > before


if __name__ == "__main__":
    ended = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(ended)  # the interpreter's own end takes torch a tenth of a second
