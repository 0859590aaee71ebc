"""Failed checks by their cause: each is explained once, and the others refer to it."""

from __future__ import annotations

import pytest

from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict
from autograder.engine.grading.points import Row, rows_of
from autograder.engine.results.causes import causes_of, feedback_of
from autograder.engine.results.summary import summary

HINT = "The log-determinant has the wrong sign."
HINTS = {"half": "Only half of the log-determinant is added."}


def check(number: str, visibility: str = "visible") -> PlannedCheck:
    """A check worth a point."""
    return PlannedCheck(number, number, "It holds.", number.rpartition(".")[0], 1.0, visibility)


def failed(number: str, first: str = "", mistake: str | None = None, same_as: str = "") -> Entry:
    """A failed check, of a mistake with a name or without."""
    hint = HINTS.get(mistake, HINT) if mistake else ""
    feedback = "\n".join(filter(None, (first or f"{number} does not hold.", "got 1", hint)))
    return Entry(number, Verdict.FAILED, 0.0, feedback, mistake, hint=hint, same_as=same_as)


def rows(*entries: Entry, **visibilities: str) -> list[Row]:
    """Rows of these entries, each visible unless set otherwise (`_1_1_1="hidden"`)."""
    plan = [
        check(e.check_id, visibilities.get("_" + e.check_id.replace(".", "_"), "visible"))
        for e in entries
    ]
    return rows_of(plan, entries)


def causes(*entries: Entry) -> list[tuple[str, list[str], list[str]]]:
    """Each cause's text, and the numbers of what fails for it and of what it blocks."""
    return [
        (c.text, [r.check.number for r in c.failed], [r.check.number for r in c.blocked])
        for c in causes_of(rows(*entries))
    ]


def test_checks_that_fail_for_one_named_mistake_are_one_cause() -> None:
    """Its text is the name of the mistake, not the checks' own sentences."""
    entries = failed("1.2.1", mistake="sign"), failed("1.2.2", "Other.", mistake="sign")
    assert causes(*entries) == [(HINT, ["1.2.1", "1.2.2"], [])]


def test_two_mistakes_with_one_name_are_one_cause() -> None:
    """The answers of a check need not tell them apart."""
    entries = failed("1.2.1", mistake="sign"), failed("1.2.7", mistake="sign-of-each")
    assert causes(*entries) == [(HINT, ["1.2.1", "1.2.7"], [])]
    both = rows(*entries)
    assert feedback_of(both[1], both).endswith("\nSame cause as 1.2.1.")


def test_a_mistake_in_two_parts_is_two_causes() -> None:
    """It has to be fixed in two places."""
    assert len(causes(failed("2.2.1", mistake="sum"), failed("4.2.1", mistake="sum"))) == 2


def test_checks_with_the_same_first_line_are_one_cause() -> None:
    """For instance the same exception in the same line; another sentence is another cause."""
    entries = failed("2.2.1", "raised X."), failed("2.2.2", "raised X."), failed("2.2.3")
    assert [numbers for _, numbers, _ in causes(*entries)] == [["2.2.1", "2.2.2"], ["2.2.3"]]


def test_a_check_that_refers_to_another_shares_its_cause() -> None:
    """Also across parts: one file that cannot be read is one thing to fix."""
    entries = failed("2.2.1", "Python cannot read gan.py."), failed("4.2.1", same_as="2.2.1")
    assert causes(*entries) == [("Python cannot read gan.py.", ["2.2.1", "4.2.1"], [])]
    third = failed("5.5.1", same_as="4.2.1")
    assert causes(*entries, third)[0][1] == ["2.2.1", "4.2.1", "5.5.1"]


def test_a_hang_and_the_checks_not_run_again_are_one_cause() -> None:
    """Although each has its own first line, and whichever comes first in the plan."""
    first = failed("1.2.1", "No return in 6 s.")
    second = failed("1.2.2", "No return in 3 s.", same_as="1.2.1")
    skipped = failed("1.1.9", "Not run again.", same_as="1.2.1")
    everything = ["1.1.9", "1.2.1", "1.2.2"]
    assert causes(skipped, first, second) == [("No return in 6 s.", everything, [])]


@pytest.mark.parametrize("waits_for", [("1.2",), ("1.2.9", "1.2.1")], ids=["part", "checks"])
def test_a_blocked_check_is_listed_with_its_cause(waits_for: tuple[str, ...]) -> None:
    """Blocked by a part, or until one of some checks passes."""
    waiting = Entry("1.3.4", Verdict.BLOCKED, 0.0, "Blocked.", waits_for=waits_for)
    assert causes(failed("1.2.1", mistake="sign"), waiting) == [(HINT, ["1.2.1"], ["1.3.4"])]


def test_the_summary_begins_with_what_to_fix() -> None:
    """One line a cause, with points and checks; what it blocks is not listed again."""
    waiting = Entry("1.3.4", Verdict.BLOCKED, 0.0, "Blocked.", waits_for=("1.2",))
    entries = [failed("1.2.1", mistake="sign"), failed("1.2.2", mistake="sign"), waiting]
    plan = [check(e.check_id) for e in entries]
    text = summary(plan, entries, {"1.2": "MADE.inverse", "1.3": "MAF"})
    first, second, third, *_ = text.splitlines()
    assert (first, third) == ("What to fix", "")
    assert second == (
        f"- 1.2 MADE.inverse, -2 points: {HINT} (1.2.1, 1.2.2; blocks 1.3.4, -1 point)"
    )
    assert "Blocked" not in text


def test_no_sentence_of_the_summary_appears_twice() -> None:
    """However many checks say it."""
    entries = [failed(f"2.2.{n}", "raised X.", mistake="sum") for n in range(1, 6)]
    text = summary([check(e.check_id) for e in entries], entries, {"2.2": "GAN"})
    assert text.count(HINT) == 1
    assert "raised X." not in text


def test_a_later_check_refers_to_the_earlier_one_and_keeps_its_numbers() -> None:
    """Its last line says so, in place of the name."""
    first, second = rows(failed("1.2.1", mistake="sign"), failed("1.2.2", mistake="sign"))
    assert feedback_of(first, [first, second]) == first.entry.feedback
    assert feedback_of(second, [first, second]) == (
        "1.2.2 does not hold.\ngot 1\nSame cause as 1.2.1."
    )


def test_a_check_that_says_exactly_the_same_only_refers() -> None:
    """Its feedback is only the reference."""
    both = rows(failed("2.2.1", "raised X."), failed("2.2.2", "raised X."))
    assert feedback_of(both[1], both) == "Same cause as 2.2.1."


def test_no_reference_leads_to_another_reference() -> None:
    """The third check names the one that says it in full."""
    cannot = "Python cannot read gan.py; see check 2.2.1."
    first = failed("2.2.1", "Python cannot read gan.py, line 3.")
    others = [failed(number, cannot, same_as="2.2.1") for number in ("2.2.2", "4.2.1")]
    all_rows = rows(first, *others)
    assert feedback_of(all_rows[1], all_rows).startswith(cannot)
    assert feedback_of(all_rows[2], all_rows) == "Same cause as 2.2.1."


def test_a_cause_in_several_parts_has_all_their_numbers() -> None:
    """A file that cannot be read is not the fault of the first part that needs it."""
    entries = failed("1.1.1", "Python cannot read it."), failed("1.2.1", same_as="1.1.1")
    plan = [check(e.check_id) for e in entries]
    text = summary(plan, entries, {"1.1": "MADE.forward", "1.2": "MADE.inverse"})
    assert "- 1.1, 1.2, -2 points: Python cannot read it. (1.1.1, 1.2.1)" in text


def test_nothing_refers_to_a_check_that_its_reader_does_not_see() -> None:
    """A hidden check's verdict must not show."""
    both = rows(failed("1.2.1", mistake="sign"), failed("1.2.2", mistake="sign"), _1_2_1="hidden")
    assert feedback_of(both[1], both) == both[1].entry.feedback


def test_another_mistake_is_no_same_cause() -> None:
    """Nor is a mistake without a name."""
    both = rows(failed("1.2.1", mistake="sign"), failed("1.2.2", mistake="half"))
    assert feedback_of(both[1], both) == both[1].entry.feedback
    unnamed = rows(failed("1.2.1"), failed("1.2.2"))
    assert feedback_of(unnamed[1], unnamed) == unnamed[1].entry.feedback


def test_nothing_refers_to_advice() -> None:
    """It costs nothing and is read last."""
    advice = PlannedCheck("1.3.5", "1.3.5", "Advice.", "1.3", None, "visible")
    plan = [advice, check("2.2.1")]
    both = rows_of(plan, [failed("1.3.5", "It exited."), failed("2.2.1", "It exited.")])
    assert feedback_of(both[1], both) == both[1].entry.feedback


def test_a_reference_to_a_check_is_not_referred_to() -> None:
    """The third check names the first, not the second, which only refers to it."""
    first = failed("2.2.1", "Python cannot read gan.py: it is UTF-16.")
    others = [failed(n, "Python cannot read gan.py; see 2.2.1.", same_as="2.2.1") for n in "34"]
    _, second, third = listed = rows(first, *others)
    assert feedback_of(second, listed) == second.entry.feedback
    assert feedback_of(third, listed) == "Same cause as 2.2.1."
