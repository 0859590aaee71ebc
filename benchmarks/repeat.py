"""Is a result the same each time? `.venv/bin/python -m benchmarks.repeat SUBMISSION --times N`.

Grades one submission again and again, each time in fresh processes, and compares the results byte
by byte. What may differ is the time it took.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections import Counter
from pathlib import Path

from autograder.engine.grading.supervisor import Request, grade
from tests.this_homework import REFERENCE, THIS


def result_without_times(submission: Path) -> str:
    """Grade once; return the text of results.json with its one time set to 0."""
    homework = THIS
    with tempfile.TemporaryDirectory(prefix="repeat-") as folder:
        results = Path(folder) / "results.json"
        grade(
            Request(
                submission=submission,
                results=results,
                homework=homework,
            )
        )
        text = results.read_text(encoding="utf-8")
    took = json.loads(text)["execution_time"]
    return text.replace(f'"execution_time": {took}', '"execution_time": 0')


def main() -> None:
    """Grade, count the different results and show where two of them differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("submission", nargs="?", type=Path, default=REFERENCE)
    parser.add_argument("--times", type=int, default=50, metavar="N")
    options = parser.parse_args()
    seen: Counter[str] = Counter()
    for done in range(options.times):
        text = result_without_times(options.submission)
        if seen and text not in seen:
            for ours, other in zip(text.splitlines(), next(iter(seen)).splitlines(), strict=False):
                if ours != other:
                    print(f"\n{done + 1}. differs: {ours[:300]}\ninstead of {other[:300]}")
        seen[text] += 1
        print(f"\r{done + 1} of {options.times}", end="", flush=True)
    digests = {hashlib.sha256(text.encode()).hexdigest()[:12]: n for text, n in seen.items()}
    print(f"\n{options.times} gradings, {len(seen)} different results: {digests}")


if __name__ == "__main__":
    main()
