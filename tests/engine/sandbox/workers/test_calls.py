"""Calls of a real worker: results and errors of student code."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from autograder.engine.judge.calls import Ending
from autograder.engine.judge.student_errors import with_source
from autograder.engine.judge.trusted_messages import TrustedMessages
from tests.engine.sandbox.workers.kit import FILES, ROOT, VECTOR, Grader, Hand, line_of
from tests.processes import PATIENCE_S, is_gone


def test_a_returned_tensor_arrives(hand: Hand) -> None:
    """With its values, dtype, shape and other properties."""
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
    """A transposed, strided leaf with gradients arrives like any other tensor."""
    square = np.arange(16, dtype=np.float32).reshape(4, 4)
    outcome = hand.call("strided", square)
    np.testing.assert_array_equal(outcome.arrays["recorded"], square.T[:, ::2])
    assert outcome.values["recorded"]["requires_grad"] is True


def test_bfloat16_is_recorded_by_its_values(hand: Hand) -> None:
    """numpy has no bfloat16: the values come as float32, the dtype by its name."""
    outcome = hand.call("low_precision", VECTOR)
    np.testing.assert_array_equal(outcome.arrays["recorded"], VECTOR)
    assert outcome.values["recorded"]["dtype"] == "bfloat16"


def test_a_later_change_does_not_alter_the_record(hand: Hand) -> None:
    """The record is a copy."""
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
def test_other_values_are_recorded_by_their_kind(
    hand: Hand, function: str, recorded: Mapping[str, object]
) -> None:
    """None, NaN and a number are distinguished, and NaN cannot break the reply."""
    outcome = hand.call(function)
    assert outcome.ending is Ending.RETURNED
    assert outcome.values["recorded"] == recorded


def test_a_worker_answers_one_call_after_the_other(hand: Hand) -> None:
    """Each reply belongs to its call, also after an exception."""
    for i in range(3):
        outcome = hand.call("double", np.full(2, i, np.float32))
        np.testing.assert_array_equal(outcome.arrays["recorded"], np.full(2, 2.0 * i))
        assert hand.call("divides").ending is Ending.RAISED


def test_two_workers_run_at_the_same_time(grader: Grader) -> None:
    """A busy worker does not block another."""
    busy, free = Hand(grader), Hand(grader)
    pending = busy.start("loops")
    assert free.call("forty_two").ending is Ending.RETURNED
    assert not is_gone(busy.pid)
    for hand in (busy, free):
        hand.worker.close()
    assert is_gone(busy.pid)
    assert pending.result().ending is Ending.DIED


def test_an_exception_comes_with_type_file_line_and_source(hand: Hand) -> None:
    """Students see their own line that raised."""
    outcome = hand.call("divides")
    assert outcome.ending is Ending.RAISED
    assert outcome.error is not None
    assert outcome.error.type == "ZeroDivisionError"
    assert outcome.error.message == "division by zero"
    assert outcome.error.file == "codebase/solution.py"
    assert outcome.error.line == line_of("return one / zero")
    error = with_source(outcome.error, hand.submission)
    assert error.source == "return one / zero  # here"
    assert outcome.error.misuse is False


def test_an_exception_inside_torch_points_at_the_students_line(hand: Hand) -> None:
    """If a library raises, the line is the student's call of it, in no file of ours."""
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
    """A syntax error has the file, the line and Python's reason."""
    outcome = hand.call("f", module=module)
    assert outcome.ending is Ending.RAISED
    assert outcome.error is not None
    assert outcome.error.type in {kind, "IndentationError"}
    assert kind != outcome.error.type or outcome.error.message == message
    assert outcome.error.file == f"codebase/{module}.py"
    assert outcome.error.line == line
    error = with_source(outcome.error, hand.submission)
    assert error.source == FILES[f"{module}.py"].splitlines()[line - 1].strip()


def test_a_syntax_error_in_an_imported_file_names_that_file(hand: Hand) -> None:
    """Not the file that imports it."""
    outcome = hand.call("f", module="imports_unreadable")
    assert outcome.error is not None
    assert (outcome.error.file, outcome.error.line) == ("codebase/unreadable.py", 2)


def test_a_missing_function_is_a_misuse(hand: Hand) -> None:
    """The message is ours and names the function."""
    outcome = hand.call("of_no_such_name")
    assert outcome.error is not None
    assert outcome.error.misuse is True
    assert outcome.error.message == "codebase/solution.py does not define of_no_such_name"
    assert outcome.error.file is None


@pytest.mark.parametrize(
    ("function", "line"),
    [("stops", "    breakpoint()"), ("debugs", "pdb.set_trace()"), ("asks", "return input(")],
)
def test_a_call_that_waits_for_a_keyboard_is_a_misuse(hand: Hand, function: str, line: str) -> None:
    """It raises at once, with its line and a message that every check may show."""
    outcome = hand.call(function)
    assert outcome.error is not None
    assert outcome.error.misuse is True
    message = "breakpoint(), pdb and input() cannot be used in a grading: remove the call"
    assert outcome.error.message == message
    assert outcome.error.line == line_of(line)
    assert TrustedMessages.of_homework(ROOT / "tests" / "small_homework").include(message)


def test_a_missing_library_raises_with_its_line(hand: Hand) -> None:
    """An import that fails points at the import."""
    outcome = hand.call("f", module="needs_sklearn")
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.line) == ("ModuleNotFoundError", 1)


def test_a_function_that_imports_a_missing_package_is_called_again(hand: Hand) -> None:
    """With a stand-in, and with the original inputs."""
    outcome = hand.call("unused", VECTOR, module="imports_late")
    np.testing.assert_array_equal(outcome.arrays["recorded"], 2 * VECTOR)


def test_using_a_missing_package_is_a_misuse(hand: Hand) -> None:
    """The line is that of the use, not of the import."""
    outcome = hand.call("used", VECTOR, module="imports_late")
    assert outcome.error is not None
    assert (outcome.error.misuse, outcome.error.line) == (True, 9)
    assert outcome.error.message == (
        "nothing_of_this_name is not installed where this is graded; remove its use from "
        "codebase/imports_late.py"
    )


def test_an_endless_message_is_cut(hand: Hand) -> None:
    """So that the reply fits a frame."""
    outcome = hand.call("says_much")
    assert outcome.error is not None
    assert outcome.error.message == "x" * 600


def test_an_exception_without_a_readable_text_still_arrives(hand: Hand) -> None:
    """If `str` of the exception raises, the rest of the reply arrives."""
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
    """SystemExit, KeyboardInterrupt and endless recursion give replies, never a clean end."""
    outcome = hand.call(function, module=module)
    assert outcome.ending is Ending.RAISED
    assert outcome.error is not None
    assert outcome.error.type == kind
    assert outcome.error.file == f"codebase/{module}.py"


def test_the_students_files_shadow_nothing(hand: Hand) -> None:
    """Files with a library's name are not imported, loaded before or not."""
    files = hand.value("imported_from")
    assert all(file and "submission" not in file for file in files.values()), files


def test_the_environment_is_tested_before_any_student_code(hand: Hand) -> None:
    """Imported packages can be read, and torch works."""
    outcome = hand.worker.start("self_test", {}, {}, seed=0, limit_s=PATIENCE_S).result()
    assert outcome.error is None
    assert outcome.ending is Ending.RETURNED


def test_a_package_that_cannot_be_read_fails_the_test_of_the_environment(hand: Hand) -> None:
    """It was imported, but a worker cannot read its folder."""
    hand.call("imports_from_nowhere")
    outcome = hand.worker.start("self_test", {}, {}, seed=0, limit_s=PATIENCE_S).result()
    assert outcome.ending is Ending.RAISED
    assert outcome.error is not None
    assert outcome.error.type == "PermissionError"


def test_a_fresh_worker_is_like_a_new_one(hand: Hand) -> None:
    """Neither the file's variables nor torch's settings stay."""
    new = hand.value("settings")
    hand.call("leaves_settings", VECTOR)
    assert hand.value("settings") != new
    assert hand.worker.becomes_fresh()
    assert hand.value("settings") == new
