"""A judge that has everything imported and forks a fresh one for every job.

Importing numpy, pytest, hypothesis and the homework takes as long as a good part of the checks.
Who grades many submissions pays it once: this process imports, and never runs a job itself; what
a job leaves behind ends with its fork.

It talks over a SOCK_SEQPACKET pair. A request is one packet `{"job": PATH, "environment": {...}}`
with three descriptors: the zygote's control socket, the log, and a socket for the answer, on which
it sends `{"pid": N}` and, once the fork has ended, `{"status": N}`.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib
import json
import os
import select
import socket
import sys
from pathlib import Path

from autograder.engine.assignment import AssignmentError, load_assignment
from autograder.engine.inventory import plan_checks
from autograder.engine.judge.__main__ import judge
from autograder.engine.judge.job import Job
from autograder.engine.judge.sentences import Sentences
from autograder.engine.worker.confine import die_with_parent


def main(argv: list[str]) -> int:
    """Serve `argv[0]`, the descriptor of the requests, for the homework package `argv[1]`."""
    die_with_parent()
    preload(argv[1])
    gc.collect()
    gc.freeze()  # what is shared stays shared
    requests = socket.socket(fileno=int(argv[0]))
    running: dict[int, tuple[int, socket.socket]] = {}  # pidfd: pid, where its end is told
    while True:
        ready, _, _ = select.select([requests.fileno(), *running], [], [])
        for pidfd in set(ready) & set(running):
            pid, answer = running.pop(pidfd)
            os.close(pidfd)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            _tell(answer, {"status": status})
            answer.close()
        if requests.fileno() in ready:
            packet, descriptors, _, _ = socket.recv_fds(requests, 65536, 3)
            if not packet:
                return 0
            ours, pid = os.getpid(), os.fork()
            if pid == 0:
                _become_judge(json.loads(packet), ours, *descriptors)
            answer = socket.socket(fileno=descriptors[2])
            for descriptor in descriptors[:2]:
                os.close(descriptor)
            _tell(answer, {"pid": pid})
            running[os.pidfd_open(pid)] = pid, answer


def preload(package: str) -> None:
    """Import and read what the checks of a homework need, so that every fork has it already."""
    import _pytest.config

    for name in _pytest.config.default_plugins:
        importlib.import_module(f"_pytest.{name}")
    folder = Path(importlib.import_module(package).__file__ or "").parent / "checks"
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                importlib.import_module(node.module)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    importlib.import_module(alias.name)
    # What a broken file is worth, each judge says by itself.
    with contextlib.suppress(AssignmentError, OSError, SyntaxError):
        assignment = load_assignment(package)
        plan_checks(assignment)
        Sentences.of_homework(assignment.folder)


def _become_judge(
    request: dict[str, object], parent: int, control: int, log: int, answer: int
) -> None:
    status = 70
    try:
        die_with_parent(parent)
        os.close(answer)  # else nobody would notice that the warm process has died
        for standard in (1, 2):
            os.dup2(log, standard)
        job_file = Path(str(request["job"]))
        environment = request["environment"]
        if isinstance(environment, dict):
            os.environ.update(environment)
        status = judge(Job.read(job_file), socket.socket(fileno=control))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)  # never back into the loop that serves requests


def _tell(answer: socket.socket, what: dict[str, int]) -> None:
    with contextlib.suppress(OSError):  # who asked may be gone
        answer.send(json.dumps(what).encode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
