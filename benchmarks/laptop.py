"""Is `pytest` quick on a student's machine? `.venv/bin/python -m benchmarks.laptop --times N`.

Builds and unzips the handout, solves it with the reference, and measures the processor time of
`python -c "import torch"`, of `pytest -k 1.1` and of `pytest`, one after the other and again, so
that what else the machine does meets all alike.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from autograder.engine.release.handout import ZIP, build_handout
from tests.this_homework import REFERENCE, THIS

# Times the processor time of importing torch; what may be needed at most.
MOST = {"pytest -k 1.1": 1.3, "pytest": 3.0}


def cpu_time_s(command: list[str], folder: Path) -> float:
    """Run a command; return the processor time that it and its children took.

    Raises:
        CalledProcessError: it failed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "PYTHONPATH"))
    }
    subprocess.run(command, cwd=folder, check=True, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def handout(folder: Path) -> Path:
    """Return an unzipped handout with the reference's solutions in it."""
    homework = THIS
    build_handout(homework, folder)
    with zipfile.ZipFile(folder / ZIP) as archive:
        archive.extractall(folder / "homework")
    for name in homework.files:
        shutil.copy(REFERENCE / name, folder / "homework" / name)
    return folder / "homework"


def main() -> int:
    """Measure and compare with what may be needed; 1 if it is more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5, metavar="N")
    options = parser.parse_args()
    # A student's environment has neither hypothesis nor its plugin.
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:hypothesispytest"]
    commands = {
        "import torch": [sys.executable, "-c", "import torch"],
        "pytest -k 1.1": [*pytest, "-k", "1.1"],
        "pytest": pytest,
    }
    took: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory(prefix="laptop-") as name:
        folder = handout(Path(name))
        for command in commands.values():  # files come from the disk, byte code is written
            cpu_time_s(command, folder)
        for _ in range(options.times):
            for title, command in commands.items():
                took[title].append(cpu_time_s(command, folder))
    slow = False
    for title, seconds in took.items():
        ratios = [s / torch for s, torch in zip(seconds, took["import torch"], strict=True)]
        ratio, most = statistics.median(ratios), MOST.get(title)
        slow = slow or (most is not None and ratio > most)
        bound = f", at most {most:g}" if most is not None else ""
        print(
            f"{title:<14} {statistics.median(seconds):6.2f} s of processor time, "
            f"{ratio:.2f} times import torch ({min(ratios):.2f} to {max(ratios):.2f}){bound}"
        )
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
