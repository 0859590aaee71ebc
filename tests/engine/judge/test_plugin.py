"""A grading of a tiny homework: from a check's exception to its line in the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.engine.grading.ledger import Verdict
from autograder.engine.judge.exceptions import CheckFailed
from tests.small_homework.fake_zygote import FakeZygote
from tests.small_homework.judged import ALL, BEHAVIOURS, Session, judge, write_homework
from tests.small_homework.tiny import SETTINGS


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """One grading with all checks, which most tests share."""
    root = tmp_path_factory.mktemp("tiny")
    write_homework(root, ALL)
    with FakeZygote(BEHAVIOURS, status=-11) as zygote:
        return judge(root, zygote)


AUTOGRADERS_FAULT = (
    "This check could not be run. This is the autograder's fault, not yours. "
    "Error number for the course staff: "
)


def test_every_check_has_its_line(session: Session) -> None:
    """The grading continues after every exception, and no check is left out."""
    assert session.status == 1, session.log  # pytest's word for: some tests failed
    assert all(entry.verdict is not Verdict.NOT_RUN for entry in session.entries.values())
    assert len(session.order) == len(set(session.order)) == len(session.entries)


def test_checks_run_by_number_and_after_those_they_require(session: Session) -> None:
    """Public and private checks are mixed by number; those marked run_last are last.

    A check that requires others waits for these, and for no more: a part stays together.
    """
    planned = [check_id.partition("::")[2] for check_id in session.entries]
    last = {
        "test_blocked",
        "test_falls_by_itself",
        "test_cannot_be_judged",
        "test_stub_on_it",
        "test_nobody_tried_either",
    }
    expected = [name for name in planned if name not in last]
    waits, required = "test_holds_beside_another", "test_does_not_hold"
    place = expected.index(waits)
    assert expected[place + 1] == required, "by number it would come first"
    expected[place : place + 2] = required, waits
    assert session.order == expected + [name for name in planned if name in last]
    assert planned.index("test_shrinks") < planned.index("test_is_not_shrunk")


@pytest.mark.parametrize(
    ("name", "verdict", "share", "feedback", "mistake"),
    [
        ("test_right", Verdict.PASSED, 1, "", None),
        (
            "test_wrong",
            Verdict.FAILED,
            0,
            "It is wrong.\nHere.\n1, 2\nLook at the sign of the foundation, and at its square.",
            None,
        ),
        ("test_advises", Verdict.FAILED, 0, "There is a better way.", None),
        ("test_advises_nothing", Verdict.PASSED, 1, "", None),
        ("test_reads_the_submission", Verdict.PASSED, 1, "", None),
        (
            "test_not_attempted",
            Verdict.NOT_ATTEMPTED,
            0,
            "Not attempted: codebase/a.py, line 8 still raises NotImplementedError.",
            None,
        ),
        ("test_half", Verdict.FAILED, 0.5, "Half of it.\nAdd the other half.", "half"),
        (
            "test_is_named",
            Verdict.FAILED,
            0,
            "It is wrong.\nIt looks as if you swapped them.",
            "swapped",
        ),
        (
            "test_shrinks",
            Verdict.FAILED,
            0,
            "n is too great.\nSmallest case found: n = 10.\nChoose a smaller one.",
            None,
        ),
        ("test_flaky", Verdict.FAILED, 0, "It is wrong at times.", None),
        ("test_nobody_tried", Verdict.NOT_ATTEMPTED, 0, "Not attempted.", None),
    ],
)
def test_a_checks_exception_becomes_its_entry(
    session: Session, name: str, verdict: Verdict, share: float, feedback: str, mistake: str | None
) -> None:
    """Verdict, share, feedback and mistake follow from it; without one the check passes."""
    entry = session.entry(name)
    assert (entry.verdict, entry.share, entry.feedback, entry.mistake) == (
        verdict,
        share,
        feedback,
        mistake,
    )


def test_a_lost_worker_fails_its_check_only(session: Session) -> None:
    """One died and one hung; each has its message, and later checks have their workers."""
    died, hung = session.entry("test_dies"), session.entry("test_hangs")
    assert (died.verdict, hung.verdict) == (Verdict.FAILED, Verdict.FAILED)
    assert "ended before it answered: it was ended by signal 11" in died.feedback
    assert "Your code waited for 0.1" in hung.feedback
    assert session.order.index("test_draws") > session.order.index("test_dies")
    assert session.entry("test_draws").verdict is Verdict.PASSED


def test_every_worker_is_ended(session: Session) -> None:
    """A check that calls opens one, unless all calls of the one before have returned."""
    # right, two that raise, stub, dies, shrinks (not shrunk takes its worker, and raises), draws
    # (hangs takes its worker), two slow ones; and the one forked ahead, which no check used
    calling = 9 + 1
    assert session.opened == calling
    assert sorted(session.ended) == list(range(1, calling + 1))


def test_public_checks_quote_the_student_and_private_ones_do_not(session: Session) -> None:
    """A student's exception could reveal what a private check sent."""
    for name in ("test_public_raises", "test_quotes"):
        assert "It says: TEXT OF THE STUDENT" in session.entry(name).feedback
    for name in ("test_private_raises", "test_wrong"):
        assert "TEXT OF THE STUDENT" not in session.entry(name).feedback
    private = session.entry("test_private_raises").feedback.splitlines()
    assert private[0] == "codebase/a.py, line 7 raised ValueError."


@pytest.mark.parametrize(
    "name",
    [
        "test_grader_error",
        "test_asserts",
        "test_setup_fails",
        "test_flaky_grader",
        "test_cannot_be_judged",
        "test_too_much_for_a_failure",
        "test_skips",
        "test_expects_no_number",
    ],
)
def test_an_internal_error_is_the_autograders_fault(session: Session, name: str) -> None:
    """The student reads a fixed message, the staff find the traceback in the log."""
    entry = session.entry(name)
    assert (entry.verdict, entry.share) == (Verdict.GRADER_ERROR, 0)
    message, number = entry.feedback[:-9], entry.feedback[-9:-1]
    assert message == AUTOGRADERS_FAULT
    assert f"--- error {number}: private/test_a.py::{name}\n" in session.log


def test_a_check_has_a_budget_for_all_its_calls(session: Session) -> None:
    """Hypothesis calls many times; all calls of a check together have a limit."""
    slow = session.entry("test_slow")
    assert (slow.verdict, slow.share) == (Verdict.FAILED, 0)
    assert slow.feedback.startswith("Your code is too slow: this check may take 0.5 s of processor")
    assert session.asked.count("slow_and_right") < 20


def test_a_failure_found_before_the_time_was_up_is_reported(session: Session) -> None:
    """That the search for a smaller example took too long is not mentioned."""
    entry = session.entry("test_slow_and_wrong")
    assert (entry.verdict, entry.feedback) == (Verdict.FAILED, "n is too great.")


def test_a_diagnosis_that_fails_costs_the_hint_only(session: Session) -> None:
    """An error in the catalogue's arithmetic does not end the grading."""
    entry = session.entry("test_cannot_be_named")
    assert (entry.verdict, entry.feedback) == (Verdict.FAILED, "It is wrong.")
    assert "ZeroDivisionError: SECRET" in session.log


def test_no_entry_contains_the_text_of_an_internal_error(session: Session) -> None:
    """That text is in the staff's log only."""
    assert not any("SECRET" in entry.feedback for entry in session.entries.values())
    assert session.log.count("RuntimeError: SECRET") >= 2
    assert "KeyError: 'SECRET'" in session.log


def test_a_teardown_that_fails_leaves_the_verdict(session: Session) -> None:
    """An error after a check has passed is in the staff's log and changes no verdict."""
    assert session.entry("test_teardown_fails").verdict is Verdict.PASSED
    assert ": private/test_a.py::test_teardown_fails\nTraceback" in session.log
    assert "RuntimeError: UNTIDY" in session.log


def test_a_check_that_needs_an_incorrect_part_is_blocked_by_it(session: Session) -> None:
    """It names the part and its title, has no share and no mistake."""
    entry = session.entry("test_blocked")
    assert (entry.verdict, entry.share, entry.mistake) == (Verdict.BLOCKED, 0, None)
    assert entry.feedback == (
        "Blocked by 1.1: fix foundation first. These points come back with it."
    )
    assert session.entry("test_stub_on_it").verdict is Verdict.BLOCKED


def test_only_failures_are_blocked_and_only_by_incorrect_parts(session: Session) -> None:
    """A pass stays a pass; with a correct part a failure stays one, as does a grader error."""
    assert session.entry("test_stands_all_the_same").verdict is Verdict.PASSED
    assert session.entry("test_falls_by_itself").verdict is Verdict.FAILED
    assert session.entry("test_cannot_be_judged").verdict is Verdict.GRADER_ERROR


def test_a_part_that_nobody_tried_is_not_attempted_rather_than_blocked(session: Session) -> None:
    """If the whole part is a stub, no other part is blamed."""
    entry = session.entry("test_nobody_tried_either")
    assert (entry.verdict, entry.feedback) == (Verdict.NOT_ATTEMPTED, "Not attempted either.")


def test_a_property_of_incorrect_code_earns_points_with_another_check(
    session: Session,
) -> None:
    """If no required check passes it earns nothing, and names those checks."""
    entry = session.entry("test_holds_for_much")
    assert (entry.verdict, entry.share) == (Verdict.BLOCKED, 0)
    assert entry.feedback == (
        "This property holds, but incorrect code often has it too. "
        "It earns its points once 1.1.2 passes."
    )
    assert session.entry("test_does_not_hold").feedback == "It has none."
    assert session.entry("test_does_not_hold").verdict is Verdict.FAILED


def test_a_property_earns_points_with_one_of_the_required_checks(session: Session) -> None:
    """One is enough; checks that were not run, as on a laptop, are not required."""
    entry = session.entry("test_holds_beside_another")
    assert (entry.verdict, entry.share) == (Verdict.PASSED, 1)


def test_without_a_comparison_no_advice_is_shown(session: Session) -> None:
    """The check's own advice would be about a mistake that was not seen."""
    assert session.entry("test_nothing_to_compare").feedback == "It returned nothing."


def test_a_conclusion_ends_the_search_for_smaller_cases(session: Session) -> None:
    """A stub is called once, not for every case of hypothesis."""
    assert session.entry("test_is_not_shrunk").verdict is Verdict.NOT_ATTEMPTED
    assert session.asked.count("stub_once") == 1


def test_the_greatest_error_of_a_check_is_in_its_entry(session: Session) -> None:
    """As a multiple of the tolerance, finite as JSON needs it; None without a comparison."""
    assert session.entry("test_measures").excess == pytest.approx(2.0)
    assert session.entry("test_measures_nan").excess == 1e300
    assert session.entry("test_right").excess is None


def test_the_time_a_check_took_is_in_its_entry(session: Session) -> None:
    """The check that waited for a worker took as long as it waited."""
    assert 0.1 <= session.entry("test_hangs").seconds < 60
    assert session.entry("test_advises_nothing").seconds < session.entry("test_hangs").seconds


DRAWS = "private/test_a.py::test_draws"


def test_the_same_seed_draws_the_same_cases(session: Session, tmp_path: Path) -> None:
    """A check gets the same cases when other checks are left out; another seed gives others."""
    write_homework(tmp_path, ALL)
    with FakeZygote(BEHAVIOURS) as zygote:
        alone = judge(tmp_path, zygote, only=[DRAWS])
    write_homework(tmp_path, ALL, SETTINGS.replace("seed = 1", "seed = 2"))
    with FakeZygote(BEHAVIOURS) as zygote:
        other = judge(tmp_path, zygote, only=[DRAWS])

    def cases(session: Session) -> list[int]:
        return [r["arguments"]["n"] for r in session.requests if r["experiment"] == "note"]

    assert len(cases(session)) == 5
    assert cases(alone) == cases(session)
    assert cases(other) != cases(session)
    assert alone.order == ["test_draws"], "only the selected check runs"
    assert alone.status == 0


@pytest.mark.parametrize("share", [-0.1, 1.0, 2.0, float("nan")])
def test_a_failure_earns_less_than_all(share: float) -> None:
    """CheckFailed refuses a share that the ledger would refuse."""
    with pytest.raises(ValueError, match=r"share=.* must be in \[0, 1\)"):
        CheckFailed("It is wrong.", share=share)


def test_a_figure_is_kept_with_every_verdict(session: Session) -> None:
    """The entry has the measured figure, unless it is NaN or was never set."""
    assert session.entry("test_has_a_figure").figure == -1.5
    assert session.entry("test_has_a_figure").verdict is Verdict.FAILED
    assert session.entry("test_has_no_finite_figure").figure is None
    assert session.entry("test_right").figure is None


def test_without_hints_the_numbers_stay_and_the_mistakes_id_is_kept(tmp_path: Path) -> None:
    """hints = false: the student reads neither the mistake nor the advice."""
    settings = SETTINGS.replace("seed = 1\n", "seed = 1\nhints = false\n")
    write_homework(tmp_path, ALL, settings)
    names = ("test_is_named", "test_half", "test_wrong")
    with FakeZygote(BEHAVIOURS, status=-11) as zygote:
        judged = judge(tmp_path, zygote, [f"private/test_a.py::{name}" for name in names])
    entries = {name: judged.entry(name) for name in names}
    assert entries["test_is_named"].feedback == "It is wrong."
    assert entries["test_is_named"].mistake == "swapped"
    assert (entries["test_half"].feedback, entries["test_half"].mistake) == ("Half of it.", "half")
    assert entries["test_wrong"].feedback == "It is wrong.\nHere.\n1, 2"
