"""The homework `tiny` as text: its settings, and a check for each kind of exception."""

from __future__ import annotations

SETTINGS = """
[assignment]
title = "Tiny"
[parts]
"1.1" = { title = "foundation", points = 2 }
"1.2" = { title = "house on it", points = 5 }
"1.3" = { title = "garden", points = 1 }
"2.1" = { title = "ends of all kinds", points = 20 }
"3.1" = { title = "part that nobody tried", points = 2 }
[submission]
files = ["codebase/a.py"]
[grading]
seed = 1
visibility = "visible"
deadline_s = 60
call_timeout_s = 20
check_timeout_s = 0.5
"""

HEAD = """
import pytest
from gradescope_utils.autograder_utils.decorators import number, weight
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.engine.judge.calls import Call
from autograder.engine.judge.compare import Tolerance, close
from autograder.engine.judge.exceptions import (
    Advice, CheckFailed, NotAttempted, Unusable, WorkerLost,
)

def call(caller, experiment, **arguments):
    return caller.call(Call(experiment, arguments, seed=0, needs="codebase/a.py"))
"""

PUBLIC = '''
@number("2.1.11")
@weight(1)
def test_public_raises(caller):
    """A public check shows what the student's exception says."""
    call(caller, "raise")

@number("1.1.1")
@weight(1)
def test_right(caller):
    """It holds."""
    assert call(caller, "answer").values == {"x": 1}

@number("1.3.1")
@weight(1)
def test_garden(caller):
    """It holds."""

@number("2.1.12")
def test_advises():
    """Advice: there is a better way."""
    raise Advice("There is a better way.")

@number("2.1.13")
def test_advises_nothing():
    """Advice: nothing to say."""

@number("2.1.14")
@weight(1)
def test_quotes():
    """It quotes."""
    raise CheckFailed("It is wrong.", quoted="TEXT OF THE STUDENT", where="Here.", numbers="1, 2")

@number("2.1.15")
@weight(1)
def test_reads_the_submission(submitted, homework):
    """The files can be read as text."""
    assert submitted.text("codebase/a.py").startswith("submitted = 1\\n")
    assert submitted.template("codebase/a.py") == "template = 1\\n"
    assert submitted.text("codebase/b.py") is None
    assert homework.title == "Tiny"
'''

PRIVATE = '''
@number("1.1.2")
@weight(1)
def test_wrong():
    """It is right.

    Look at the sign of the foundation,
    and at its square.
    """
    raise CheckFailed("It is wrong.", quoted="TEXT OF THE STUDENT", where="Here.", numbers="1, 2")

@number("1.2.1")
@weight(1)
@pytest.mark.blocked_by("1.1")
@pytest.mark.run_last
def test_blocked():
    """It stands."""
    raise CheckFailed("It fell.", mistake="quake", share=0.5)

@number("1.2.2")
@weight(1)
@pytest.mark.blocked_by("1.1")
def test_stands_all_the_same():
    """It stands on anything."""

@number("1.2.3")
@weight(1)
@pytest.mark.blocked_by("1.3")
@pytest.mark.run_last
def test_falls_by_itself():
    """It stands beside the garden."""
    raise CheckFailed("It fell.")

@number("1.2.4")
@weight(1)
@pytest.mark.blocked_by("1.1")
@pytest.mark.run_last
def test_cannot_be_judged():
    """It can be judged."""
    raise KeyError("SECRET")

@number("1.2.5")
@weight(1)
@pytest.mark.blocked_by("1.1")
@pytest.mark.run_last
def test_stub_on_it():
    """It is built."""
    raise NotAttempted("Not attempted: there is nothing here.")

@number("1.2.11")
@weight(1)
@pytest.mark.requires_any_of("1.1.2")
def test_holds_for_much():
    """It has a door."""

@number("1.2.12")
@weight(1)
@pytest.mark.requires_any_of("1.1.2", "1.2.2", "1.2.13")
@pytest.mark.requires_any_of("9.9.9")
def test_holds_beside_another():
    """It has a window."""

@number("1.2.13")
@weight(1)
@pytest.mark.requires_any_of("1.1.2")
def test_does_not_hold():
    """It has a chimney."""
    raise CheckFailed("It has none.")

@number("1.2.14")
@weight(1)
def test_nothing_to_compare():
    """It can be measured.

    Look at the height.
    """
    raise Unusable("It returned nothing.")

@number("2.1.1")
@weight(1)
def test_not_attempted(caller):
    """It is attempted."""
    call(caller, "stub")

@number("2.1.2")
@weight(1)
def test_dies(caller):
    """It lives."""
    call(caller, "die")

@number("2.1.3")
@weight(1)
def test_half(diagnosis):
    """It is whole."""
    raise CheckFailed("Half of it.", share=0.5, mistake="half", hint="Add the other half.")

@number("2.1.4")
@weight(1)
def test_grader_error():
    """It can be run."""
    raise RuntimeError("SECRET")

@number("2.1.5")
@weight(1)
def test_asserts():
    """It asserts."""
    assert 1 == 2, "SECRET"

@number("2.1.6")
@weight(1)
def test_setup_fails(broken):
    """It can be set up."""

@number("2.1.7")
@weight(1)
def test_teardown_fails(untidy):
    """It can be torn down."""

@number("2.1.8")
@weight(1)
def test_private_raises(caller):
    """A private check shows no text of the student."""
    call(caller, "raise")

@number("2.1.9")
@weight(1)
@given(n=st.integers(0, 1000))
def test_shrinks(caller, n):
    """n is small.

    Choose a smaller one.
    """
    call(caller, "answer")
    if n >= 10:
        raise CheckFailed("n is too great.", where=f"Smallest case found: n = {n}.")

@number("2.1.10")
@weight(1)
@given(n=st.integers())
def test_is_not_shrunk(caller, n):
    """It is attempted."""
    call(caller, "stub_once")

@number("2.1.30")
@weight(1)
def test_expects_no_number():
    """The oracle gives a number."""
    close(1.0, float("nan"), Tolerance(rtol=1, atol=1))

@number("2.1.31")
@weight(1)
@given(n=st.integers(0, 1000))
def test_slow_and_wrong(caller, n):
    """n is small."""
    call(caller, "slow")
    if n >= 10:
        raise CheckFailed("n is too great.")

@number("2.1.32")
@weight(1)
@given(n=st.integers(0, 1000))
def test_slow(caller, n):
    """It is quick."""
    call(caller, "slow_and_right")

tried, tried_too = [], []

@number("2.1.20")
@weight(1)
@given(n=st.integers(0, 5))
def test_flaky(n):
    """It always gives the same."""
    tried.append(n)
    if tried.count(n) == 1 and len(set(tried)) == 3:
        raise CheckFailed("It is wrong at times.")

@number("2.1.21")
@weight(1)
@given(n=st.integers(0, 5))
def test_flaky_grader(n):
    """The grader always gives the same."""
    tried_too.append(n)
    if tried_too.count(n) == 1 and len(set(tried_too)) == 3:
        raise RuntimeError("SECRET")

@number("2.1.22")
@weight(1)
def test_is_named(diagnosis):
    """Nobody swaps."""
    raise CheckFailed("It is wrong.")

@number("2.1.29")
@weight(1)
def test_cannot_be_named(broken_diagnosis):
    """Nobody breaks the diagnosis."""
    raise CheckFailed("It is wrong.")

@number("2.1.23")
@weight(1)
def test_measures():
    """Errors are measured."""
    close(1.5, 1.0, Tolerance(rtol=0, atol=0.25))
    close(1.1, 1.0, Tolerance(rtol=0, atol=0.25))

@number("2.1.24")
@weight(1)
def test_measures_nan():
    """A NaN is measured too."""
    close(float("nan"), 1.0, Tolerance(rtol=0, atol=0.25))

@number("2.1.40")
@weight(1)
def test_has_a_figure(figure):
    """A figure is kept, also of a check that fails."""
    figure.value = -1.5
    raise CheckFailed("Too little.")

@number("2.1.41")
@weight(1)
def test_has_no_finite_figure(figure):
    """A figure that is no number is none."""
    figure.value = float("nan")

@number("2.1.25")
@weight(1)
def test_too_much_for_a_failure():
    """A failure that earns all is a slip of the homework."""
    raise CheckFailed("SECRET", share=1.0)

@number("2.1.26")
@weight(1)
def test_skips():
    """A check cannot be skipped."""
    pytest.skip("SECRET")

@number("2.1.27")
@weight(1)
@settings(max_examples=5)
@given(n=st.integers())
def test_draws(caller, n):
    """The same cases every time."""
    call(caller, "note", n=n)

@number("2.1.28")
@weight(1)
def test_hangs(caller):
    """It comes back."""
    caller.call(Call("hang", seed=0, needs="codebase/a.py", timeout_s=0.1))

@number("3.1.1")
@weight(1)
def test_nobody_tried():
    """It is attempted."""
    raise NotAttempted("Not attempted.")

@number("3.1.2")
@weight(1)
@pytest.mark.blocked_by("1.1")
@pytest.mark.run_last
def test_nobody_tried_either():
    """It stands."""
    raise NotAttempted("Not attempted either.")
'''

CONFTEST = """
import pytest

@pytest.fixture
def diagnosis():
    class Diagnosis:
        def diagnose(self):
            return "swapped", "It looks as if you swapped them."
    return Diagnosis()

@pytest.fixture
def broken_diagnosis():
    class Diagnosis:
        def diagnose(self):
            raise ZeroDivisionError("SECRET")
    return Diagnosis()

@pytest.fixture
def broken():
    raise RuntimeError("SECRET")

@pytest.fixture
def untidy():
    yield
    raise RuntimeError("UNTIDY")
"""
