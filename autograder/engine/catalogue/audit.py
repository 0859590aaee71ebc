"""Grade the grader: every wrong solution must lose points in its part and be named, no right one.

A case is a whole submission. Zygote and judge are imported once and shared by all cases of a job,
and a case may say which parts its files cannot touch: their checks are not run again.
"""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

from autograder.engine.grading.judge_process import WarmJudges
from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict
from autograder.engine.grading.plan import hash_of_checks, plan_checks
from autograder.engine.grading.supervisor import Request, grade
from autograder.engine.homework import Assignment, load_assignment
from autograder.engine.sandbox.confine import die_with_parent
from autograder.engine.sandbox.launch import ZygoteHolder, open_prefork


@dataclass(frozen=True)
class Case:
    """One submission with what must become of it.

    Args:
        id: unique.
        kind: "wrong", "right" or "empty" (nothing attempted).
        sentence: what is special about it.
        files: text by path, such as "codebase/gan.py".
        parts: for a wrong one, the parts that lose points.
        edits: the parts whose code differs from the reference's.
        run: the parts to grade; the others cannot be touched by what this case edits.
        skip: numbers of checks in them that are left out: what they call is not edited, or slow.
        named: for a wrong one, the mistake ids of which one must be given.
        says: or else a piece of the feedback that names it.
        seed: in place of the assignment's.
        must_be_caught: for a wrong one, whether it must lose points and be named. False where only
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
        """Whether a check could come out otherwise than on the reference."""
        return (not self.run or check.part in self.run) and check.number not in self.skip


@dataclass(frozen=True)
class Row:
    """One line of the matrix: the verdicts of a case, and the complaints about them."""

    case: Case
    entries: Mapping[str, Entry]
    seconds: float
    complaints: tuple[str, ...] = field(default=())

    @property
    def mistakes(self) -> frozenset[str]:
        """The ids of all mistakes that were named."""
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
            if check.points and _costs(self.entries.get(check.check_id))
        )

    @property
    def told(self) -> str:
        """What the student learns first: the hint, or the first failing check's sentence."""
        failed = [e for e in self.entries.values() if e.verdict is Verdict.FAILED]
        named = [entry.feedback.splitlines()[-1] for entry in failed if entry.mistake]
        said = [entry.feedback.splitlines()[0] for entry in failed if entry.feedback]
        return next(iter(named + said), "")


def narrowed(
    cases: Iterable[Case], plan: Sequence[PlannedCheck], check: PlannedCheck
) -> list[Case]:
    """Return the cases that can change the outcome of one check, each to be graded by it alone.

    Right ones must keep its points; of a wrong one nothing is required.
    """
    others = frozenset(each.number for each in plan) - {check.number}
    return [
        replace(case, run=frozenset({check.part}), skip=others, must_be_caught=False)
        for case in cases
        if case.touches(check)
    ]


def audit(
    package: str, cases: Sequence[Case], pristine: Path, jobs: int, config: Path | None = None
) -> Iterator[Row]:
    """Grade all cases in `jobs` processes; yield the rows as they are done."""
    context = get_context("spawn")  # nothing of the caller's goes into the children
    with ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_start, initargs=(package, pristine, config)
    ) as pool:
        futures = [pool.submit(_grade_case, case) for case in cases]
        for future in as_completed(futures):
            yield future.result()


_SEED = re.compile(r"^([ \t]*seed[ \t]*=[ \t]*)\d+", re.MULTILINE)
_GRADER: list[tuple[Assignment, Path, ZygoteHolder, WarmJudges]] = []
_HASHES: dict[int | None, str] = {}  # of the checks, by seed


def _start(package: str, pristine: Path, config: Path | None) -> None:
    die_with_parent()  # an audit that is killed leaves no process behind
    assignment = load_assignment(package, config)
    # Lives as long as this process: a pool's worker has no hook for its end but its exit, with
    # which the prefork server and its zygote die.
    folder = Path(tempfile.mkdtemp(prefix="audit-zygote-"))
    folder.chmod(0o711)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    prefork = open_prefork(package, folder)
    zygote = ZygoteHolder(package, folder, folder / "log", prefork)
    _GRADER.append((assignment, pristine, zygote, WarmJudges(package)))


def _grade_case(case: Case) -> Row:
    assignment, pristine, zygote, judges = _GRADER[0]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="audit-") as name:
        folder = Path(name)
        for path, text in case.files.items():
            (folder / "submission" / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "submission" / path).write_text(text, encoding="utf-8")
        if case.seed is not None:
            config = _with_seed(assignment.settings_file, case.seed, folder)
            assignment = load_assignment(assignment.package, config)
        if case.seed not in _HASHES:  # reading all that grades takes as long as some checks
            _HASHES[case.seed] = hash_of_checks(assignment)
        plan = plan_checks(assignment)
        report = grade(
            Request(
                submission=folder / "submission",
                results=folder / "results.json",
                assignment=assignment,
                pristine=pristine,
                only=tuple(check.check_id for check in plan if case.touches(check)),
                checks_sha256=_HASHES[case.seed],
            ),
            zygote,
            judges,
        )
    entries = {
        check.check_id: report.entries[check.check_id] for check in plan if case.touches(check)
    }
    row = Row(case, entries, time.monotonic() - started)
    return Row(case, entries, row.seconds, tuple(complaints(row, plan)))


def _with_seed(config: Path, wanted: int, folder: Path) -> Path:
    """Return a copy of the settings with another seed.

    Raises:
        ValueError: no line of the settings gives the seed.
    """
    text, found = _SEED.subn(rf"\g<1>{wanted}", config.read_text(encoding="utf-8"))
    if found != 1:
        raise ValueError(f"{config}: expected one line `seed = NUMBER`, found {found}")
    copy = folder / config.name
    copy.write_text(text, encoding="utf-8")
    return copy


def complaints(row: Row, plan: Iterable[PlannedCheck]) -> Iterator[str]:
    """Say what is not as it must be with one row."""
    lost = {
        check.part: check.number
        for check in plan
        if check.points and _costs(row.entries.get(check.check_id))
    }
    for check in plan:
        entry = row.entries.get(check.check_id)
        if entry is not None and entry.verdict in (Verdict.GRADER_ERROR, Verdict.NOT_RUN):
            yield f"{check.number} ended as {entry.verdict.value}: {entry.feedback}"
    if row.case.kind == "right":
        if lost:
            yield f"a right solution loses points in {', '.join(sorted(lost.values()))}"
        if row.mistakes:
            yield f"a right solution is told that it made {', '.join(sorted(row.mistakes))}"
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
        told = ", ".join(sorted(row.mistakes)) or "nothing"
        yield f"is not named: {' or '.join(sorted(row.case.named))} expected, {told} said"
    feedback = " ".join(entry.feedback for entry in row.entries.values())
    if row.case.says and row.case.says not in feedback:
        yield f"no feedback says {row.case.says!r}"
    if not row.case.named and not row.case.says:
        yield "the catalogue gives it no name"


def _costs(entry: Entry | None) -> bool:
    return entry is not None and entry.share < 1
