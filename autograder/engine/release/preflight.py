"""Requirements that a bundle must meet before it is written.

The reference and the template are graded from the unpacked bundle itself, in the platform's
layout, so that a missing file is found here and not on Gradescope.
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
from autograder.engine.homework import Assignment
from autograder.engine.release.bundle import Packed, unpack


@dataclass(frozen=True)
class Result:
    """One requirement, what violates it (empty when it holds), and the seconds that it took."""

    name: str
    problems: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Preflight:
    """The bundle and what it is checked against.

    Args:
        assignment: the settings that the bundle holds.
        files: the bundle.
        reference: must get full marks.
        pristine: the template; must get nothing.
        cases: of the catalogue; each must end as the catalogue says.
        leaks: finds where the students' files reveal the solution, one sentence each.
        jobs: processes that grade the cases.
    """

    assignment: Assignment
    files: Mapping[str, Packed]
    reference: Path
    pristine: Path
    cases: Sequence[Case]
    leaks: Callable[[], Sequence[str]]
    jobs: int

    def results(self) -> Iterator[Result]:
        """Check every requirement, also after one has failed."""
        plan = plan_checks(self.assignment)
        points = f"{self.assignment.points:g}"
        yield _check(
            f"the checks' points sum to the assignment's {points}", lambda: self._points(plan)
        )
        yield _check(
            f"from the unpacked bundle, the reference gets {points} of {points}",
            lambda: self._graded(self.reference, full=True),
        )
        yield _check(
            "from the unpacked bundle, the untouched template gets 0",
            lambda: self._graded(self.pristine, full=False),
        )
        kinds = [case.kind for case in self.cases]
        yield _check(
            f"of the catalogue, {kinds.count('wrong')} wrong solutions are caught and named, "
            f"{kinds.count('right')} right ones keep full marks",
            lambda: list(self._sampled(plan)),
        )
        yield _check("the students' files do not reveal the solution", self.leaks)

    def _points(self, plan: Iterable[PlannedCheck]) -> list[str]:
        total = sum(check.points or 0.0 for check in plan)
        wanted = self.assignment.points
        if abs(total - wanted) > 1e-6 or wanted <= 0:
            return [f"the checks carry {total:g} points, the parts {wanted:g}"]
        return []

    def _graded(self, submission: Path, *, full: bool) -> list[str]:
        with tempfile.TemporaryDirectory(prefix="bundle-") as name:
            platform = Path(name)
            platform.chmod(0o711)  # workers have users of their own
            unpack(self.files, platform / "source")
            shutil.copy(platform / "source" / "run_autograder", platform)
            # Straight to it: workers could not follow a link that lies where only we can go.
            environment = Path(sys.prefix).resolve()
            (platform / "source" / ".venv").symlink_to(environment, target_is_directory=True)
            for path in self.assignment.files:
                (platform / "submission" / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(submission / path, platform / "submission" / path)
            done = subprocess.run(
                [platform / "run_autograder"],
                cwd=platform,
                capture_output=True,
                text=True,
                timeout=self.assignment.deadline_s + 60,
                check=False,
            )
            try:
                results = json.loads((platform / "results" / "results.json").read_bytes())
            except (OSError, ValueError) as error:
                return [f"no results: {error}\n{done.stdout}{done.stderr}"]
        return list(_problems(results, self.assignment.points, full=full))

    def _sampled(self, plan: Sequence[PlannedCheck]) -> Iterator[str]:
        config = self.assignment.config
        rows = audit(self.assignment.package, self.cases, self.pristine, self.jobs, config)
        for row in rows:
            for complaint in row.complaints:
                if not self._waived(row, complaint, plan):
                    yield f"{row.case.id} ({row.case.sentence}) {complaint}"

    def _waived(self, row: Row, complaint: str, plan: Sequence[PlannedCheck]) -> bool:
        """Whether a mistake costs nothing only because the settings gave its check weight 0."""
        found_without_points = {
            check.part
            for check in plan
            if check.number in self.assignment.checks
            and check.points is None
            and check.check_id in row.entries
            and row.entries[check.check_id].verdict is Verdict.FAILED
        }
        return any(complaint == f"keeps full marks in {part}" for part in found_without_points)


def sample(cases: Iterable[Case], parts: Sequence[str], seed: int, each: int) -> list[Case]:
    """Choose cases, spread over the parts: `each` wrong ones a part, and one right one.

    Which ones follows from the seed, so that another term tries other ones.
    """
    by_draw = sorted(cases, key=lambda case: hashlib.sha256(f"{seed}:{case.id}".encode()).digest())
    chosen: dict[str, Case] = {}
    for part in parts:
        wrong = [case for case in by_draw if case.kind == "wrong" and part in case.parts]
        right = [case for case in by_draw if case.kind == "right" and part in case.edits]
        chosen |= {case.id: case for case in wrong[:each] + right[:1]}
    return list(chosen.values())


def _check(name: str, find: Callable[[], Sequence[str]]) -> Result:
    started = time.monotonic()
    problems = tuple(find())
    return Result(name, problems, time.monotonic() - started)


def _problems(results: Mapping[str, Any], points: float, *, full: bool) -> Iterator[str]:
    """Say what is wrong with the results of the reference, or of the template."""
    tests = results.get("tests", [])
    score = sum(test.get("score", 0) for test in tests)
    if abs(score - (points if full else 0)) > 1e-6:
        yield f"it gets {score:g} points"
    if abs(sum(test.get("max_score", 0) for test in tests) - points) > 1e-6:
        yield f"its results are not out of {points:g} points: {results.get('output', '')}"
    for test in tests:
        wrong = "score" in test and test["score"] != (test["max_score"] if full else 0)
        if wrong or test["extra_data"]["verdict"] == Verdict.GRADER_ERROR.value:
            yield f"{test['name']}: {test['output']}"
