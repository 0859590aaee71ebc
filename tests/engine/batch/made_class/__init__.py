"""Artificial classes for tests and benchmarks: results without gradings, and exports."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from autograder.engine.batch.metadata import Submitter
from autograder.engine.batch.page import About
from autograder.engine.batch.store import Listed, Record, Store
from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict
from autograder.engine.grading.plan import plan_checks
from autograder.engine.results.gradescope import to_results
from autograder.engine.results.summary import summary
from tests.this_homework import THIS

PLAN = plan_checks(THIS)
PARTS = THIS.part_titles
WORTH = {part.number: part.points for part in THIS.parts}
ABOUT = About("Homework", PARTS, WORTH, {"gp-missing": "There is no penalty."})
_FIRST = ("Ada", "Alan", "Grace", "Emmy", "Noor", "Li", "Søren", "Renée", "Jürgen", "Yuki", "Zoë")
_LAST = ("Lovelace", "Turing", "Hopper", "Noether", "Hassan", "Wei", "Müller", "Silva", "O'Brien")
_MISTAKES = ("gp-missing", "gp-lambda-1", "wgan-g-sign", "forward-single-pass")
HOSTILE_NAME = "<img src=x onerror=\"document.title='owned'\">"


def results_of(entries: Iterable[Entry], seconds: float = 4.0) -> dict[str, Any]:
    """The content of results.json."""
    listed = list(entries)
    return to_results(
        PLAN,
        listed,
        output=summary(PLAN, listed, PARTS),
        execution_time=seconds,
        extra_data={"checks_sha256": "0123456789abcdef"},
        part_titles=PARTS,
    )


def record(
    key: str, skill: float = 1.0, rng: random.Random | None = None, **changes: Any
) -> Record:
    """A record in which each check passes with probability `skill`."""
    rng = rng or random.Random(0)
    return Record(
        **{
            "key": key,
            "payload": "p",
            "checks": "c",
            "results": results_of(_entry(check, skill, rng) for check in PLAN),
            "seconds": round(rng.gammavariate(4, 1.2), 3),
            **changes,
        }
    )


def _entry(check: PlannedCheck, skill: float, rng: random.Random) -> Entry:
    if rng.random() < skill:
        return Entry(check.check_id, Verdict.PASSED, 1.0, "")
    mistake = rng.choice(_MISTAKES) if rng.random() < 0.6 else None
    text = (
        f"{check.title} It does not.\nSmallest case found: case {rng.randrange(9)}.\n"
        "log_det[0]: got -0.477121, expected 0.477121, allowed difference 9.8e-04."
    )
    return Entry(check.check_id, Verdict.FAILED, 0.0, text, mistake)


def changed(before: Record, number: str, **fields: Any) -> Record:
    """The record with other fields in one of its tests."""
    results = json.loads(json.dumps(before.results))
    (test,) = (test for test in results["tests"] if test["number"] == number)
    test.update(fields)
    for part in results["extra_data"]["parts"]:
        part["score"] = sum(
            t.get("score", 0) for t in results["tests"] if t["number"].startswith(part["part"])
        )
    return Record(**{**vars(before), "results": results})


def person(i: int, rng: random.Random) -> Submitter:
    """A random student."""
    name = f"{rng.choice(_FIRST)} {rng.choice(_LAST)}"
    return Submitter(name, f"{i:07d}", f"student{i}@example.org")


def make_store(root: Path, count: int, seed: int = 0) -> Store:
    """A store of `count` results; the second student's name and output are hostile."""
    rng = random.Random(seed)
    store = Store(root)
    store.prepare(anonymous=False)
    listed = []
    for i in range(count):
        who = (person(i, rng),)
        if i == 1:
            who = (Submitter(HOSTILE_NAME, "1", "x@example.org"),)
        listed.append(Listed(f"submission_{1000 + i}", who))
        made = record(listed[-1].key, rng.choice((1.0, 0.95, 0.85, 0.6)), rng)
        if i == 1:
            made = changed(made, "1.1.1", output=f"</pre><script>owned()</script>{HOSTILE_NAME}")
        store.write(made)
    store.write_list(listed)
    return store


def make_export(root: Path, submissions: Sequence[Path], count: int) -> Path:
    """An unpacked export with `count` copies of these submissions."""
    root.mkdir(parents=True)
    lines = ["---"]
    for i in range(count):
        folder = root / f"submission_{1000 + i}"
        for path in sorted(submissions[i % len(submissions)].rglob("*.py")):
            target = folder / path.relative_to(submissions[i % len(submissions)])
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
        lines += [
            f"{folder.name}:",
            "  :submitters:",
            f"  - :name: Student {i}",
            f"    :sid: '{i:07d}'",
            f"    :email: student{i}@example.org",
            "  :created_at: 2026-01-01 10:00:00.000000000 Z",
            "  :status: processed",
        ]
    (root / "submission_metadata.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root
