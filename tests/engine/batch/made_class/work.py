"""Grade artificial exports with the stand-in, as the command does with real worker processes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from autograder.engine.batch.export import open_export
from autograder.engine.batch.pool import Crew, local_crew
from autograder.engine.batch.privacy import Names
from autograder.engine.batch.scheduler import Grading, grade_due, make_plan
from autograder.engine.batch.store import Record, Store
from autograder.engine.batch.worker_process import Settings, fingerprint
from tests.this_homework import THIS

STAND_IN = "tests.engine.batch.made_class.stand_in"


def grading(timeout_s: float = 30.0, only: tuple[str, ...] = ()) -> Grading:
    """The settings that the command would use."""
    settings = Settings.of(THIS, only)
    return Grading(settings, fingerprint(THIS, only), THIS.files, timeout_s)


def class_of(folder: Path, *asks: str) -> Path:
    """An export with these orders to the stand-in, one for each submission."""
    for i, words in enumerate(asks):
        path = folder / f"s{i:03d}" / "codebase" / "gan.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{words}\n", encoding="utf-8")
    return folder


def grade_here(
    export: Path, out: Path, by: Grading | None = None, names: Names | None = None, jobs: int = 2
) -> list[Record]:
    """Grade what is due on this machine; return the records in the order of completion."""
    with local_crew(jobs) as crew:
        return list(grade_with(crew, export, out, by, names))


def grade_with(
    crew: Crew,
    export: Path,
    out: Path,
    by: Grading | None = None,
    names: Names | None = None,
    module: str = STAND_IN,
) -> Iterator[Record]:
    """Grade what is due with a crew, by the stand-in or another worker process."""
    by, names, store = by or grading(), names or Names(), Store(out)
    store.prepare(anonymous=type(names) is not Names)
    crew = dataclasses.replace(crew, module=module)
    with open_export(export, by.wanted) as opened:
        plan = make_plan(opened, store, by, names)
        yield from grade_due(plan, opened, store, by, names, crew)


def keys(records: list[Record]) -> list[str]:
    """The keys of records, sorted."""
    return sorted(record.key for record in records)
