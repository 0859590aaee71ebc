"""Grade the grader: incorrect solutions must lose points and be named, correct ones must not.

A case is a whole submission. It may say which parts its files cannot affect: their checks are not
run again. Cases are graded by the worker processes of `batch.pool`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from functools import partial

from autograder.engine.batch.payload import pack_items
from autograder.engine.batch.pool import (
    SLACK_S,
    Crew,
    Task,
    WorkerDied,
    grade_payload,
    local_crew,
)
from autograder.engine.batch.worker_process import Settings
from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict, parse_entry
from autograder.engine.grading.plan import plan_checks
from autograder.engine.homework import Homework
from autograder.engine.submission.entries import FileEntry

_SEED = re.compile(r"^([ \t]*seed[ \t]*=[ \t]*)\d+", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """One submission, and the result that it must have.

    Args:
        id: unique.
        kind: "wrong", "right" or "empty" (nothing attempted).
        sentence: how it differs from the reference.
        files: text by path, such as "code/model.py".
        parts: for a wrong one, the parts that must lose points.
        edits: the parts whose code differs from the reference's.
        run: the parts to grade; the edits cannot change the others. All when empty.
        skip: numbers of checks in them to leave out: they call nothing that is edited, or are slow.
        named: for a wrong one, mistake ids, one of which the feedback must name.
        says: for one without an id, a piece of the message that names it.
        seed: in place of the settings'.
        must_be_caught: for a wrong one, whether it must lose points and be named. False if only
            one check is tried on it.
    """

    id: str
    kind: str
    sentence: str
    files: Mapping[str, str]
    parts: frozenset[str] = frozenset()
    edits: frozenset[str] = frozenset()
    run: frozenset[str] = frozenset()
    skip: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    says: str = ""
    seed: int | None = None
    must_be_caught: bool = True

    def touches(self, check: PlannedCheck) -> bool:
        """Whether a check can give another result than on the reference."""
        return (not self.run or check.part in self.run) and check.number not in self.skip


@dataclass(frozen=True)
class Row:
    """One line of the matrix: the verdicts of a case, and the complaints about them."""

    case: Case
    entries: Mapping[str, Entry]
    seconds: float
    complaints: tuple[str, ...] = ()

    @property
    def mistakes(self) -> frozenset[str]:
        """The ids of all named mistakes."""
        return frozenset(
            name
            for entry in self.entries.values()
            if entry.mistake
            for name in entry.mistake.split("+")
        )

    def lost(self, plan: Iterable[PlannedCheck]) -> tuple[str, ...]:
        """The numbers of the checks that cost points."""
        return tuple(
            check.number
            for check in plan
            if check.points
            and (entry := self.entries.get(check.check_id)) is not None
            and entry.share < 1
        )

    @property
    def first_message(self) -> str:
        """The first hint, or else the first line of the first failing check."""
        failed = [e for e in self.entries.values() if e.verdict is Verdict.FAILED]
        hints = [entry.feedback.splitlines()[-1] for entry in failed if entry.mistake]
        lines = [entry.feedback.splitlines()[0] for entry in failed if entry.feedback]
        return next(iter(hints + lines), "")


def narrowed(
    cases: Iterable[Case], plan: Sequence[PlannedCheck], check: PlannedCheck
) -> list[Case]:
    """Return the cases that can change the result of one check, each to be graded by it alone.

    Correct ones must keep its points; nothing is required of an incorrect one.
    """
    others = frozenset(each.number for each in plan) - {check.number}
    return [
        replace(case, run=frozenset({check.part}), skip=others, must_be_caught=False)
        for case in cases
        if case.touches(check)
    ]


def audit(homework: Homework, cases: Sequence[Case], jobs: int) -> Iterator[Row]:
    """Grade all cases in `jobs` worker processes; yield each row when it is done."""
    plan = plan_checks(homework)
    settings = Settings.of(homework)
    timeout_s = homework.deadline_s + SLACK_S
    with local_crew(jobs, homework.folder) as crew:
        grade_case = partial(
            _grade_case, plan=plan, settings=settings, timeout_s=timeout_s, crew=crew
        )
        for future in as_completed([crew.executor.submit(grade_case, case) for case in cases]):
            yield future.result()


def _grade_case(
    case: Case, plan: Sequence[PlannedCheck], settings: Settings, timeout_s: float, crew: Crew
) -> Row:
    """Grade a case; if its worker process dies, every check is a grader error."""
    started = time.monotonic()
    checks = tuple(check.check_id for check in plan if case.touches(check))
    toml = settings.toml if case.seed is None else _with_seed(settings.toml, case.seed)
    files = [FileEntry(path, "file", text.encode) for path, text in case.files.items()]
    task = Task(
        case.id,
        pack_items(files, list(case.files)),
        replace(settings, toml=toml, only=checks),
        timeout_s,
        shared=crew.shared,
        with_entries=True,
    )
    try:
        graded = map(parse_entry, grade_payload(task)["entries"])
        entries = {entry.check_id: entry for entry in graded if entry.check_id in checks}
    except WorkerDied as error:
        entries = {name: Entry(name, Verdict.GRADER_ERROR, 0.0, str(error)) for name in checks}
    row = Row(case, entries, time.monotonic() - started)
    return replace(row, complaints=tuple(complaints(row, plan)))


def _with_seed(toml: str, seed: int) -> str:
    """Return the text of the settings with another seed.

    Raises:
        ValueError: not exactly one line sets the seed.
    """
    text, count = _SEED.subn(rf"\g<1>{seed}", toml)
    if count != 1:
        raise ValueError(f"expected one line `seed = NUMBER` in the settings, found {count}")
    return text


def complaints(row: Row, plan: Iterable[PlannedCheck]) -> Iterator[str]:
    """Yield what is wrong with a row."""
    lost = {number.rpartition(".")[0]: number for number in row.lost(plan)}
    for check in plan:
        entry = row.entries.get(check.check_id)
        if entry is not None and entry.verdict in (Verdict.GRADER_ERROR, Verdict.NOT_RUN):
            yield f"{check.number} ended as {entry.verdict.value}: {entry.feedback}"
    if row.case.kind == "right":
        if lost:
            yield f"a correct solution loses points in {', '.join(sorted(lost.values()))}"
        if row.mistakes:
            yield f"a correct solution gets the hint for {', '.join(sorted(row.mistakes))}"
    elif row.case.kind == "empty":
        for check in plan:
            entry = row.entries.get(check.check_id)
            if entry is not None and entry.verdict is not Verdict.NOT_ATTEMPTED:
                yield f"{check.number} is {entry.verdict.value}, expected not attempted"
    elif row.case.must_be_caught:
        yield from _complaints_about_wrong(row, lost)


def _complaints_about_wrong(row: Row, lost: Mapping[str, str]) -> Iterator[str]:
    for part in sorted(row.case.parts - set(lost)):
        yield f"keeps full marks in {part}"
    for part in sorted(set(lost) - row.case.parts):
        yield f"loses points in another part: {lost[part]}"
    if row.case.named and not row.case.named & row.mistakes:
        named = ", ".join(sorted(row.mistakes)) or "none"
        yield f"is not named: expected {' or '.join(sorted(row.case.named))}, got {named}"
    feedback = " ".join(entry.feedback for entry in row.entries.values())
    if row.case.says and row.case.says not in feedback:
        yield f"no feedback contains {row.case.says!r}"
    if not row.case.named and not row.case.says:
        yield "the catalogue gives it no name"
