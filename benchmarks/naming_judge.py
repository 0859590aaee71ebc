"""A judge that writes down which worker is asked for what; for `benchmarks/by_process.py`.

It is the judge of every grading but for one line of a file at each request to a worker: from
outside, all workers of a grading look alike.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from autograder.engine.judge.__main__ import main as judge
from autograder.engine.judge.worker import PendingCall, Worker


def main(argv: list[str]) -> int:
    """Run a judge. The arguments: its job file, its control descriptor, the file to write to."""
    notes = Path(argv[2])
    start = Worker.start

    def noted(worker: Worker, experiment: str, *arguments: Any, **named: Any) -> PendingCall:
        with notes.open("a", encoding="utf-8") as file:
            file.write(f"{worker._pid} {experiment}\n")
        return start(worker, experiment, *arguments, **named)

    Worker.start = noted  # type: ignore[method-assign, assignment]
    return judge(argv[:2])


if __name__ == "__main__":
    ended = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ended)  # as the judge itself does
