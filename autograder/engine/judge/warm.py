"""A judge that has everything imported and forks a fresh one for every job.

Importing numpy, pytest, hypothesis and the homework takes as long as a good part of the checks.
Who grades many submissions pays it once: this process imports, and never runs a job itself; what
a job leaves behind ends with its fork.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autograder.engine.grading.plan import plan_checks
from autograder.engine.homework import AssignmentError, load_assignment
from autograder.engine.judge.__main__ import judge
from autograder.engine.judge.job import Job
from autograder.engine.judge.trusted_messages import TrustedMessages
from autograder.engine.sandbox.confine import die_with_parent
from autograder.engine.sandbox.fork_server import serve


def main(argv: list[str]) -> int:
    """Serve `argv[0]`, the descriptor of the requests, for the homework package `argv[1]`."""
    die_with_parent()
    preload(argv[1])
    gc.collect()
    gc.freeze()  # what is shared stays shared
    server = os.getpid()
    serve(int(argv[0]), lambda request, descriptors: _judge(request, server, *descriptors))
    return 0


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
        TrustedMessages.of_homework(assignment.folder)


def _judge(request: Mapping[str, Any], server: int, control: int, log: int) -> int:
    die_with_parent(server)
    for standard in (1, 2):
        os.dup2(log, standard)
    os.environ.update(request["environment"])
    return judge(Job.read(Path(request["job"])), socket.socket(fileno=control))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
