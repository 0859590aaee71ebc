"""A fake zygote that answers from threads of this process: no torch, any misbehaviour.

Each worker has a process that sleeps, so that it is seen not to compute.
"""

from __future__ import annotations

import contextlib
import json
import math
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from autograder.engine.sandbox import frames

# A worker answers a request with a frame (its id is added), sends raw bytes, closes the connection
# (None), or does not answer at all (HANG).
HANG = object()
Behaviour = Callable[[frames.Frame], Any]
READY = {"ready": True}


def returns(**values: Any) -> Behaviour:
    """A call that returns these values."""
    return lambda _: frames.Frame({"values": values})


def raises(
    kind: str, message: str = "", file: str | None = "codebase/a.py", **more: Any
) -> Behaviour:
    """A call in which the student's code raises."""
    error = {"type": kind, "message": message, "file": file, "line": 7, "source": "x = f(y)"}
    return lambda _: frames.Frame({"error": {**error, **more}})


class FakeZygote:
    """Serves one judge over `control` until it is closed.

    Args:
        behaviours: the workers' behaviour, by the name of the experiment.
        status: the exit status of every worker.
        hello: a worker's first frame; None: it ends without one.
        why: the zygote's reason for ending a worker.
        ends: more fields of its answer about a worker's end.
        spawn_fails: the reason why no worker can be started.
    """

    def __init__(
        self,
        behaviours: Mapping[str, Behaviour],
        status: int = 0,
        hello: Mapping[str, Any] | None = READY,
        why: str = "",
        spawn_fails: str = "",
        ends: Mapping[str, Any] | None = None,
    ) -> None:
        self.control, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.requests: list[frames.Frame] = []
        self.opened = 0
        self.ended: list[int] = []
        self.behaviours = dict(behaviours)
        self._status = status
        self._hello = hello
        self._why = why
        self._spawn_fails = spawn_fails
        self._at_most = 0
        self._ends = dict(ends or {})
        self._processes: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []
        self._begin(self._serve)

    def __enter__(self) -> FakeZygote:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.hang_up()
        self.control.close()
        for process in self._processes:
            process.kill()
            process.wait()
        for thread in self._threads:
            thread.join(5.0)  # one whose worker was never closed would wait for ever
        self._theirs.close()

    def hang_up(self) -> None:
        """Close every copy of the connection, also in another process."""
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_RDWR)

    def number_of(self, pid: int) -> int:
        """Return the place of a worker among those that were started, from 1."""
        return 1 + [process.pid for process in self._processes].index(pid)

    def end_otherwise(self, **ends: Any) -> None:
        """Report these fields of workers that end from now on."""
        self._ends = ends

    def fail_after(self, workers: int, why: str) -> None:
        """Start this many workers and no more."""
        self._at_most, self._spawn_fails = workers, why

    @property
    def asked(self) -> list[str]:
        """The requested experiments, in order."""
        return [request.header["experiment"] for request in self.requests]

    def _begin(self, target: Callable[..., None], *arguments: Any) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self._threads[-1].start()

    def _serve(self) -> None:
        while True:
            packet, descriptors, _, _ = socket.recv_fds(self._theirs, 65536, 1)
            if not packet:
                return
            request = json.loads(packet)
            answer: dict[str, Any]
            if request["op"] == "spawn" and self._spawn_fails and self.opened >= self._at_most:
                answer = {"failed": self._spawn_fails}
            elif request["op"] == "spawn":
                self.opened += 1
                self._processes.append(subprocess.Popen(["sleep", "infinity"]))
                answer = {"pid": self._processes[-1].pid}
                sock = socket.socket(fileno=descriptors[0])
                self._begin(self._work, sock)
            else:
                self.ended.append(self.number_of(request["pid"]))
                answer = {"status": self._status, "why": self._why, **self._ends}
            with contextlib.suppress(OSError):
                reply = {**answer, "number": request["number"]}
                self._theirs.send(json.dumps(reply).encode())

    def _work(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(frames.PeerClosed, OSError):
            if self._hello is None:
                return
            frames.send(sock, frames.Frame(self._hello), time.monotonic() + 10)
            while True:
                request = frames.receive(sock, math.inf)
                experiment = request.header["experiment"]
                ours = experiment in ("import", "self_test", "fresh")
                if ours and experiment not in self.behaviours:
                    frames.send(
                        sock,
                        frames.Frame({"id": request.header["id"], "values": {}}),
                        time.monotonic() + 10,
                    )
                    continue
                self.requests.append(request)
                reply = self.behaviours[experiment](request)
                if reply is None:
                    return
                if isinstance(reply, bytes):
                    sock.sendall(reply)
                elif isinstance(reply, frames.Frame):
                    header = {"id": request.header["id"], **reply.header}
                    frames.send(sock, frames.Frame(header, reply.arrays), time.monotonic() + 10)
