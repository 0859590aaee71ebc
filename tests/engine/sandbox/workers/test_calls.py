"""A real zygote and its workers: what a call gives, whatever student code does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from autograder.engine.judge.calls import Ending
from autograder.engine.judge.student_errors import with_source
from autograder.engine.judge.trusted_messages import TrustedMessages
from tests.engine.sandbox.workers.kit import FILES, ROOT, VECTOR, Grader, Hand, line_of
from tests.processes import PATIENCE_S, is_gone


def test_what_a_function_returns_comes_back(hand: Hand) -> None:
    """A tensor arrives with its values, and with what is known about it."""
    outcome = hand.call("double", VECTOR)
    assert outcome.ending is Ending.RETURNED
    assert outcome.error is None
    np.testing.assert_array_equal(outcome.arrays["recorded"], 2 * VECTOR)
    assert outcome.values["recorded"] == {
        "kind": "tensor",
        "dtype": "float32",
        "shape": [3],
        "requires_grad": False,
    }
    assert 0 < outcome.seconds < PATIENCE_S


def test_a_view_with_gradients_is_recorded_by_its_values(hand: Hand) -> None:
    """A transposed, strided leaf that wants gradients is as good as any."""
    square = np.arange(16, dtype=np.float32).reshape(4, 4)
    outcome = hand.call("strided", square)
    np.testing.assert_array_equal(outcome.arrays["recorded"], square.T[:, ::2])
    assert outcome.values["recorded"]["requires_grad"] is True


def test_bfloat16_is_recorded_by_its_values(hand: Hand) -> None:
    """numpy has no bfloat16: the values come as float32, the dtype by its name."""
    outcome = hand.call("low_precision", VECTOR)
    np.testing.assert_array_equal(outcome.arrays["recorded"], VECTOR)
    assert outcome.values["recorded"]["dtype"] == "bfloat16"


def test_what_is_changed_later_is_recorded_as_it_was(hand: Hand) -> None:
    """The record is a copy, so that a later write of the student's code is not in it."""
    outcome = hand.call("adds_up", VECTOR, times=2)
    np.testing.assert_array_equal(outcome.arrays["recorded"], VECTOR)
    np.testing.assert_array_equal(outcome.arrays["recorded1"], 2 * VECTOR)


@pytest.mark.parametrize(
    ("function", "recorded"),
    [
        ("nothing", {"kind": "other", "type": "NoneType"}),
        ("not_a_number", {"kind": "other", "type": "float"}),
        ("forty_two", {"kind": "number", "type": "int", "value": 42.0}),
    ],
)
def test_what_is_no_tensor_is_recorded_by_its_kind(
    hand: Hand, function: str, recorded: Mapping[str, object]
) -> None:
    """None, a NaN and a number are told apart, and a NaN cannot break the reply."""
    outcome = hand.call(function)
    assert outcome.ending is Ending.RETURNED
    assert outcome.values["recorded"] == recorded


def test_a_worker_answers_one_call_after_the_other(hand: Hand) -> None:
    """Each reply belongs to its question, also after an exception."""
    for i in range(3):
        outcome = hand.call("double", np.full(2, i, np.float32))
        np.testing.assert_array_equal(outcome.arrays["recorded"], np.full(2, 2.0 * i))
        assert hand.call("divides").ending is Ending.RAISED


def test_two_workers_work_side_by_side(grader: Grader) -> None:
    """A worker that is busy keeps no other from answering."""
    busy, free = Hand(grader), Hand(grader)
    pending = busy.start("loops")
    assert free.call("forty_two").ending is Ending.RETURNED
    assert not is_gone(busy.pid)
    for hand in (busy, free):
        hand.worker.close()
    assert is_gone(busy.pid)
    assert pending.result().ending is Ending.DIED


def test_an_exception_comes_with_type_file_line_and_source(hand: Hand) -> None:
    """The student is shown the line of their own that raised."""
    outcome = hand.call("divides")
    assert outcome.ending is Ending.RAISED
    assert outcome.error is not None
    assert outcome.error.type == "ZeroDivisionError"
    assert outcome.error.message == "division by zero"
    assert outcome.error.file == "codebase/solution.py"
    assert outcome.error.line == line_of("return one / zero")
    told = with_source(outcome.error, hand.submission)
    assert told.source == "return one / zero  # here"
    assert outcome.error.misuse is False


def test_an_exception_inside_torch_points_at_the_students_line(hand: Hand) -> None:
    """Where a library raised, the line is the student's that called it, and no file of ours."""
    outcome = hand.call("asks_torch")
    assert outcome.error is not None
    assert outcome.error.type == "RuntimeError"
    assert outcome.error.line == line_of("shapes do not fit")


@pytest.mark.parametrize(
    ("module", "kind", "line", "message"),
    [
        ("unreadable", "SyntaxError", 2, "'(' was never closed"),
        ("crooked", "TabError", 3, "inconsistent use of tabs and spaces in indentation"),
    ],
)
def test_a_file_that_python_cannot_read_raises_with_its_line(
    hand: Hand, module: str, kind: str, line: int, message: str
) -> None:
    """A syntax error names the file, the line and the reason that Python names."""
    outcome = hand.call("f", module=module)
    assert outcome.ending is Ending.RAISED
    assert outcome.error is not None
    assert outcome.error.type in {kind, "IndentationError"}
    assert kind != outcome.error.type or outcome.error.message == message
    assert outcome.error.file == f"codebase/{module}.py"
    assert outcome.error.line == line
    told = with_source(outcome.error, hand.submission)
    assert told.source == FILES[f"{module}.py"].splitlines()[line - 1].strip()


def test_a_file_that_another_one_imports_is_the_one_that_is_named(hand: Hand) -> None:
    """The line with the import is innocent."""
    outcome = hand.call("f", module="imports_unreadable")
    assert outcome.error is not None
    assert (outcome.error.file, outcome.error.line) == ("codebase/unreadable.py", 2)


def test_a_missing_function_is_a_misuse(hand: Hand) -> None:
    """What is not there is named, in words of ours."""
    outcome = hand.call("of_no_such_name")
    assert outcome.error is not None
    assert outcome.error.misuse is True
    assert outcome.error.message == "codebase/solution.py does not define of_no_such_name"
    assert outcome.error.file is None


@pytest.mark.parametrize(
    ("function", "line"),
    [("stops", "    breakpoint()"), ("debugs", "pdb.set_trace()"), ("asks", "return input(")],
)
def test_what_waits_for_a_keyboard_is_a_misuse(hand: Hand, function: str, line: str) -> None:
    """It is told at once, in the line where it stands, in words that every check may show."""
    outcome = hand.call(function)
    assert outcome.error is not None
    assert outcome.error.misuse is True
    told = "breakpoint(), pdb and input() cannot be used in a grading: remove the call"
    assert outcome.error.message == told
    assert outcome.error.line == line_of(line)
    assert TrustedMessages.of_homework(ROOT / "tests" / "small_homework").include(told)


def test_a_missing_library_raises_with_its_line(hand: Hand) -> None:
    """An import that fails points at the import."""
    outcome = hand.call("f", module="needs_sklearn")
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.line) == ("ModuleNotFoundError", 1)


def test_a_function_that_imports_what_is_not_installed_is_called_again(hand: Hand) -> None:
    """With a stand-in, and with inputs that the first call has not changed."""
    outcome = hand.call("unused", VECTOR, module="imports_late")
    np.testing.assert_array_equal(outcome.arrays["recorded"], 2 * VECTOR)


def test_using_what_is_not_installed_is_a_misuse(hand: Hand) -> None:
    """It points at the use, not at the import."""
    outcome = hand.call("used", VECTOR, module="imports_late")
    assert outcome.error is not None
    assert (outcome.error.misuse, outcome.error.line) == (True, 9)
    assert outcome.error.message == (
        "nothing_of_this_name is not installed where this is graded; remove its use from "
        "codebase/imports_late.py"
    )


def test_an_endless_message_is_cut(hand: Hand) -> None:
    """An exception's text is cut, whatever is in it, so that its reply fits a frame."""
    outcome = hand.call("says_much")
    assert outcome.error is not None
    assert outcome.error.message == "x" * 600


def test_an_exception_that_cannot_say_what_it_is_still_arrives(hand: Hand) -> None:
    """Where `str` of the exception raises, the rest of the reply comes all the same."""
    outcome = hand.call("cannot_say")
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.message) == ("Dumb", "(its text could not be read)")


@pytest.mark.parametrize(
    ("function", "module", "kind"),
    [
        ("recurses", "solution", "RecursionError"),
        ("exits", "solution", "SystemExit"),
        ("interrupts", "solution", "KeyboardInterrupt"),
        ("f", "exits_on_import", "SystemExit"),
    ],
)
def test_an_exit_is_an_exception_like_any_other(
    hand: Hand, function: str, module: str, kind: str
) -> None:
    """SystemExit, KeyboardInterrupt and endless recursion are replies, never a clean end."""
    outcome = hand.call(function, module=module)
    assert outcome.ending is Ending.RAISED
    assert outcome.error is not None
    assert outcome.error.type == kind
    assert outcome.error.file == f"codebase/{module}.py"


def test_the_students_files_shadow_nothing(hand: Hand) -> None:
    """Files named like a library's, loaded already or not, are not picked up."""
    files = hand.value("imported_from")
    assert all(file and "submission" not in file for file in files.values()), files


def test_the_environment_is_tried_before_any_code_of_the_student(hand: Hand) -> None:
    """What is imported can be read, and torch works."""
    outcome = hand.worker.call("self_test", {}, {}, seed=0, limit_s=PATIENCE_S)
    assert outcome.error is None
    assert outcome.ending is Ending.RETURNED


def test_a_package_that_cannot_be_read_fails_the_test_of_the_environment(hand: Hand) -> None:
    """It is imported, and lies where a worker may not look."""
    hand.call("imports_from_nowhere")
    outcome = hand.worker.call("self_test", {}, {}, seed=0, limit_s=PATIENCE_S)
    assert outcome.ending is Ending.RAISED
    assert outcome.error is not None
    assert outcome.error.type == "PermissionError"
