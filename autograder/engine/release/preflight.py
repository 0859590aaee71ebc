"""Preflight: the requirements that a bundle must meet before it is written.

The reference and the template are graded from the unpacked bundle, in the platform's layout, so
that a missing file is found here and not on Gradescope.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.engine.catalogue.audit import Case, Row, audit
from autograder.engine.grading.ledger import PlannedCheck, Verdict
from autograder.engine.grading.plan import plan_checks
from autograder.engine.homework import Homework
from autograder.engine.release.archive import File
from autograder.engine.release.bundle import unpack


@dataclass(frozen=True)
class Result:
    """One requirement, its violations (none if it holds), and the seconds that it took."""

    name: str
    problems: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Preflight:
    """A bundle and the solutions that it must grade correctly.

    Args:
        homework: the settings in the bundle.
        files: the bundle.
        cases: solutions of the catalogue; each must get the result that the catalogue states.
        leaks: returns the places where the students' files reveal the solution.
        jobs: gradings at the same time.
    """

    homework: Homework
    files: Mapping[str, File]
    cases: Sequence[Case]
    leaks: Callable[[], Sequence[str]]
    jobs: int

    def results(self) -> Iterator[Result]:
        """Check every requirement, also after one has failed."""
        plan = plan_checks(self.homework)
        points = f"{self.homework.points:g}"
        yield _check(f"the checks are worth {points} points", lambda: self._points(plan))
        yield _check(
            f"the unpacked bundle gives the reference {points} of {points} points",
            lambda: self._graded(self.homework.reference, full=True),
        )
        yield _check(
            "the unpacked bundle gives the untouched template 0 points",
            lambda: self._graded(self.homework.template, full=False),
        )
        kinds = [case.kind for case in self.cases]
        yield _check(
            f"{kinds.count('wrong')} incorrect solutions of the catalogue are caught and named, "
            f"{kinds.count('right')} correct ones get full marks",
            lambda: list(self._sampled(plan)),
        )
        yield _check("the students' files do not reveal the solution", self.leaks)

    def _points(self, plan: Iterable[PlannedCheck]) -> list[str]:
        checks = sum(check.points or 0.0 for check in plan)
        parts = self.homework.points
        if abs(checks - parts) > 1e-6 or parts <= 0:
            return [f"the checks are worth {checks:g} points, the parts {parts:g}"]
        return []

    def _graded(self, submission: Path, *, full: bool) -> list[str]:
        with tempfile.TemporaryDirectory(prefix="bundle-") as name:
            platform = Path(name)
            platform.chmod(0o711)  # workers run as other users
            unpack(self.files, platform / "source")
            shutil.copy(platform / "source" / "run_autograder", platform)
            # Resolved: workers could not follow a link through a folder that only we may enter.
            environment = Path(sys.prefix).resolve()
            (platform / "source" / ".venv").symlink_to(environment, target_is_directory=True)
            for path in self.homework.files:
                (platform / "submission" / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(submission / path, platform / "submission" / path)
            done = subprocess.run(
                [platform / "run_autograder"],
                cwd=platform,
                capture_output=True,
                text=True,
                timeout=self.homework.deadline_s + 60,
                check=False,
            )
            try:
                results = json.loads((platform / "results" / "results.json").read_bytes())
            except (OSError, ValueError) as error:
                return [f"no results: {error}\n{done.stdout}{done.stderr}"]
        return list(_problems(results, self.homework.points, full=full))

    def _sampled(self, plan: Sequence[PlannedCheck]) -> Iterator[str]:
        for row in audit(self.homework, self.cases, self.jobs):
            for complaint in row.complaints:
                if not self._waived(row, complaint, plan):
                    yield f"{row.case.id} ({row.case.sentence}) {complaint}"

    def _waived(self, row: Row, complaint: str, plan: Sequence[PlannedCheck]) -> bool:
        """Whether a mistake costs nothing only because the settings gave its check weight 0."""
        caught_without_points = {
            check.part
            for check in plan
            if check.number in self.homework.checks
            and check.points is None
            and check.check_id in row.entries
            and row.entries[check.check_id].verdict is Verdict.FAILED
        }
        return any(complaint == f"keeps full marks in {part}" for part in caught_without_points)


def sample(cases: Iterable[Case], parts: Sequence[str], seed: int, each: int) -> list[Case]:
    """Choose for each part `each` incorrect solutions and one correct one.

    The choice depends on the seed, so that another term tries others.
    """
    by_draw = sorted(cases, key=lambda case: hashlib.sha256(f"{seed}:{case.id}".encode()).digest())
    chosen: dict[str, Case] = {}
    for part in parts:
        wrong = [case for case in by_draw if case.kind == "wrong" and part in case.parts]
        right = [case for case in by_draw if case.kind == "right" and part in case.edits]
        chosen |= {case.id: case for case in wrong[:each] + right[:1]}
    return list(chosen.values())


def _check(name: str, find_problems: Callable[[], Sequence[str]]) -> Result:
    started = time.monotonic()
    problems = tuple(find_problems())
    return Result(name, problems, time.monotonic() - started)


def _problems(results: Mapping[str, Any], points: float, *, full: bool) -> Iterator[str]:
    """Yield the problems in the results of the reference (`full`) or the template."""
    tests = results.get("tests", [])
    score = sum(test.get("score", 0) for test in tests)
    if abs(score - (points if full else 0)) > 1e-6:
        yield f"it gets {score:g} points"
    if abs(sum(test.get("max_score", 0) for test in tests) - points) > 1e-6:
        yield f"the maximum is not {points:g} points: {results.get('output', '')}"
    for test in tests:
        wrong = "score" in test and test["score"] != (test["max_score"] if full else 0)
        if wrong or test["extra_data"]["verdict"] == Verdict.GRADER_ERROR.value:
            yield f"{test['name']}: {test['output']}"
