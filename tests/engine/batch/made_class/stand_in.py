"""A stand-in for a worker process: answers at once, or misbehaves as the submission asks.

A submission's `codebase/gan.py` may contain: `sleep 0.2`, `die`, `silent`, `refuse`, `fault` (a
grader error). `die once FILE` and `fault once FILE` do it only if the file does not exist, and
create it.
"""

from __future__ import annotations

import base64
import io
import json
import os
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

from autograder.engine.batch.worker_process import fingerprint
from autograder.engine.grading.ledger import Entry, Verdict
from autograder.engine.homework import load_homework
from autograder.engine.sandbox.confine import die_with_parent
from autograder.engine.sandbox.isolated import ROOT
from tests.engine.batch.made_class import PLAN, record, results_of


def main() -> int:
    """Serve as `autograder.engine.batch.worker_process` does."""
    die_with_parent()
    settings = json.loads(sys.stdin.readline())
    checks = fingerprint(load_homework(ROOT / settings["folder"]), tuple(settings["only"]))
    right = record("any").results
    error = results_of(Entry(c.check_id, Verdict.GRADER_ERROR, 0.0, "no zygote") for c in PLAN)
    print("{}", flush=True)
    for line in sys.stdin:
        words = _words(base64.b64decode(json.loads(line)["payload"]))
        answer: dict[str, Any] = {"checks": checks, "results": right, "trouble": "", "seconds": 0.5}
        first = _first_time(Path(words[2])) if words[1:2] == ["once"] else True
        if words[:1] == ["sleep"]:
            time.sleep(float(words[1]))
        elif words[:1] == ["die"] and first:
            os._exit(9)
        elif words[:1] == ["silent"]:
            time.sleep(600)
        elif words[:1] == ["refuse"]:
            answer |= {"results": results_of(()), "refused": "There is nothing in it."}
        elif words[:1] == ["fault"] and first:
            answer |= {"results": error, "log": "staff only: it broke"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return 0


def _words(payload: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        for name in archive.namelist():
            if name.endswith("gan.py"):
                return archive.read(name).decode("utf-8").split()[:3]
    return []


def _first_time(mark: Path) -> bool:
    if mark.exists():
        return False
    mark.touch()
    return True


if __name__ == "__main__":
    sys.exit(main())
