"""Asks the zygote for workers, forks one ahead, and hands one on from check to check."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from pathlib import Path

from autograder.engine.judge.calls import Death, Ending
from autograder.engine.judge.control import Control, ZygoteGone
from autograder.engine.judge.worker import Worker, WorkerNotReady

# Wall time, so generous: only a broken zygote takes so long.
_KILL_TIMEOUT_S = 60.0
_SELF_TEST_S = 60.0


class Launcher:
    """Asks the zygote for workers.

    Args:
        control: the judge's end of the control socket.
        submission: the staged submission.
        start_timeout_s: how long a worker may take until it is ready.
        ahead: whether to fork the next worker while a check runs, and not to wait for the end of
            one that ended well. `close` must then be called.
        side_by_side: how many background workers there is room for.
        code: the folder of the student's files in the submission.
        modules: imported by the zygote before it forks the first worker.
        tries_environment: whether the first worker tests the environment, so that a broken one is
            not blamed on the student.
    """

    def __init__(
        self,
        control: socket.socket,
        submission: Path,
        start_timeout_s: float,
        *,
        ahead: bool = False,
        side_by_side: int = 0,
        code: str = "",
        modules: Sequence[str] = (),
        tries_environment: bool = False,
    ) -> None:
        self._control = Control(control)
        self.submission = submission
        self._start_timeout_s = start_timeout_s
        self._ahead = ahead
        self.side_by_side = side_by_side
        self._code = code
        self._modules = tuple(modules)
        self._untried = tries_environment
        # The next worker: our end of its socket, and the number of the request for it.
        self._next: tuple[socket.socket, int] | None = None
        # A worker that waits for the next check of a part.
        self._kept: tuple[str, Worker] | None = None
        self._last_end: int | None = None

    def open(self, part: str = "") -> Worker:
        """Return a new worker, or a fresh one that an earlier check of this part has left.

        Raises:
            ZygoteGone: the zygote died or does not answer.
            WorkerNotReady: the zygote could not fork, or workers cannot use the environment.
        """
        if part and self._kept is not None:
            (left_by, worker), self._kept = self._kept, None
            if left_by == part and worker.becomes_fresh():
                return worker
            worker.dismiss()
        worker = self._open()
        if self._untried:
            self._try_environment(worker)
        return worker

    def keep(self, worker: Worker, part: str) -> None:
        """Keep a worker whose calls have all returned for the next check of its part."""
        if self._kept is not None:
            self._kept[1].dismiss()
        self._kept = (part, worker)

    def _try_environment(self, worker: Worker) -> None:
        """Let a worker use torch and read the files that student code imports."""
        outcome = worker.start("self_test", {}, {}, seed=0, limit_s=_SELF_TEST_S).result()
        if outcome.ending is not Ending.RETURNED:
            worker.dismiss()
            why = outcome.error or outcome.detail
            raise WorkerNotReady(f"a worker cannot use the environment: {outcome.ending}, {why}")
        self._untried = False

    def _open(self) -> Worker:
        ours, number = self._next or self._spawn()
        self._next = None
        answer = self._control.answer(number, self._start_timeout_s)
        if "failed" in answer:
            ours.close()
            raise WorkerNotReady(f"no worker could be started:\n{answer['failed']}")
        if self._ahead:
            self._next = self._spawn()
        speed = float(answer.get("speed", 1.0))
        return Worker(self, ours, int(answer["pid"]), self._start_timeout_s, speed)

    def end(self, pid: int) -> Death:
        """Kill a worker and all it started, and wait for that."""
        number = self._control.ask({"op": "end", "pid": pid})
        answer = self._control.answer(number, _KILL_TIMEOUT_S)
        status = answer["status"]
        return Death(
            None if status is None else int(status),
            str(answer.get("why", "")),
            bool(answer.get("out_of_memory", False)),
            int(answer.get("memory_bytes", 0)),
        )

    def dismiss(self, pid: int) -> None:
        """Kill a worker and all it started, without asking how it ended."""
        if not self._ahead:
            self.end(pid)
            return
        if self._last_end is not None:
            self._control.forget(self._last_end)
        self._last_end = self._control.ask({"op": "end", "pid": pid})

    def close(self) -> None:
        """End the worker that was forked ahead; wait until all dismissed workers are gone."""
        with contextlib.suppress(ZygoteGone):  # then its workers are gone as well
            if self._kept is not None:
                self._kept[1].dismiss()
                self._kept = None
            if self._next is not None:
                (ours, number), self._next = self._next, None
                ours.close()
                answer = self._control.answer(number, self._start_timeout_s)
                if "pid" in answer:
                    self.dismiss(int(answer["pid"]))
            if self._last_end is not None:
                number, self._last_end = self._last_end, None
                self._control.answer(number, _KILL_TIMEOUT_S)

    def _spawn(self) -> tuple[socket.socket, int]:
        """Ask for a worker; return our end of its socket, and the number of the request."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            request = {
                "op": "spawn",
                "submission": str(self.submission),
                "code": self._code,
                "modules": self._modules,
            }
            try:
                return ours, self._control.ask(request, [theirs.fileno()])
            except ZygoteGone:
                ours.close()
                raise
