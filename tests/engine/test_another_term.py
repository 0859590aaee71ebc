"""Another term's settings, docs/examples/term.toml, through whole gradings."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from autograder import cli
from autograder.commands.common import HOMEWORK
from autograder.engine.grading.plan import hash_of_checks, plan_checks
from autograder.engine.grading.supervisor import Request, grade
from autograder.engine.homework import load_homework
from autograder.engine.local.planned import PLAN
from tests.this_homework import THIS

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "term.toml"
SCHEMA = json.loads((ROOT / "tests" / "results.schema.json").read_text(encoding="utf-8"))

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def of_reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The reference's results under the other settings, another seed among them."""
    results = tmp_path_factory.mktemp("term") / "results.json"
    arguments = [str(ROOT / "reference"), "--config", str(EXAMPLE), "--results", str(results)]
    assert cli.main(["grade", *arguments]) == 0
    content: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    jsonschema.validate(content, SCHEMA)
    return content


def test_the_reference_gets_full_marks_with_another_seed(of_reference: dict[str, Any]) -> None:
    """Other cases, other points, other thresholds: still all of them, advice silent."""
    assert {test["extra_data"]["verdict"] for test in of_reference["tests"]} == {"passed"}
    assert sum(test.get("score", 0) for test in of_reference["tests"]) == pytest.approx(100)
    assert of_reference["extra_data"]["seed"] == 20270401


def test_points_and_visibility_are_those_of_the_file(of_reference: dict[str, Any]) -> None:
    """Parts, single checks and private checks, as they are spoken of."""
    tests = {test["number"]: test for test in of_reference["tests"]}
    points: dict[str, float] = {}
    for number, test in tests.items():
        part = number.rpartition(".")[0]
        points[part] = points.get(part, 0) + test.get("max_score", 0)
    assert points == pytest.approx(
        {"1.1": 10, "1.2": 10, "1.3": 15, "2.2": 20, "4.2": 22.5, "5.5": 22.5}
    )
    assert "max_score" not in tests["2.2.5"]  # weight 0
    assert tests["1.2.1"]["visibility"] == "visible"  # the check's own entry
    assert tests["1.2.2"]["visibility"] == "after_published"  # its part's
    assert tests["5.5.1"]["visibility"] == "after_due_date"  # private
    assert tests["5.5.5"]["visibility"] == "visible"  # public
    assert "spring term" in of_reference["output"]
    assert (
        "Shown so far: 32.75 of 100 points; 21 more checks appear after" in of_reference["output"]
    )


def test_the_leaderboard_shows_what_the_judge_measured(of_reference: dict[str, Any]) -> None:
    """One column, the held-out log-likelihood, within what right solutions reach."""
    (column,) = of_reference["leaderboard"]
    assert column["name"] == "Held-out log-likelihood (nats per example)"
    assert column["order"] == "desc"
    assert -1.24 < column["value"] < -1.09


def test_the_hash_is_that_of_these_settings(of_reference: dict[str, Any]) -> None:
    """--config changes what is graded by, and the results say so."""
    checks_sha256 = of_reference["extra_data"]["checks_sha256"]
    assert checks_sha256 == hash_of_checks(load_homework(HOMEWORK, EXAMPLE))
    assert checks_sha256 != hash_of_checks(THIS)


def test_without_hints_students_see_the_numbers_and_staff_the_mistake(tmp_path: Path) -> None:
    """A wrong sign is not named to the student; who looks after the class still learns of it."""
    shutil.copytree(ROOT / "reference" / "codebase", tmp_path / "submission" / "codebase")
    file = tmp_path / "submission" / "codebase" / "flow_network.py"
    text = file.read_text(encoding="utf-8")
    assert "log_det = -alpha.sum" in text
    file.write_text(text.replace("log_det = -alpha.sum", "log_det = alpha.sum"), encoding="utf-8")
    entries = {}
    for name, config in (("own", None), ("term", EXAMPLE)):
        homework = load_homework(HOMEWORK, config)
        check = next(c for c in plan_checks(homework) if c.number == "1.2.2")
        assert homework.config is not None
        report = grade(
            Request(
                submission=tmp_path / "submission",
                results=tmp_path / f"{name}.json",
                homework=homework,
                only=(check.check_id,),
            )
        )
        entries[name] = report.entries[check.check_id]
        assert "leaderboard" not in report.results  # nothing was measured
    assert entries["own"].mistake == entries["term"].mistake
    assert "inverse-log-det-sign" in str(entries["own"].mistake)
    hint = "The log-determinant of inverse() has the wrong sign"
    assert hint in entries["own"].feedback
    assert hint not in entries["term"].feedback
    assert "got " in entries["term"].feedback


def test_a_class_is_graded_by_the_file_too(tmp_path: Path) -> None:
    """Its results say the same hash as a bundle's with these settings, and the page the title."""
    shutil.copytree(ROOT / "student_template", tmp_path / "class" / "ada")
    out = tmp_path / "out"
    arguments = [str(tmp_path / "class"), "--out", str(out), "--config", str(EXAMPLE)]
    assert cli.main(["class", *arguments, "--only", "1.1.1"]) == 0
    (file,) = out.glob("results/*/*.json")
    results = json.loads(file.read_text(encoding="utf-8"))["results"]
    here = hash_of_checks(load_homework(HOMEWORK, EXAMPLE))
    assert results["extra_data"]["checks_sha256"] == here
    assert "spring term" in (out / "index.html").read_text(encoding="utf-8")


def test_the_handout_carries_the_file(tmp_path: Path) -> None:
    """A laptop has the seed, the title and the points that the platform has."""
    assert cli.main(["handout", "--out", str(tmp_path), "--config", str(EXAMPLE)]) == 0
    with zipfile.ZipFile(tmp_path / "handout.zip") as archive:
        (settings,) = (name for name in archive.namelist() if name.endswith("assignment.toml"))
        assert archive.read(settings) == EXAMPLE.read_bytes()
        (plan,) = (name for name in archive.namelist() if name.endswith(PLAN))
        handed_out = json.loads(archive.read(plan))
    points = {check["number"]: check["points"] for check in handed_out["checks"]}
    term = plan_checks(load_homework(HOMEWORK, EXAMPLE))
    assert points == {c.number: c.points for c in term if c.check_id.startswith("public/")}
