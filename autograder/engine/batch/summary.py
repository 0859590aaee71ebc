"""Statistics of a class, counted in one pass with one record in memory at a time."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median_low
from typing import Any

from autograder.engine.batch.comparison import (
    CAME,
    FEEDBACK,
    GONE,
    POINTS,
    SHARES,
    Change,
    total_of,
)
from autograder.engine.batch.store import Listed, Record, points_of, title_of, verdict_of
from autograder.engine.grading.ledger import Verdict

GRADED, ERROR, UNFINISHED, MISSING = "graded", "grader error", "not finished", "not graded yet"
REFUSED, ABSENT = "refused", "nothing handed in"
_MOST_LISTED = 20  # slowest gradings, and submissions without a grade
_BARS = 11
_MOST_CHECKS = 4


@dataclass
class PartSum:
    """The points of one part, or of all parts."""

    number: str
    title: str
    max_score: float
    scores: Counter[float] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """The number of submissions."""
        return sum(self.scores.values())

    @property
    def mean(self) -> float:
        """The mean score."""
        return sum(s * n for s, n in self.scores.items()) / self.count if self.count else 0.0

    @property
    def median(self) -> float:
        """The lower median."""
        return median_low(self.scores.elements()) if self.scores else 0.0

    @property
    def full(self) -> int:
        """The number of submissions with full marks."""
        return sum(n for score, n in self.scores.items() if score >= self.max_score)

    @property
    def bars(self) -> list[tuple[str, int]]:
        """A histogram as (label, count); full marks are a separate bar."""
        width = 1.0
        while self.max_score / width > _BARS - 1:
            width = {1.0: 2.0, 2.0: 5.0}.get(width, width * 2)
        bars = []
        low = 0.0
        while low < self.max_score:
            high = min(low + width, self.max_score)
            label = f"{low:g}" if width == 1 else f"{low:g} to under {high:g}"
            bars.append((label, sum(n for s, n in self.scores.items() if low <= s < high)))
            low = high
        return [*bars, (f"{self.max_score:g}", self.full)]


@dataclass
class CheckSum:
    """The verdicts of one check."""

    number: str
    name: str
    max_score: float | None
    verdicts: Counter[str] = field(default_factory=Counter)

    @property
    def tried(self) -> int:
        """How many passed or failed it."""
        return self.passed + self.failed

    @property
    def passed(self) -> int:
        """How many passed it."""
        return self.verdicts[Verdict.PASSED.value]

    @property
    def failed(self) -> int:
        """How many failed it."""
        return self.verdicts[Verdict.FAILED.value]

    @property
    def others(self) -> str:
        """The other verdicts, such as "3 blocked"."""
        ends = (Verdict.PASSED.value, Verdict.FAILED.value)
        return ", ".join(f"{n} {v}" for v, n in sorted(self.verdicts.items()) if v not in ends)


@dataclass
class MistakeSum:
    """One named mistake, or several with the same answers."""

    id: str
    index: int
    sentences: tuple[str, ...]
    count: int = 0
    checks: Counter[str] = field(default_factory=Counter)

    @property
    def where(self) -> str:
        """The checks that named it, the most frequent first."""
        numbers = [number for number, _ in self.checks.most_common(_MOST_CHECKS)]
        return ", ".join(numbers) + (" and others" if len(self.checks) > _MOST_CHECKS else "")


@dataclass(frozen=True, order=True)
class Slow:
    """A slow grading."""

    seconds: float
    key: str
    names: str


@dataclass(frozen=True)
class Fault:
    """A submission without a grade, or not graded to the end."""

    key: str
    names: str
    what: str


class Summary:
    """Counts results; `sentences` describe the mistakes, by id."""

    def __init__(self, sentences: Mapping[str, str]) -> None:
        self._sentences = sentences
        self.slowest: list[Slow] = []  # the slowest first
        self.states: Counter[str] = Counter()
        self.parts: dict[str, PartSum] = {}
        self.all = PartSum("", "All parts", 0.0)
        self.checks: dict[str, CheckSum] = {}
        self.mistakes: dict[str, MistakeSum] = {}
        self.faults: list[Fault] = []
        self.changes: Counter[str] = Counter()
        self.gained = self.lost = 0
        self._reshared: set[str] = set()  # parts in which only the shares changed
        self.seconds = 0.0
        self.versions: Counter[str] = Counter()
        self.late = 0

    @property
    def total(self) -> int:
        """The number of submissions."""
        return sum(self.states.values())

    @property
    def what_changed(self) -> list[str]:
        """The result of a comparison, in sentences."""
        moved, read, shared, came, gone = (
            self.changes[kind] for kind in (POINTS, FEEDBACK, SHARES, CAME, GONE)
        )
        if not self.changes.total():
            return ["Nothing changed."]
        sentences = []
        if moved:
            same = moved - self.gained - self.lost
            among = f", {same} among parts only" if same else ""
            sentences.append(
                f"{moved} of {self.total} submissions changed in points: {self.gained} gained and "
                f"{self.lost} lost points{among}."
            )
        else:
            sentences.append("No score changed.")
        if read:
            sentences.append(f"{read} changed in feedback only.")
        if shared:
            differ = "differs" if shared == 1 else "differ"
            parts = sorted(self._reshared)
            sentences.append(
                f"{shared} {differ} only in how the points of {_listed(parts)} are shared."
            )
        if came:
            sentences.append(f"{came} {'is' if came == 1 else 'are'} new.")
        if gone:
            sentences.append(f"{gone} {'is' if gone == 1 else 'are'} no longer in the class.")
        return sentences

    @property
    def hardest(self) -> list[CheckSum]:
        """The checks with points, starting with those that the fewest passed."""
        scored = [c for c in self.checks.values() if c.max_score is not None and c.tried]
        return sorted(scored, key=lambda check: check.passed / check.tried)

    @property
    def most_made(self) -> list[MistakeSum]:
        """The mistakes, the most frequent first."""
        return sorted(self.mistakes.values(), key=lambda m: (-m.count, m.id))

    def add(self, listed: Listed, record: Record | None, change: Change | None) -> list[Any]:
        """Count a submission; return its row of the page's table, see `pages/index.js`."""
        state = state_of(record)
        self.states[state] += 1
        self.late += bool(listed.late)
        if change is not None:
            self.changes[change.kind] += 1
            if change.kind == POINTS:
                self.gained += change.delta > 0
                self.lost += change.delta < 0
            elif change.kind == SHARES:
                self._reshared |= {check.part for check in change.checks}
        made: list[int] = []
        if record is not None:
            if state != GRADED and len(self.faults) < _MOST_LISTED:
                self.faults.append(Fault(listed.key, listed.names, reason_of(record)))
            made = self._count(listed, record)
        points = points_of(record) if record is not None and record.is_grade else {}
        return [
            total_of(record) if points else None,
            list(points.values()),
            round(record.seconds, 1) if record is not None else None,
            "" if state == GRADED else state,
            made,
            [change.kind, change.delta] if change is not None else None,
            listed.late,
        ]

    def _count(self, listed: Listed, record: Record) -> list[int]:
        if record.absent:
            return []
        self.seconds += record.seconds
        self.versions[record.checks] += 1
        slow = Slow(record.seconds, listed.key, listed.names)
        self.slowest = heapq.nlargest(_MOST_LISTED, [*self.slowest, slow])
        if not record.is_grade:  # its zeros are not the student's
            return []
        for part in record.results["extra_data"]["parts"]:
            number = part["part"]
            if number not in self.parts:
                self.parts[number] = PartSum(number, part["title"], part["max_score"])
            self.parts[number].scores[part["score"]] += 1
        self.all.max_score = sum(each.max_score for each in self.parts.values())
        self.all.scores[total_of(record) or 0.0] += 1
        return self._count_tests(record.tests)

    def _count_tests(self, tests: Sequence[Mapping[str, Any]]) -> list[int]:
        made: dict[str, MistakeSum] = {}
        for test in tests:
            number = str(test.get("number", ""))
            if number not in self.checks:
                self.checks[number] = CheckSum(number, title_of(test), test.get("max_score"))
            self.checks[number].verdicts[verdict_of(test)] += 1
            name = str(test.get("extra_data", {}).get("mistake") or "")
            if name and name not in self.mistakes:
                sentences = tuple(self._sentences.get(one, one) for one in name.split("+"))
                self.mistakes[name] = MistakeSum(name, len(self.mistakes), sentences)
            if name:
                made[name] = self.mistakes[name]
                made[name].checks[number] += 1
        for mistake in made.values():
            mistake.count += 1
        return [mistake.index for mistake in made.values()]


def _listed(texts: Sequence[str]) -> str:
    *most, last = texts
    return f"{', '.join(most)} and {last}" if most else last


def state_of(record: Record | None) -> str:
    """Return the state of a submission's grading in words."""
    if record is None:
        return MISSING
    if record.is_grader_error:
        return ERROR
    if record.refused:
        return ABSENT if record.absent else REFUSED
    return UNFINISHED if record.trouble else GRADED


def reason_of(record: Record) -> str:
    """Return why a submission has no grade or only a part of it, or ""."""
    faults = (
        str(test.get("output", "")).splitlines()[-1]
        for test in record.tests
        if verdict_of(test) == Verdict.GRADER_ERROR.value
    )
    return record.refused or record.trouble or next(faults, "")
