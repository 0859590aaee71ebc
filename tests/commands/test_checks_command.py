"""`python -m autograder checks`: all checks as a table and as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.cli import main
from autograder.engine.grading.plan import plan_checks
from tests.this_homework import THIS

PLAN = plan_checks(THIS)


def test_the_table_lists_every_check_with_its_points(capsys: pytest.CaptureFixture[str]) -> None:
    """A line each, in the plan's order; advice carries no points."""
    assert main(["checks"]) == 0
    heading, *lines, total = capsys.readouterr().out.splitlines()
    assert heading.split() == ["number", "points", "visibility", "kind", "title"]
    assert len(lines) == len(PLAN)
    for line, check in zip(lines, PLAN, strict=True):
        points = "advice" if check.points is None else f"{check.points:g}"
        kind = "public" if check.check_id.startswith("public/") else "private"
        assert line.split()[:4] == [check.number, points, check.visibility, kind]
        assert line.endswith(f"  {check.title}")
    assert total == f"{len(PLAN)} checks, 65 points."


def test_json_holds_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """For programs: points are a number or null."""
    assert main(["checks", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["number"] for each in listed] == [check.number for check in PLAN]
    assert sum(each["points"] or 0 for each in listed) == pytest.approx(65)
    advice = next(each for each in listed if each["number"] == "1.3.9")
    assert advice == {
        "number": "1.3.9",
        "title": "Advice: flow_network.py has no edit outside the markers, missing import "
        "or torch.compile.",
        "part": "1.3",
        "points": None,
        "visibility": "visible",
        "kind": "public",
        "check_id": "public/test_edits.py::test_flow_is_changed_in_its_regions_only",
    }


def test_other_settings_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What an instructor tries out: a hidden check that is worth more."""
    shipped = Path("autograder/homework/assignment.toml")
    text = (Path(__file__).resolve().parents[2] / shipped).read_text(encoding="utf-8")
    entry = '[checks]\n"1.1.2" = { visibility = "hidden", weight = 0 }\n'
    config = tmp_path / "my.toml"
    config.write_text(text.replace("[checks]\n", entry), encoding="utf-8")
    assert main(["checks", "--config", str(config)]) == 0
    (line,) = (x for x in capsys.readouterr().out.splitlines() if x.startswith("1.1.2 "))
    assert line.split()[1:4] == ["advice", "hidden", "private"]


def test_a_reader_that_reads_only_the_head_causes_no_traceback() -> None:
    """As in `python -m autograder checks --json | head`."""
    command = [sys.executable, "-m", "autograder", "checks", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    _, errors = process.communicate(timeout=60)
    assert (errors, process.returncode) == (b"", 141)
