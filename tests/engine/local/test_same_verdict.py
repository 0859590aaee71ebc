"""Public checks have the same result in a student's own pytest as on Gradescope.

A sample of the catalogue is compared; with ALL_CASES=1 in the environment all of it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autograder.engine.catalogue.audit import Case, audit
from autograder.engine.catalogue.cases import all_cases
from autograder.engine.grading.plan import plan_checks
from tests.this_homework import THIS

ROOT = Path(__file__).resolve().parents[3]
REFERENCE, TEMPLATE = ROOT / "reference", ROOT / "student_template"
ALL = os.environ.get("ALL_CASES") == "1"
# One case in 41, so that all parts are among them; the first two are always included.
EVERY = 1 if ALL else 41

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def compared_cases() -> list[Case]:
    """The cases that are compared."""
    cases = [case for case in all_cases(THIS) if case.seed is None]
    always = [case for case in cases if case.id in ("reference", "template")]
    return always + [case for case in cases if case not in always][::EVERY]


def numbers_of(case: Case) -> list[str]:
    """The parts whose public checks a case can affect."""
    return sorted(case.edits) or ["1.1", "1.2", "1.3", "2.2", "4.2", "5.5"]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cases as the driver reads them."""
    path = tmp_path_factory.mktemp("jobs") / "jobs.json"
    cases = [
        {"id": c.id, "files": dict(c.files), "numbers": numbers_of(c)} for c in compared_cases()
    ]
    path.write_text(json.dumps(cases), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def handout(unzipped: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the handout, since the driver works in it."""
    return Path(shutil.copytree(unzipped, tmp_path_factory.mktemp("handout") / "homework"))


Results = dict[str, dict[str, list[Any]]]


@pytest.fixture(scope="module")
def remote() -> Results:
    """The results of the public checks of every case in a grading."""
    plan = plan_checks(THIS)
    private = frozenset(c.number for c in plan if not c.check_id.startswith("public/"))
    cases = [
        replace(case, run=frozenset(numbers_of(case)), skip=private) for case in compared_cases()
    ]
    rows = {row.case.id: row for row in audit(THIS, cases, jobs=2)}
    return {
        case.id: {
            name: [e.verdict.value, e.share, e.mistake, e.feedback]
            for name, e in rows[case.id].entries.items()
        }
        for case in cases
    }


def test_a_students_pytest_has_the_results_of_gradescope(
    handout: Path, jobs: Path, remote: Results
) -> None:
    """Verdict, points, named mistake and every word of the feedback are the same."""
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "tests" / "engine" / "local" / "many_submissions.py",
            handout,
            jobs,
        ],
        capture_output=True,
        text=True,
        timeout=7200 if ALL else 600,
        check=False,
        cwd=handout,
    )
    assert done.returncode == 0, done.stderr
    local: Results = json.loads(done.stdout)
    assert list(local) == list(remote)
    differences = [
        f"{case}, {check}: {local[case].get(check)} here, {checks.get(check)} on Gradescope"
        for case, checks in remote.items()
        for check in {**checks, **local[case]}
        if local[case].get(check) != checks.get(check)
    ]
    assert not differences, "\n".join(differences)
    assert sum(len(checks) for checks in remote.values()) > 50
    verdicts = {result[0] for checks in remote.values() for result in checks.values()}
    assert {"passed", "failed", "not attempted"} <= verdicts
