"""A check's requirements of other checks: its points, its feedback, and its place in the order.

Three rules. A failure that an incorrect earlier part explains is blocked by that part. A property
that incorrect code often has too earns its points only once another check passes. A failure that
another check explains refers to that check.

Points follow from all verdicts. The text follows only from verdicts that every reader of the check
can see: for the rest there is one sentence, the same for every verdict of the checks that are not
shown. So each check has two conclusions, its entry and what its readers know (True, False, or None
where it depends on a check that they do not see).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pytest

from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict

_OFTEN = "This property holds, but incorrect code often has it too."
_DEPENDS = "Its points also depend on checks that are not shown here."


@dataclass(frozen=True)
class _Known:
    """A check as its readers know it: whether it passed, and whether it earned points."""

    passed: bool | None
    earned: bool | None


def required_by(
    item: pytest.Item,
) -> tuple[str | None, list[tuple[str, ...]], tuple[str, ...]]:
    """Return the arguments of a check's `blocked_by`, `requires_any_of` and `explained_by`."""
    blocker = item.get_closest_marker("blocked_by")
    explaining = item.get_closest_marker("explained_by")
    return (
        None if blocker is None else str(blocker.args[0]),
        [tuple(map(str, marker.args)) for marker in item.iter_markers("requires_any_of")],
        () if explaining is None else tuple(map(str, explaining.args)),
    )


def sort_checks(
    items: list[pytest.Item],
    plan: Mapping[str, PlannedCheck],
    id_of: Callable[[pytest.Item], str],
) -> None:
    """Sort checks by number, each after those that it requires; those marked run_last are last.

    Checks of a part stay together, since they share a worker.
    """
    places = {check_id: i for i, check_id in enumerate(plan)}

    def place(item: pytest.Item) -> tuple[bool, int]:
        run_last = item.get_closest_marker("run_last") is not None
        return run_last, places.get(id_of(item), len(places))

    ids = {plan[id_of(item)].number: id_of(item) for item in items if id_of(item) in plan}
    by_id: dict[str, list[pytest.Item]] = {}
    for item in sorted(items, key=place):
        by_id.setdefault(id_of(item), []).append(item)
    required = {
        check_id: {ids[n] for numbers in required_by(same[0])[1] for n in numbers if n in ids}
        for check_id, same in by_id.items()
    }
    items[:] = [item for check_id in in_order(by_id, required) for item in by_id[check_id]]


def in_order(names: Iterable[str], required: Mapping[str, Collection[str]]) -> list[str]:
    """Return names in their order, but each after those that it requires.

    A required name that is missing is ignored, and so is one in a circle.
    """
    waiting, ordered = list(names), []
    while waiting:
        left = set(waiting)
        ready = (name for name in waiting if left.isdisjoint({*required[name]} - {name}))
        chosen = next(ready, waiting[0])
        waiting.remove(chosen)
        ordered.append(chosen)
    return ordered


class Requirements:
    """Settles the checks of one grading, each after those that it requires."""

    def __init__(
        self,
        plan: Mapping[str, PlannedCheck],
        titles: Mapping[str, str],
        settled: Iterable[Entry] = (),
    ) -> None:
        self._plan = plan
        self._titles = titles
        self._settled: dict[str, Entry] = {}
        self._known: dict[str, _Known] = {}
        for entry in settled:
            self._settled[entry.check_id] = entry
            self._known[entry.check_id] = self._from_the_ledger(entry)

    def __contains__(self, check_id: str) -> bool:
        """Whether a check has been settled."""
        return check_id in self._settled

    def part_is_right(self, part: str) -> bool:
        """Whether all checks of a part that give points and have been settled passed."""
        return all(
            entry.verdict is Verdict.PASSED
            for check_id, entry in self._settled.items()
            if self._plan[check_id].part == part and self._plan[check_id].points is not None
        )

    def settle(
        self,
        entry: Entry,
        blocked_by: str | None,
        requires_any_of: Sequence[Collection[str]],
        explained_by: Sequence[str] = (),
    ) -> Entry:
        """Return the entry as it goes into the ledger.

        Args:
            entry: what the check came to by itself.
            blocked_by: the number of a part; see the marker of this name.
            requires_any_of: numbers of checks, of which one must earn points; for each such marker.
            explained_by: numbers of checks that ran before; if one failed, this one does, too.
        """
        if entry.check_id not in self._plan:
            return entry
        entry = self._explained(entry, explained_by)
        if blocked_by is not None:
            entry = self._blocked(entry, blocked_by)
        passed = entry.verdict is Verdict.PASSED
        entry, earned = self._counted(entry, requires_any_of)
        self._settled[entry.check_id] = entry
        self._known[entry.check_id] = _Known(earned if passed else False, earned)
        return entry

    def _blocked(self, entry: Entry, blocker: str) -> Entry:
        """Say "blocked by 1.2" where that part's mistake alone explains the failure."""
        if entry.verdict not in (Verdict.FAILED, Verdict.NOT_ATTEMPTED):
            return entry
        own = self._plan[entry.check_id].part
        if self._nothing_attempted(entry.check_id, own):
            return entry
        right = _all(
            self._known_to_readers(entry.check_id, other).passed
            for other in self._settled
            if self._plan[other].part == blocker and self._plan[other].points is not None
        )
        title = self._titles[blocker]
        if right is False:
            return _withheld(
                entry,
                f"Blocked by {blocker}: fix {title} first. These points come back with it.",
                (blocker,),
            )
        if right is None and entry.verdict is Verdict.FAILED:
            needs = f"This check needs a correct {title} ({blocker}), too."
            return replace(entry, feedback=_lines(entry.feedback, needs))
        return entry

    def _explained(self, entry: Entry, explained_by: Sequence[str]) -> Entry:
        """Refer to the first check that explains this failure; a mistake of its own stays."""
        if entry.verdict is not Verdict.FAILED:
            return entry
        own = self._plan[entry.check_id]
        failed = {
            self._plan[other].number: settled
            for other, settled in self._settled.items()
            if settled.verdict is Verdict.FAILED and own.may_tell_of(self._plan[other])
        }
        first = next((n for n in explained_by if n in failed and _may_share(entry, failed[n])), "")
        # The same text or the same name is one cause anyway.
        if not first or any(
            entry.feedback == other.feedback or (entry.mistake and entry.mistake == other.mistake)
            for other in failed.values()
        ):
            return entry
        own_text = entry.feedback
        text = f"Fix {first} first: it may be the cause of this, too."
        if entry.mistake:
            own_text = own_text.removesuffix(entry.hint).rstrip("\n")
            entry = replace(entry, hint="")
        if entry.mistake or _first_line(failed[first]) == _first_line(entry):
            text = f"Same cause as {first}."
        return replace(entry, feedback=_lines(own_text, text), same_as=first)

    def _nothing_attempted(self, check_id: str, part: str) -> bool:
        others = [
            e.verdict
            for c, e in self._settled.items()
            if self._plan[c].part == part and self._plan[check_id].may_tell_of(self._plan[c])
        ]
        return bool(others) and all(verdict is Verdict.NOT_ATTEMPTED for verdict in others)

    def _counted(
        self, entry: Entry, requires_any_of: Sequence[Collection[str]]
    ) -> tuple[Entry, bool | None]:
        """Withhold the points if no required check earned any; return also what readers know."""
        if entry.share <= 0:
            return entry, False
        counts = True
        states: list[bool | None] = []
        for numbers in requires_any_of:
            others = [c for c in self._settled if self._plan[c].number in numbers]
            if not others:  # on a student's machine, those that are not there are not required
                continue
            counts = counts and any(self._settled[other].share > 0 for other in others)
            seen = _any(self._known_to_readers(entry.check_id, other).earned for other in others)
            states.append(seen)
            if seen is False:
                text = f"{_OFTEN} It earns its points once {_one_of(numbers)} passes."
                return _withheld(entry, text, tuple(numbers)), False
        earned = _all(states)
        if earned is None:
            own_text = entry.feedback if entry.verdict is Verdict.FAILED else _OFTEN
            text = _lines(own_text, _DEPENDS)
            entry = replace(entry, feedback=text) if counts else _withheld(entry, text)
        return entry, earned

    def _known_to_readers(self, check_id: str, other: str) -> _Known:
        """Return what everyone who sees this check knows of another one."""
        if self._plan[check_id].may_tell_of(self._plan[other]):
            return self._known[other]
        return _Known(None, None)

    def _from_the_ledger(self, entry: Entry) -> _Known:
        """Return what readers know of a check that an earlier judge settled."""
        check = self._plan[entry.check_id]
        earned: bool | None = entry.share > 0
        if earned or entry.verdict is Verdict.BLOCKED:
            all_shown = all(check.may_tell_of(other) for other in self._plan.values())
            earned = earned if all_shown else None
        passed = entry.verdict in (Verdict.PASSED, Verdict.BLOCKED)
        return _Known(earned if passed else False, earned)


def _may_share(entry: Entry, earlier: Entry) -> bool:
    """Whether two failures can have one cause: if both have names, these must have one in common.

    Answers that several mistakes give have the names of all, with + between them.
    """
    if not entry.mistake:
        return True
    return bool({*entry.mistake.split("+")} & {*(earlier.mistake or "").split("+")})


def _first_line(entry: Entry) -> str:
    return entry.feedback.partition("\n")[0]


def _withheld(entry: Entry, feedback: str, waits_for: tuple[str, ...] = ()) -> Entry:
    return replace(
        entry,
        verdict=Verdict.BLOCKED,
        share=0.0,
        feedback=feedback,
        mistake=None,
        figure=None,
        hint="",
        same_as="",
        waits_for=waits_for,
    )


def _any(states: Iterable[bool | None]) -> bool | None:
    """Whether one state is True; None if that depends on a None."""
    seen = set(states)
    return True if True in seen else None if None in seen else False


def _all(states: Iterable[bool | None]) -> bool | None:
    seen = set(states)
    return False if False in seen else None if None in seen else True


def _one_of(numbers: Collection[str]) -> str:
    *most, last = numbers
    return f"{', '.join(most)} or {last}" if most else last


def _lines(*texts: str) -> str:
    return "\n".join(filter(None, texts))
