"""kill -9 at random moments: `.venv/bin/python -m benchmarks.kills --times 200`.

Grades the reference again and again, on a few checks, and every time kills the judge, the zygote
or a worker at a random moment. Whatever was killed, results.json must be valid and complete, every
check passed or said to be the grader's fault (or lost its worker, where a worker was killed), no
process left, and the top of the output must say what happened. Prints what was killed and what
came of it; ends with status 1 at the first grading of which this does not hold.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil

from autograder.engine.grading.ledger import Verdict
from autograder.engine.grading.plan import plan_checks
from autograder.engine.grading.supervisor import Report, Request, grade
from autograder.engine.sandbox.launch import ZygoteHolder
from tests.this_homework import THIS

ROOT = Path(__file__).resolve().parents[1]
CHECKS = ("1.1.1", "1.2.5", "2.2.1", "2.2.3", "4.2.3", "5.5.3")
TARGETS = ("judge", "zygote", "worker")
_AT_MOST_S = 60.0


@dataclass(frozen=True)
class Killed:
    """What was killed, how long after the start, and what came of it."""

    target: str
    after_s: float
    report: Report


class Range:
    """Grades with a killer at its side.

    Args:
        folder: to work in.
        seed: of what is killed, and when.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._random = random.Random(seed)
        self._homework = THIS
        self._plan = plan_checks(self._homework)
        (folder / "workers").mkdir(mode=0o711)
        self.zygote = ZygoteHolder(THIS.folder, folder / "workers", folder / "zygote.log")
        self._usual_s = 3.0

    def round(self) -> Killed:
        """Grade once, kill something during it, and look at what is left.

        Raises:
            AssertionError: the results are not as they must be; says how.
        """
        target = self._random.choice(TARGETS)
        after_s = self._random.uniform(0.0, self._usual_s)
        over, hit = threading.Event(), threading.Event()
        killer = threading.Thread(target=self._kill, args=(target, after_s, over, hit))
        results = self._folder / "results.json"
        only = tuple(c.check_id for c in self._plan if c.number in CHECKS)
        began = time.monotonic()
        killer.start()
        try:
            report = grade(
                Request(
                    submission=ROOT / "reference",
                    results=results,
                    homework=self._homework,
                    only=only,
                ),
                self.zygote,
            )
        finally:
            over.set()
            killer.join()
        took_s = time.monotonic() - began
        if not hit.is_set():
            target = "nothing"
            self._usual_s = took_s
        self._look_at(report, json.loads(results.read_text(encoding="utf-8")), target, took_s)
        return Killed(target, after_s, report)

    def _kill(
        self, target: str, after_s: float, over: threading.Event, hit: threading.Event
    ) -> None:
        over.wait(after_s)
        while not over.is_set():
            found = self._find(target)
            if found is not None:
                with contextlib.suppress(psutil.Error):
                    found.kill()
                    hit.set()
                return
            over.wait(0.002)

    def _find(self, target: str) -> psutil.Process | None:
        with contextlib.suppress(psutil.Error):
            if target == "zygote":
                return psutil.Process(self.zygote.pid) if self.zygote.pid else None
            if target == "worker":
                workers = psutil.Process(self.zygote.pid).children() if self.zygote.pid else []
                return self._random.choice(workers) if workers else None
            for child in psutil.Process().children():
                if "autograder.engine.judge" in child.cmdline():
                    return child
        return None

    def _look_at(
        self, report: Report, written: dict[str, object], target: str, took_s: float
    ) -> None:
        assert written == report.results, "what was written is not what was reported"
        tests = written["tests"]
        assert isinstance(tests, list)
        assert [t["number"] for t in tests] == [c.number for c in self._plan], "a check is missing"
        asked = [report.entries[c.check_id] for c in self._plan if c.number in CHECKS]
        for entry in asked:
            fine = entry.verdict in (Verdict.PASSED, Verdict.GRADER_ERROR)
            if target == "worker":
                fine |= entry.verdict is Verdict.FAILED and "it was killed" in entry.feedback
            assert fine, f"{target} killed: {entry}"
            if entry.verdict is Verdict.GRADER_ERROR:
                assert entry.check_id in report.log, "the staff's log does not say why"
        assert took_s < _AT_MOST_S, f"{target} killed: it took {took_s:.0f} s"
        left = {p.pid for p in psutil.Process().children(recursive=True)} - {self.zygote.pid}
        assert not left, f"{target} killed: processes left: {left}"


def main() -> None:
    """Run and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        grounds = Range(folder, options.seed)
        for _ in range(options.times):
            killed = grounds.round()
            passed = sum(e.verdict is Verdict.PASSED for e in killed.report.entries.values())
            counts[killed.target, f"{passed} of {len(CHECKS)} passed"] += 1
        grounds.zygote.close()
    for (target, outcome), times in sorted(counts.items()):
        print(f"{times:4} x {target:8} {outcome}")


if __name__ == "__main__":
    main()
