"""A grading of a tiny homework: from a check's exception to its line in the ledger."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict
from autograder.engine.judge.conclusions import FileFaults
from autograder.engine.judge.exceptions import CheckFailed
from autograder.engine.sandbox.frames import Frame
from tests.small_homework.fake_zygote import Behaviour, FakeZygote, raises
from tests.small_homework.judged import ALL, BEHAVIOURS, Session, judge, write_homework
from tests.small_homework.tiny import HEAD, SETTINGS

FILE = "codebase/a.py"


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

    Checks that require others come before those, and after the checks that they require.
    """
    planned = [check_id.partition("::")[2] for check_id in session.entries]
    last = {
        "test_blocked",
        "test_falls_by_itself",
        "test_cannot_be_judged",
        "test_stub_on_it",
        "test_nobody_tried_either",
    }
    dependent = ["test_holds_for_much", "test_does_not_hold", "test_holds_beside_another"]
    assert planned.index(dependent[1]) > planned.index(dependent[2]), (
        "by number it would come first"
    )
    expected = [name for name in planned if name not in last.union(dependent)] + dependent
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


def test_every_check_has_its_own_worker_which_is_ended(session: Session) -> None:
    """One worker was opened and ended for each check that called one."""
    # right, two that raise, stub, dies, shrinks, not shrunk, draws, hangs, two slow ones; the last
    # one forked ahead, which no check used; and the first one, which tested the environment
    calling = 1 + 11 + 1
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


FIRST = '''
@number("1.1.1")
@weight(1)
def test_first(caller):
    """It holds."""
    call(caller, "answer")

@number("1.1.2")
@weight(1)
def test_second(caller):
    """It holds too."""
    call(caller, "end of the zygote")

@number("1.1.3")
@weight(1)
def test_third(caller):
    """It would hold."""
'''
FOURTH = '''
@number("1.1.4")
@weight(1)
def test_fourth():
    """It cannot be imported."""
'''
ONE_PART = SETTINGS.split('"1.2"')[0] + "[submission]" + SETTINGS.split("[submission]")[1]


def test_without_a_zygote_the_judge_ends_and_leaves_the_rest_to_another(tmp_path: Path) -> None:
    """Earlier verdicts stay, the current check has none, and the exit status is 3."""
    files = {"private/test_a.py": HEAD + FIRST, "public/test_a.py": ""}
    write_homework(tmp_path, files, ONE_PART)
    zygote = FakeZygote({**BEHAVIOURS, "end of the zygote": lambda _: zygote.hang_up()})
    with zygote:
        session = judge(tmp_path, zygote)
    assert session.status == 3
    assert session.order == ["test_first"]
    assert session.entry("test_second").verdict is Verdict.NOT_RUN
    assert "ZygoteGone: the zygote" in session.log


def test_a_file_that_cannot_be_imported_costs_its_own_checks_only(tmp_path: Path) -> None:
    """The other checks are judged; the staff's log has the reason."""
    files = {
        "public/test_a.py": HEAD + FIRST.replace("end of the zygote", "answer"),
        "private/test_a.py": "import no_such_module\n" + HEAD + FOURTH,
        "private/test_b.py": "1 / 0\n",
    }
    write_homework(tmp_path, files, ONE_PART)
    with FakeZygote(BEHAVIOURS) as zygote:
        session = judge(tmp_path, zygote)
    assert session.status not in (0, 3)
    assert session.order == ["test_first", "test_second", "test_third"]
    assert session.entry("test_fourth").verdict is Verdict.NOT_RUN
    assert ": private/test_a.py\n" in session.log
    assert "No module named 'no_such_module'" in session.log
    assert "ZeroDivisionError" in session.log


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


ENDS_ONLY = re.sub(r'\n"(1|3)\..*', "", SETTINGS)

DIES_FOR_MEMORY = '''
@number("2.1.1")
@weight(1)
def test_is_killed(caller):
    """It holds."""
    call(caller, "killed")

@number("2.1.2")
@weight(1)
def test_comes_after(caller):
    """It holds."""
    call(caller, "answer")
'''


@pytest.mark.parametrize("times", [1, 2])
def test_a_check_that_was_killed_for_memory_is_run_again_alone(tmp_path: Path, times: int) -> None:
    """It runs after all others; the second time it is the autograder's fault."""
    left = [times]

    def killed(_: Frame) -> Frame | None:
        left[0] -= 1
        return None if left[0] >= 0 else Frame({"values": {}})

    files = {"private/test_a.py": HEAD + DIES_FOR_MEMORY, "public/test_a.py": ""}
    write_homework(tmp_path, files, ENDS_ONLY)
    ends = {"status": -9, "out_of_memory": True, "memory_bytes": 0}
    with FakeZygote({**BEHAVIOURS, "killed": killed}, ends=ends) as zygote:
        session = judge(tmp_path, zygote)
    assert session.order == ["test_comes_after", "test_is_killed"], session.log
    entry = session.entry("test_is_killed")
    if times == 1:
        assert entry.verdict is Verdict.PASSED
    else:
        assert entry.verdict is Verdict.GRADER_ERROR
        assert entry.feedback.startswith("The machine ran out of memory during this check. This is")


SAME_FILE = '''
@number("1.1.1")
@weight(1)
def test_one(caller):
    """One."""
    call(caller, "answer")

@number("1.1.2")
@weight(1)
def test_two(caller):
    """Two."""
    call(caller, "answer")
'''
NOT_READ = (
    "Python cannot read codebase/a.py, line 7: '(' was never closed.\nThe line reads: x = f(y)"
)


@pytest.mark.parametrize(
    ("behaviour", "full", "short"),
    [
        (
            raises("SyntaxError", "'(' was never closed"),
            NOT_READ,
            "Python cannot read codebase/a.py",
        ),
        (
            raises("NameError"),
            "codebase/a.py, line 7 raised NameError.\n",
            f"{FILE} cannot be imported",
        ),
        (lambda _: None, "The process that ran your code ended", f"{FILE} cannot be imported"),
    ],
    ids=["syntax", "raises", "dies"],
)
def test_the_fault_of_a_file_is_reported_once(
    tmp_path: Path, behaviour: Behaviour, full: str, short: str
) -> None:
    """The first check reports it, and the others name that check."""
    private = SAME_FILE.replace("1.1.", "1.1.1").replace("test_", "test_private_")
    files = {"public/test_a.py": HEAD + SAME_FILE, "private/test_a.py": HEAD + private}
    write_homework(tmp_path, files, ONE_PART)
    with FakeZygote({**BEHAVIOURS, "import": behaviour}, status=-11) as zygote:
        session = judge(tmp_path, zygote)
    assert session.entry("test_one").feedback.startswith(full)
    for name in ("test_two", "test_private_one", "test_private_two"):
        assert session.entry(name).feedback == f"{short}; see check 1.1.1."
        assert session.entry(name).verdict is Verdict.FAILED


def planned(number: str, audience: str, visibility: str = "visible") -> PlannedCheck:
    """A planned check."""
    return PlannedCheck(f"{audience}/a.py::{number}", number, "A title.", "1.1", 1.0, visibility)


def settle(
    faults: FileFaults, check: PlannedCheck, feedback: str, of_file: str = "It is bad"
) -> tuple[str, str]:
    """Settle a failed check; return its feedback and the number that it refers to."""
    entry = Entry(check.check_id, Verdict.FAILED, 0.0, feedback)
    settled = faults.settle(check, entry, of_file)
    return settled.feedback, settled.same_as


@pytest.mark.parametrize(
    ("first", "second", "refers"),
    [
        (planned("1.1.1", "public"), planned("1.1.2", "private"), True),
        (planned("1.1.1", "private"), planned("1.1.2", "private"), True),
        (planned("1.1.1", "private"), planned("1.1.2", "public"), True),
        (planned("1.1.1", "public", "hidden"), planned("1.1.2", "public"), False),
        (planned("1.1.1", "public"), planned("1.1.2", "public", "hidden"), True),
        (planned("1.1.1", "public", "hidden"), planned("1.1.2", "public", "hidden"), True),
    ],
)
def test_a_check_refers_only_to_checks_that_its_reader_can_see(
    first: PlannedCheck, second: PlannedCheck, refers: bool
) -> None:
    """A student cannot read a hidden check."""
    faults = FileFaults()
    assert settle(faults, first, "Bad.\nLine.") == ("Bad.\nLine.", "")
    expected = ("It is bad; see check 1.1.1.", "1.1.1") if refers else ("Bad.\nLine.", "")
    assert settle(faults, second, "Bad.\nLine.") == expected


def test_a_check_refers_only_to_feedback_as_complete_as_its_own() -> None:
    """A public check quotes an exception's message, a private one may not."""
    faults = FileFaults()
    more = "Bad.\nIt says: x\nLine."
    settle(faults, planned("1.1.1", "private"), "Bad.\nLine.")
    assert settle(faults, planned("1.1.2", "public"), more) == (more, "")
    reference = settle(faults, planned("1.1.3", "public"), more)
    assert reference == ("It is bad; see check 1.1.2.", "1.1.2")


def test_other_failures_are_reported_in_full() -> None:
    """The same message for two functions means two mistakes."""
    faults = FileFaults()
    for number in ("1.1.1", "1.1.2"):
        assert settle(faults, planned(number, "public"), "Bad.", "") == ("Bad.", "")


def test_checks_that_are_not_run_again_refer_to_the_first_hang() -> None:
    """One function that hangs is one cause; a hidden check is not referred to."""
    faults = FileFaults()

    def same_as(number: str, hung: tuple[str, ...], visibility: str = "visible") -> str:
        check = planned(number, "public", visibility)
        entry = Entry(check.check_id, Verdict.FAILED, 0.0, f"{number} hung.")
        return faults.settle(check, entry, "", hung).same_as

    assert same_as("1.1.1", ("f",), "hidden") == ""
    assert same_as("1.1.2", ("f",)) == ""
    assert same_as("1.1.3", ("f",)) == "1.1.2"
    assert same_as("1.2.1", ("g", "f")) == "1.1.2"
    assert same_as("1.2.2", ("g",)) == "1.1.2"
    assert same_as("1.3.1", ("h",)) == ""
    assert same_as("1.3.2", ()) == ""


def test_a_broken_environment_is_the_autograders_fault(tmp_path: Path) -> None:
    """No check blames the student's code."""
    write_homework(tmp_path, ALL)
    broken = raises("PermissionError", "torch cannot be read")
    with FakeZygote({**BEHAVIOURS, "self_test": broken}) as zygote:
        session = judge(tmp_path, zygote)
    for name in ("test_right", "test_dies", "test_hangs", "test_public_raises"):
        assert session.entry(name).verdict is Verdict.GRADER_ERROR
        assert "the autograder's fault, not yours" in session.entry(name).feedback
    assert "a worker cannot use the environment" in session.log
    assert "torch cannot be read" in session.log
