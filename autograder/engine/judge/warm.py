"""A warm judge: imports everything once, then forks a fresh judge for every job.

Importing numpy, pytest, hypothesis and the homework takes as long as many checks. This process
never runs a job itself, so no job can affect the next.
"""

from __future__ import annotations

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
from autograder.engine.homework import HomeworkError, load_homework
from autograder.engine.judge import hypothesis_profile
from autograder.engine.judge.__main__ import judge
from autograder.engine.judge.job import Job
from autograder.engine.judge.trusted_messages import TrustedMessages
from autograder.engine.sandbox.confine import die_with_parent
from autograder.engine.sandbox.fork_server import serve
from autograder.engine.submission.imports import read_imports


def main(argv: list[str]) -> int:
    """Serve `argv[0]`, the descriptor of the requests, for the homework in the folder `argv[1]`."""
    die_with_parent()
    preload(Path(argv[1]))
    gc.collect()
    gc.freeze()  # keeps memory shared with the forks
    server = os.getpid()
    serve(int(argv[0]), lambda request, descriptors: _judge(request, server, *descriptors))
    return 0


def preload(folder: Path) -> None:
    """Import and read all that the checks of a homework need."""
    with contextlib.suppress(ImportError, AttributeError):  # internal; each judge imports them too
        import _pytest.config

        for name in _pytest.config.default_plugins:
            importlib.import_module(f"_pytest.{name}")
    # First, so that the homework can be imported; each judge reports a broken file itself.
    with contextlib.suppress(HomeworkError, OSError, SyntaxError):
        homework = load_homework(folder)
        plan_checks(homework)
        hypothesis_profile.set_up()  # for gradings in which a check fails
        TrustedMessages.of_homework(homework.folder)
    for path in sorted((folder / "checks").rglob("*.py")):
        for each in read_imports(path.read_text(encoding="utf-8")):
            if each.package:
                importlib.import_module(each.module)


def _judge(request: Mapping[str, Any], server: int, control: int, log: int) -> int:
    die_with_parent(server)
    for standard in (1, 2):
        os.dup2(log, standard)
    os.environ.update(request["environment"])
    return judge(Job.read(Path(request["job"])), socket.socket(fileno=control))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
