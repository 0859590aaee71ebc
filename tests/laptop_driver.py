"""Run many submissions in a handout with one worker process: `driver.py HANDOUT JOBS fork|spawn`.

Started by tests with the path of an unzipped handout; nothing of the project is importable here
but what that holds. Prints one JSON object: for every job, what became of its checks.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any


def main(handout: Path, jobs: Path, kind: str) -> None:
    """Run all jobs; each has `id`, `files` (text by path) and `numbers`."""
    sys.path.insert(0, str(handout / "grader"))
    from autograder.engine.assignment import load_assignment
    from autograder.engine.judge.client import Launcher
    from autograder.engine.laptop import session
    from autograder.engine.laptop.planned import read_plan
    from autograder.engine.laptop.report import Report, by_number
    from autograder.engine.laptop.spawn import SpawnLauncher
    from autograder.engine.worker.launch import ZygoteHolder, open_nest

    assignment = load_assignment("autograder.homework")
    assert assignment.folder.is_relative_to(handout), "the handout's own modules are not used"
    plan = read_plan(assignment.folder)
    told: dict[str, dict[str, Any]] = {}
    with session.workplace() as place, ExitStack() as stack:
        launcher: Launcher
        if kind == "spawn":
            launcher = SpawnLauncher(assignment.package, place.submission, place.log)
            stack.callback(launcher.close)
        else:
            nest = open_nest(assignment.package, place.workers)
            stack.callback(nest.close)
            zygote = ZygoteHolder(assignment.package, place.workers, place.log, nest)
            stack.callback(zygote.close)
            launcher = Launcher(zygote.control, place.submission, 120.0)
        for job in json.loads(jobs.read_text(encoding="utf-8")):
            folder = place.root / "own"
            for path, text in job["files"].items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text, encoding="utf-8")
            wish = session.Wish(folder, assignment.package, tuple(job["numbers"]))
            report = Report(plan, by_number(plan.checks, wish.numbers), io.StringIO())
            session.judge(assignment, plan, wish, report, place, launcher)
            told[job["id"]] = {
                entry.check_id: [entry.verdict.value, entry.share, entry.mistake, entry.feedback]
                for entry in report.entries.values()
            }
            shutil.rmtree(folder)
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]), sys.argv[3])
