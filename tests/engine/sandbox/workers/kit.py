"""A real zygote, started or forked by a prefork server, and one worker for a test."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from autograder.engine.judge.calls import Ending, Outcome
from autograder.engine.judge.launcher import Launcher
from autograder.engine.judge.worker import PendingCall, Worker
from autograder.engine.sandbox.frames import Array
from autograder.engine.sandbox.launch import ZygoteHolder, open_prefork
from tests.processes import PATIENCE_S

ROOT = Path(__file__).resolve().parents[4]
HOMEWORK = Path(__file__).resolve().parents[3] / "small_homework"
VECTOR = np.array([1.0, 2.0, 3.0], np.float32)
SOLUTION = (ROOT / "tests" / "small_homework" / "solution.py").read_text()

IMPORTS_LATE = """
def unused(x):
    from nothing_of_this_name import init
    return x.mul_(2)


def used(x):
    import nothing_of_this_name as nothing
    return nothing.init(x)


def loaded():
    import sys
    return sorted({"matplotlib.pyplot", "sklearn.datasets", "sklearn.nope"} & set(sys.modules))


def plots(x):
    import matplotlib.pyplot as plt
    plt.figure()
    plt.plot(x)
    plt.title("$x$")
    plt.show()
    plt.savefig("figure.png")
    return x
"""

FILES = {
    "solution.py": SOLUTION,
    "unreadable.py": "def f():\n    return (1 +\n",
    "imports_unreadable.py": "\n\n\nfrom codebase import unreadable\n",
    "crooked.py": "def f():\n\treturn 1\n        return 2\n",
    "exits_on_import.py": "import sys\nsys.exit(0)\n",
    "dies_on_import.py": "import os\nos._exit(0)\n",
    "loops_on_import.py": "while True:\n    pass\n",
    "needs_sklearn.py": "import sklearn.nothing_of_this_name\n",
    "imports_late.py": IMPORTS_LATE,
    # Never picked up: the student's folders come after the library's.
    "json.py": "raise SystemError('shadowed')\n",
    "torch.py": "raise SystemError('shadowed')\n",
    "colorsys.py": "raise SystemError('shadowed')\n",
}


def line_of(text: str) -> int:
    """The number of the first line of the solution that contains this text."""
    return next(n for n, line in enumerate(SOLUTION.splitlines(), 1) if text in line)


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that other users can pass through, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="test-workers-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


def write_submission(root: Path) -> None:
    """Write the files above, and some that would shadow Python's own modules."""
    (root / "codebase").mkdir()
    for name, text in FILES.items():
        (root / "codebase" / name).write_text(text)
    for name in ("random.py", "torch.py", "colorsys.py", "sitecustomize.py"):
        (root / name).write_text("raise SystemError('shadowed')\n")


class Grader:
    """A zygote, started or forked by a prefork server, and a launcher of its workers."""

    def __init__(
        self,
        submission: Path,
        folder: Path,
        homework: Path = HOMEWORK,
        *,
        prefork: bool = False,
        modules: tuple[str, ...] = (),
    ) -> None:
        self.prefork = open_prefork(homework, folder) if prefork else None
        self.submission = submission
        self.temporary = folder / "workers"
        self.temporary.mkdir(mode=0o711)
        self.log = folder / "log"
        self.holder = ZygoteHolder(homework, self.temporary, self.log, self.prefork)
        self.control = self.holder.connect()
        self.launcher = Launcher(
            self.control, submission, PATIENCE_S, code="codebase", modules=modules
        )

    @property
    def zygote(self) -> psutil.Process:
        """The zygote's process."""
        running = self.holder._running
        assert running is not None
        return psutil.Process(running.process.pid)

    def close(self) -> None:
        """End the zygote and the prefork server."""
        self.holder.close()
        if self.prefork is not None:
            self.prefork.close()


class Hand:
    """One worker that a test calls."""

    def __init__(self, grader: Grader) -> None:
        self.worker: Worker = grader.launcher.open()
        self.submission = grader.submission

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self.worker._pid

    def call(self, function: str, *arrays: Array, **how: Any) -> Outcome:
        """Call a function of the submission and wait for its end; see `start`."""
        return self.start(function, *arrays, **how).result()

    def start(
        self,
        function: str,
        *arrays: Array,
        module: str = "solution",
        times: int = 1,
        seed: int = 0,
        limit_s: float = PATIENCE_S,
    ) -> PendingCall:
        """Call a function of the submission without waiting."""
        return self.worker.start(
            "call",
            {"module": module, "function": function, "times": times},
            {str(i): array for i, array in enumerate(arrays)},
            seed=seed,
            limit_s=limit_s,
        )

    def value(self, function: str, *arrays: Array, seed: int = 0) -> Any:
        """Call a function that returns a plain value."""
        outcome = self.call(function, *arrays, seed=seed)
        assert outcome.ending is Ending.RETURNED, outcome
        return outcome.values["value"]


def is_alive_and_well(grader: Grader) -> bool:
    """Whether the zygote still forks workers that answer."""
    hand = Hand(grader)
    try:
        return hand.call("forty_two").ending is Ending.RETURNED
    finally:
        hand.worker.close()
