"""Faults of a file, the zygote, the memory or the environment, and how the checks report them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict
from autograder.engine.judge.conclusions import FileFaults
from autograder.engine.sandbox.frames import Frame
from tests.small_homework.fake_zygote import Behaviour, FakeZygote, raises
from tests.small_homework.judged import ALL, BEHAVIOURS, judge, write_homework
from tests.small_homework.tiny import HEAD, SETTINGS

FILE = "codebase/a.py"

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


def test_the_checks_of_a_part_share_a_worker_while_calls_return(tmp_path: Path) -> None:
    """A check may fail; after a call that raises, the next one gets a worker of its own."""
    passing = FIRST.replace("end of the zygote", "answer") + '    call(caller, "answer")\n'
    answers = 'call(caller, "answer")\n\n@number("1.1.3")'
    opened = []
    for number, ends in enumerate(
        ("", '    raise CheckFailed("no")\n', '    call(caller, "raise")\n')
    ):
        changed = answers.replace("\n\n", f"\n{ends}\n")
        text = HEAD + passing.replace(answers, changed)
        assert changed in text
        folder = tmp_path / str(number)
        folder.mkdir()
        write_homework(folder, {"private/test_a.py": text, "public/test_a.py": ""}, ONE_PART)
        with FakeZygote(BEHAVIOURS) as zygote:
            session = judge(folder, zygote)
            opened.append(zygote.opened)
        assert session.entry("test_third").verdict is Verdict.PASSED
        second = session.entry("test_second").verdict
        assert second is (Verdict.FAILED if ends else Verdict.PASSED)
    # One is always forked ahead.
    assert opened == [2, 2, 3]
