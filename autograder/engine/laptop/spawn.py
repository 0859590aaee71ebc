"""Start the worker for systems without fork, and start it again when it died or hangs."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path

from autograder.engine.boot import ROOT
from autograder.engine.judge.client import Death, Launcher, Worker
from autograder.engine.judge.control import ZygoteGone
from autograder.engine.laptop.spawned import TOKEN_BYTES

_WORKER = "autograder.engine.laptop.spawned"
# Not isolated as on Gradescope: on a laptop the libraries may lie in the user's own folder.
_BOOT = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); del sys.argv[0]; "
    "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
)
# Importing torch on a slow disk for the first time.
_START_S = 120.0
# A worker that is well connects again at once.
_WELL_S = 1.5
_POLL_S = 0.2


class SpawnLauncher(Launcher):
    """Gives every check a connection to one and the same process.

    Args:
        homework: the package that holds `experiments`.
        submission: the staged files.
        log: gets what the process prints.
    """

    side_by_side = 0

    def __init__(self, homework: str, submission: Path, log: Path) -> None:
        # Nothing of the zygote's launcher is used, so its __init__ is not called.
        self._homework = homework
        self._submission = submission
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._token = ""
        self._waiting: socket.socket | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))

    def open(self) -> Worker:
        """Return a connection to the worker, which is started if none is well.

        Raises:
            ZygoteGone: the worker does not start.
        """
        connected, self._waiting = self._waiting, None
        if self._process is None or self._process.poll() is not None:
            connected = None
            self._kill()
            self._start()
        if connected is None:
            connected = self._accept(_START_S)
        process = self._process
        if connected is None or process is None:
            self._kill()
            raise ZygoteGone("the worker process did not start")
        return Worker(self, connected, process.pid, _START_S)

    def end(self, pid: int) -> Death:
        """End a connection; a worker that does not come back for the next one is killed."""
        process = self._process
        if process is None:
            return Death()
        self._waiting = self._accept(_WELL_S)
        if self._waiting is not None:
            return Death(0)
        status = process.poll()
        self._kill()
        return Death(process.returncode if status is None else status)

    def dismiss(self, pid: int) -> None:
        """As `end`: there is no other worker to go on with meanwhile."""
        self.end(pid)

    def close(self) -> None:
        """End the worker."""
        self._kill()
        self._listener.close()

    def _start(self) -> None:
        self._token = secrets.token_hex(TOKEN_BYTES)
        with self._log.open("ab") as sink:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-c", _BOOT, str(ROOT), _WORKER),
                    *("--port", str(self._listener.getsockname()[1]), "--token", self._token),
                    *("--homework", self._homework, "--submission", str(self._submission)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd=self._log.parent,
                env={
                    **os.environ,
                    "OMP_NUM_THREADS": "1",
                    "OMP_THREAD_LIMIT": "1",
                    "MKL_NUM_THREADS": "1",
                    "CUDA_VISIBLE_DEVICES": "",
                    "PYTHONHASHSEED": "0",
                    # A shell without UTF-8 must not make a student's print() raise.
                    "PYTHONIOENCODING": "utf-8:backslashreplace",
                },
            )

    def _accept(self, timeout_s: float) -> socket.socket | None:
        """Wait for the worker's connection; None when it died or does not come."""
        give_up = time.monotonic() + timeout_s
        while time.monotonic() < give_up:
            self._listener.settimeout(_POLL_S)
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                if self._process is None or self._process.poll() is not None:
                    return None
                continue
            if self._knows(sock):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
            sock.close()
        return None

    def _knows(self, sock: socket.socket) -> bool:
        """Whether it is our worker that connected."""
        sock.settimeout(_WELL_S)
        told = b""
        with contextlib.suppress(OSError):
            while len(told) < TOKEN_BYTES and (more := sock.recv(TOKEN_BYTES - len(told))):
                told += more
        return secrets.compare_digest(told, bytes.fromhex(self._token))

    def _kill(self) -> None:
        if self._waiting is not None:
            self._waiting.close()
            self._waiting = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
