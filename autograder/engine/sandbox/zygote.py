"""The zygote: imports torch once, then forks a fresh, confined worker whenever it is asked.

It runs no student code and holds no secret. It talks with one judge over a SOCK_SEQPACKET pair,
one JSON object a packet: `{"op": "spawn", "submission": PATH, "modules": [NAME, ...]}` (with the
worker's end of a socket attached; the modules are imported first) and `{"op": "end", "pid": N}`,
each with a `number`; it answers each with one packet that has the same number, in the order in
which they came. A worker's own first frame says that it is
confined, or why it could not be. When the judge's end closes, the zygote kills every worker and
whatever they left behind, and exits.
"""

from __future__ import annotations

import argparse
import gc
import importlib
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
from typing import Any

from autograder.engine.sandbox import (
    confine,
    container,
    frames,
    huge_pages,
    identity,
    preparation,
    watch,
)

# How often orphans and hogs are looked for while no request comes.
_SWEEP_S = 0.25
_HELLO_S = 60.0
# What importing torch and the experiments takes, in seconds of processor time, on the machine that
# all limits were set on. Where it takes longer, all limits are longer by as much.
_NOMINAL_IMPORT_S = 1.6
_SLOWEST = 8.0


def main(argv: list[str]) -> int:
    """Run the zygote until the judge's end of the control socket closes."""
    parser = argparse.ArgumentParser(prog="zygote")
    parser.add_argument("--control-fd", type=int, required=True)
    parser.add_argument("--homework", required=True, help="package that holds `experiments`")
    parser.add_argument("--temporary", type=Path, required=True)
    options = parser.parse_args(argv)

    confine.die_with_parent()
    confine.become_subreaper()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to handle
    control = socket.socket(fileno=options.control_fd)
    Zygote(control, prepare(options.homework), options.temporary).run()
    return 0


@dataclass(frozen=True)
class Prepared:
    """What every worker is forked with.

    Args:
        experiments: by name.
        speed: how many times slower this machine is than the one that limits were set on; at
            least 1.
    """

    experiments: Mapping[str, Callable[..., Any]]
    speed: float = 1.0


def prepare(homework: str, *, many: bool = False) -> Prepared:
    """Import torch and a homework's experiments, and make forks of this process cheap.

    Args:
        homework: the package that holds `experiments`.
        many: whether many gradings are to be served, so that dear preparations pay.
    """
    import torch

    torch.set_num_threads(1)
    # A worker is confined before it imports anything: its loop must be there already.
    importlib.import_module("autograder.engine.sandbox.serve")
    module = importlib.import_module(f"{homework}.experiments")
    _warm_up(torch)
    # Before the rest: what it is compared with is this much and no more.
    speed = min(max(time.process_time() / _NOMINAL_IMPORT_S, 1.0), _SLOWEST)
    for warm_up in getattr(module, "WARM_UPS", ()):
        warm_up()
    # A worker's garbage collector must not touch, and so copy, the pages it shares with us.
    gc.collect()
    gc.freeze()
    if many:
        huge_pages.gather()
    return Prepared(module.EXPERIMENTS, speed)


def _warm_up(torch: Any) -> None:
    """Let autograd load what it loads on first use, once for all workers."""
    weight = torch.ones(2, requires_grad=True)
    (weight * weight).sum().backward()


@dataclass(frozen=True)
class _Home:
    """What belongs to one worker: its folder, and its user where it has one of its own.

    `kills_before` says how often the kernel had killed for memory when the worker was forked.
    """

    folder: Path
    user: identity.Reservation | None
    free_before: int
    kills_before: int | None

    @property
    def uid(self) -> int | None:
        """The user's number."""
        return None if self.user is None else self.user.uid


class Zygote:
    """The loop: fork on request, end on request, sweep up orphans, leave nothing behind."""

    def __init__(
        self,
        control: socket.socket,
        prepared: Prepared,
        temporary: Path,
    ) -> None:
        self._control = control
        self._prepared = prepared
        self._temporary = temporary
        self._workers: dict[int, _Home] = {}
        self._hogs: dict[int, str] = {}
        self._watched = time.monotonic()
        self._layers = confine.Layers.probe()
        print(self._layers.log, flush=True)  # into the staff's log
        slower = f"limits of time are {prepared.speed:.2g} times as long on this machine"
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
            for name in preparation.import_all(request["modules"]):
                print(f"prepare: importing {name} started a thread", flush=True)
            try:
                pid = self._spawn(descriptors[0], Path(request["submission"]))
                answer = {"pid": pid, "speed": self._prepared.speed}
            except OSError:  # no memory, no process, no disk: perhaps for the next one
                answer = {"failed": traceback.format_exc()[-4000:]}
        else:
            answer = self._end(request["pid"])
            answer["why"] = self._hogs.pop(request["pid"], "")
        answer["number"] = request["number"]
        try:
            self._control.send(json.dumps(answer).encode())
        except BrokenPipeError:  # the judge was killed while we worked for it
            return False
        return True

    def _spawn(self, descriptor: int, submission: Path) -> int:
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

    def _become_worker(self, descriptor: int, submission: Path, home: _Home, zygote: int) -> None:
        status = 1
        try:
            confine.keep_only([descriptor])
            sock = socket.socket(fileno=descriptor)
            try:
                limits = confine.ResourceLimits().on(self._prepared.speed)
                folder, uid = home.folder, home.uid
                confine.confine_self(limits, folder, submission, self._layers, uid, zygote)
            except BaseException:
                why = traceback.format_exc()[-4000:]
                frames.send(sock, frames.Frame({"failed": why}), time.monotonic() + _HELLO_S)
                raise
            from autograder.engine.sandbox.serve import serve

            frames.send(sock, frames.Frame({"ready": True}), time.monotonic() + _HELLO_S)
            serve(sock, self._prepared.experiments, submission, self._prepared.speed)
            status = 0
        finally:
            # Never unwind into the zygote's own stack, and run no exit handlers.
            os._exit(status)

    def _watch(self) -> None:
        """End every worker that hoards; who asks for its status is told why."""
        now = time.monotonic()
        if now - self._watched < _SWEEP_S:
            return
        self._watched = now
        memory = watch.memory_by_user({home.uid for home in self._workers.values() if home.uid})
        for pid, home in self._workers.items():
            why = watch.excess(home.folder, home.free_before, memory.get(home.uid or -1, 0))
            if why and pid not in self._hogs:
                self._hogs[pid] = why
                confine.end_session(pid)
                if home.uid is not None:
                    identity.kill_all(home.uid, lambda: confine.end_orphans(self._workers))

    def _end(self, pid: int) -> dict[str, int | float | str | None]:
        """End a worker and all it started; say how it ended and what memory it took.

        SIGKILL may be ours: only of a worker that was seen to die the answer tells something.
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
        killed = status == -signal.SIGKILL and pid not in self._hogs
        return {
            "status": status,
            "out_of_memory": killed and _more_kills(home.kills_before),
            "memory_bytes": max(0, usage.ru_maxrss * 1024 - watch.resident_bytes()),
        }


def _more_kills(before: int | None) -> bool:
    """Whether the kernel has killed for memory since it was asked; no, where it does not count."""
    now = container.killed_for_memory()
    return before is not None and now is not None and now > before


if __name__ == "__main__":
    ended = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(ended)  # the interpreter's own end takes torch a tenth of a second
