"""Requirements: points follow from all verdicts, feedback from visible ones only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.engine.grading.ledger import VISIBILITIES, Entry, PlannedCheck, Verdict
from autograder.engine.judge.requirements import Requirements

TITLES = {"1.1": "foundation", "1.2": "house"}
SOMETHING = "This property holds, but incorrect code often has it too."
UNSEEN = "Its points also depend on checks that are not shown here."


@dataclass(frozen=True)
class Check:
    """A check: number, visibility, requirements and its own verdict."""

    number: str
    visibility: str = "visible"
    verdict: Verdict = Verdict.PASSED
    requires_any_of: tuple[tuple[str, ...], ...] = ()
    blocked_by: str | None = None
    share: float | None = None
    explained_by: tuple[str, ...] = ()
    text: str = ""
    mistake: str | None = None
    hint: str = ""

    @property
    def entry(self) -> Entry:
        share = 1.0 if self.verdict is Verdict.PASSED else self.share or 0.0
        text = self.text or f"{self.number} is {self.verdict.value}."
        text = "" if self.verdict is Verdict.PASSED else text
        text += self.hint
        return Entry(
            self.number, self.verdict, share, text, self.mistake, figure=1.5, hint=self.hint
        )


def settled(checks: Sequence[Check], earlier: Sequence[Entry] = ()) -> dict[str, Entry]:
    """Settle checks in their order; with ids that are their numbers."""
    plan = {
        c.number: PlannedCheck(c.number, c.number, "T.", c.number[:3], 1.0, c.visibility)
        for c in checks
    }
    requirements = Requirements(plan, TITLES, earlier)
    entries = {entry.check_id: entry for entry in earlier}
    for c in checks:
        if c.number not in requirements:
            entries[c.number] = requirements.settle(
                c.entry, c.blocked_by, c.requires_any_of, c.explained_by
            )
    return entries


def last(*checks: Check) -> Entry:
    return list(settled(checks).values())[-1]


PASS, FAIL, STUB = Verdict.PASSED, Verdict.FAILED, Verdict.NOT_ATTEMPTED


@pytest.mark.parametrize(
    ("verdict", "right"),
    [(Verdict.PASSED, True), (Verdict.FAILED, False), (Verdict.NOT_ATTEMPTED, False)],
)
def test_a_part_is_correct_if_all_its_checks_passed(verdict: Verdict, right: bool) -> None:
    """One check that did not pass makes it incorrect; other parts do not matter."""
    checks = [Check("1.1.1"), Check("1.1.2", verdict=verdict), Check("1.2.1", verdict=FAIL)]
    plan = {
        c.number: PlannedCheck(c.number, c.number, "T.", c.number[:3], 1.0, "visible")
        for c in checks
    }
    requirements = Requirements(plan, TITLES)
    for c in checks:
        requirements.settle(c.entry, None, ())
    assert requirements.part_is_right("1.1") is right
    assert not requirements.part_is_right("1.2")


def test_a_property_names_the_visible_checks_that_it_requires() -> None:
    """Until one passes it has no points and no figure."""
    lone = Check("1.1.3", requires_any_of=(("1.1.1", "1.1.2"),))
    entry = last(Check("1.1.1", verdict=FAIL), Check("1.1.2", verdict=FAIL), lone)
    assert (entry.verdict, entry.share, entry.figure) == (Verdict.BLOCKED, 0, None)
    assert entry.feedback == f"{SOMETHING} It earns its points once 1.1.1 or 1.1.2 passes."
    assert last(Check("1.1.1", verdict=FAIL), Check("1.1.2"), lone) == lone.entry


@pytest.mark.parametrize("visibility", VISIBILITIES[1:])
def test_a_property_that_requires_an_unseen_check_has_the_same_text_always(
    visibility: str,
) -> None:
    """The points depend on the other check; the text does not, and does not name it."""
    lone = Check("1.1.2", requires_any_of=(("1.1.1",),))
    earned, lost = (last(Check("1.1.1", visibility, verdict), lone) for verdict in (PASS, FAIL))
    assert (earned.verdict, earned.share) == (PASS, 1)
    assert (lost.verdict, lost.share) == (Verdict.BLOCKED, 0)
    assert earned.feedback == lost.feedback == f"{SOMETHING} {UNSEEN}".replace(" Its", "\nIts")


def test_a_hidden_check_may_name_other_hidden_checks() -> None:
    """The staff see all checks."""
    lone = Check("1.1.2", "hidden", requires_any_of=(("1.1.1",),))
    entry = last(Check("1.1.1", "after_due_date", FAIL), lone)
    assert entry.feedback.endswith("once 1.1.1 passes.")


def test_a_share_of_the_points_also_depends_on_unseen_checks() -> None:
    """A failure with a share keeps its own feedback, followed by a fixed sentence."""
    half = Check("1.1.2", verdict=FAIL, share=0.5, requires_any_of=(("1.1.1",),))
    earned, lost = (last(Check("1.1.1", "hidden", verdict), half) for verdict in (PASS, FAIL))
    assert (earned.share, lost.share) == (0.5, 0)
    assert earned.feedback == lost.feedback == f"1.1.2 is failed.\n{UNSEEN}"


def test_a_failure_is_blocked_by_a_visibly_incorrect_part() -> None:
    """It names the part with its title."""
    late = Check("1.2.1", verdict=FAIL, blocked_by="1.1")
    entry = last(Check("1.1.1", verdict=FAIL), late)
    assert entry.verdict is Verdict.BLOCKED
    assert entry.feedback == "Blocked by 1.1: fix foundation first. These points come back with it."


@pytest.mark.parametrize("visibility", VISIBILITIES[1:])
def test_a_failure_is_not_blocked_by_unseen_checks(visibility: str) -> None:
    """It says that it needs the part, correct or not."""
    late = Check("1.2.1", verdict=FAIL, blocked_by="1.1")
    first = Check("1.1.1")
    for verdict in (PASS, FAIL):
        entry = last(first, Check("1.1.2", visibility, verdict), late)
        assert entry.verdict is FAIL
        assert (
            entry.feedback == "1.2.1 is failed.\nThis check needs a correct foundation (1.1), too."
        )


def test_a_second_judge_of_the_same_grading_writes_the_same_entries() -> None:
    """A judge that continues after a crash has only the ledger's entries."""
    hidden = Check("1.1.1", "hidden", FAIL)
    middle = Check("1.1.2", requires_any_of=(("1.1.1",),))
    lone = Check("1.1.3", requires_any_of=(("1.1.2",),))
    checks = (hidden, middle, lone)
    before = settled(checks)
    assert before["1.1.3"].verdict is Verdict.BLOCKED
    again = settled(checks, [before["1.1.1"], before["1.1.2"]])
    assert again == before
    shown = tuple(replace(c, visibility="visible") for c in checks)
    before = settled(shown)
    assert settled(shown, [before["1.1.1"], before["1.1.2"]]) == before


own_verdicts = st.sampled_from((PASS, PASS, FAIL, FAIL, STUB, Verdict.GRADER_ERROR))


@st.composite
def homeworks(draw: st.DrawFn) -> list[Check]:
    """Draw checks of two parts that require earlier ones."""
    numbers = [f"1.{part}.{i}" for part in (1, 2) for i in range(1, draw(st.integers(2, 6)))]
    checks: list[Check] = []
    for number in numbers:
        earlier = [check.number for check in checks]
        sets = st.lists(st.sampled_from(earlier), min_size=1, max_size=3, unique=True).map(tuple)
        markers = draw(st.lists(sets, max_size=2)) if earlier else []
        verdict = draw(own_verdicts)
        share = draw(st.sampled_from((0.0, 0.5))) if verdict is FAIL else None
        blocker = draw(st.sampled_from((None, "1.1"))) if number > "1.2" else None
        visibility = draw(st.sampled_from(VISIBILITIES))
        checks.append(Check(number, visibility, verdict, tuple(markers), blocker, share))
    return checks


@given(homeworks(), st.sampled_from(("visible", "after_due_date", "after_published")), st.data())
def test_visible_feedback_does_not_depend_on_unseen_checks(
    checks: list[Check], when: str, data: st.DataObject
) -> None:
    """Now, after the due date, or after publication: other verdicts, the same texts."""
    seen = {c.number for c in checks if c.visibility in ("visible", when)}
    changed = [
        c if c.number in seen else replace(c, verdict=data.draw(own_verdicts), share=None)
        for c in checks
    ]
    first, second = settled(checks), settled(changed)
    assert {n: first[n].feedback for n in seen} == {n: second[n].feedback for n in seen}


@given(homeworks())
def test_points_do_not_depend_on_visibility(checks: list[Check]) -> None:
    """Hiding a check changes no points, except a share that only a block would take."""
    checks = [replace(c, blocked_by=None) for c in checks]
    shown = [replace(c, visibility="visible") for c in checks]
    assert [(e.verdict, e.share) for e in settled(checks).values()] == [
        (e.verdict, e.share) for e in settled(shown).values()
    ]


@given(homeworks())
def test_no_feedback_names_a_check_that_its_reader_does_not_see(checks: list[Check]) -> None:
    """Every number in the feedback is that of a visible check or part."""
    entries = settled(checks)
    by_number = {c.number: c for c in checks}
    for number, entry in entries.items():
        for other in by_number.values():
            if other.number != number and other.number in entry.feedback:
                own = by_number[number].visibility
                assert own == "hidden" or other.visibility in ("visible", own)


# ---- explained_by -------------------------------------------------------------------------


def explained(*before: Check, **named: Any) -> tuple[str, str]:
    """Return the feedback of a failed check, and the check it refers to."""
    check = Check("1.1.9", verdict=FAIL, explained_by=("1.1.1", "1.1.2"), text="No.\nAt 3.")
    entry = last(*before, replace(check, **named))
    return entry.feedback, entry.same_as


def test_a_failure_refers_to_the_first_that_explains_it() -> None:
    """Whatever ran first; what passed explains nothing."""
    assert explained(
        Check("1.1.2", verdict=FAIL, text="Two."), Check("1.1.1", verdict=FAIL, text="One.")
    ) == ("No.\nAt 3.\nFix 1.1.1 first: it may be the cause of this, too.", "1.1.1")
    assert explained(Check("1.1.1"), Check("1.1.2", verdict=FAIL))[1] == "1.1.2"
    assert explained(Check("1.1.1"), Check("1.1.2")) == ("No.\nAt 3.", "")
    assert explained(Check("1.1.3", verdict=FAIL)) == ("No.\nAt 3.", "")


def test_the_same_sentence_is_the_same_cause() -> None:
    """Then there is no doubt; the numbers stay. The very same text needs no reference."""
    same = Check("1.1.1", verdict=FAIL, text="No.\nAt 5.")
    assert explained(same) == ("No.\nAt 3.\nSame cause as 1.1.1.", "1.1.1")
    assert explained(same, text="No.\nAt 5.") == ("No.\nAt 5.", "")


def test_what_has_a_name_or_passed_is_not_explained_away() -> None:
    """A named mistake is a thing to fix of its own."""
    wrong = Check("1.1.1", verdict=FAIL)
    assert explained(wrong, mistake="other") == ("No.\nAt 3.", "")
    assert explained(wrong, verdict=PASS) == ("", "")


def test_one_of_several_names_is_settled_by_a_check_that_knows_it() -> None:
    """Its name alone is shown then; the same names need no reference."""
    known = Check("1.1.1", verdict=FAIL, mistake="half")
    doubt = {"text": "No.\n", "mistake": "huber+half", "hint": "Huber? Or: half?"}
    assert explained(known, **doubt) == ("No.\nSame cause as 1.1.1.", "1.1.1")
    assert explained(replace(known, mistake="sign"), **doubt)[1] == ""
    assert explained(replace(known, mistake="huber+half"), **doubt)[1] == ""


def test_what_is_blocked_refers_to_nothing_else() -> None:
    """It says what it waits for, and that is all."""
    wrong = Check("1.1.1", verdict=FAIL), Check("1.2.1", verdict=FAIL)
    entry = last(*wrong, Check("1.2.2", verdict=FAIL, blocked_by="1.1", explained_by=("1.2.1",)))
    assert (entry.verdict, entry.waits_for, entry.same_as) == (Verdict.BLOCKED, ("1.1",), "")
    assert "1.2.1" not in entry.feedback


def test_no_explanation_tells_of_a_hidden_check() -> None:
    """Its readers must see the check that explains it."""
    assert explained(Check("1.1.1", "hidden", FAIL)) == ("No.\nAt 3.", "")
