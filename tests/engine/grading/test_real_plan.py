"""The plan of the real homework: what pytest collects, and the handout's points."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from autograder.engine.grading.plan import plan_checks
from tests.this_homework import THIS

ROOT = Path(__file__).resolve().parents[3]

_COLLECT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import pytest
from autograder.engine.judge import base_plugin

class Collector:
    def pytest_configure(self, config):
        for marker in base_plugin._MARKERS:
            config.addinivalue_line("markers", marker)

    @pytest.hookimpl(tryfirst=True)  # before the homework's own hook, which needs a judge
    def pytest_collection_finish(self, session):
        names = ("number", "weight", "visibility")
        found = {
            item.nodeid: {
                **{name: getattr(item.obj, f"__{name}__", None) for name in names},
                "title": item.obj.__doc__.partition("\\n")[0],
            }
            for item in session.items
        }
        print("FOUND", json.dumps(found))
        pytest.exit("collected", returncode=0)

options = ["-p", "no:cacheprovider", "--import-mode", "importlib", "--strict-markers", "-q"]
options += ["-c", sys.argv[2], "--rootdir", ".", "--confcutdir", "."]
sys.exit(pytest.main([*options, "public", "private"], plugins=[Collector()]))
"""


def test_the_plan_is_what_pytest_collects(tmp_path: Path) -> None:
    """The real checks, imported: the same ids, numbers, weights, visibility and titles."""
    homework = THIS
    ini = ROOT / "autograder" / "engine" / "judge" / "pytest.ini"
    run = subprocess.run(
        [sys.executable, "-I", "-c", _COLLECT, str(ROOT), str(ini)],
        cwd=homework.folder / "checks",
        env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    line = next((x for x in run.stdout.splitlines() if x.startswith("FOUND ")), None)
    assert line is not None, run.stdout + run.stderr
    collected: dict[str, dict[str, Any]] = json.loads(line.removeprefix("FOUND "))
    planned = {
        c.check_id: {
            "number": c.number,
            "weight": c.points,  # as long as the settings give the parts the handout's points
            "visibility": None if c.visibility == homework.visibility else c.visibility,
            "title": c.title,
        }
        for c in plan_checks(homework)
    }
    assert collected == planned


def test_the_real_plan_adds_up_to_the_handouts_points() -> None:
    """65 points, 5 + 5 + 10 + 15 + 15 + 15, every check under its part's number."""
    homework = THIS
    plan = plan_checks(homework)
    for part in homework.parts:
        points = [c.points for c in plan if c.part == part.number and c.points is not None]
        assert math.fsum(points) == part.points
    assert math.fsum(c.points for c in plan if c.points is not None) == 65
    assert all(c.number.startswith(f"{c.part}.") for c in plan)
    assert len({c.number for c in plan}) == len({c.check_id for c in plan}) == len(plan)
