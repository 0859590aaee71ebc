"""Run many submissions through a handout's checks in one process: `driver.py HANDOUT JOBS`.

Started by tests with the path of an unzipped handout; of the project, only the handout's modules
can be imported here. Prints one JSON object with the results of every job's checks.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest


def main(handout: Path, jobs: Path) -> None:
    """Run all jobs; each has `id`, `files` (text by path) and `numbers`."""
    sys.path.insert(0, str(handout / "grader"))
    from autograder.engine.local.planned import PRISTINE
    from autograder.engine.local.plugin import LocalChecks

    homework = handout / "grader" / "autograder" / "homework"
    results: dict[str, dict[str, Any]] = {}
    for job in json.loads(jobs.read_text(encoding="utf-8")):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name).resolve()
            checks = LocalChecks(folder, homework).settings.folder / "checks"
            assert checks.is_relative_to(handout), "these are not the handout's own modules"
            shutil.copytree(checks.parent / PRISTINE, folder, dirs_exist_ok=True)
            for file in ("flow_network.py", "gan.py"):  # a missing one stays missing
                (folder / "codebase" / file).unlink()
            for path, text in job["files"].items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text, encoding="utf-8")
            plugin = LocalChecks(folder, homework)
            with contextlib.redirect_stdout(sys.stderr):
                pytest.main(
                    [
                        *("-q", "-p", "no:randomly", "-p", "no:cacheprovider"),
                        *("-c", str(handout / "pytest.ini"), "--confcutdir", str(checks)),
                        *("-k", " or ".join(job["numbers"])),
                        str(checks / "public"),
                    ],
                    plugins=[plugin],
                )
        results[job["id"]] = {
            entry.check_id: [entry.verdict.value, entry.share, entry.mistake, entry.feedback]
            for entry in plugin.summary.entries().values()
        }
    print(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
