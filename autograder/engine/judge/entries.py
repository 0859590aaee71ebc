"""From what a check raised to its verdict, share of the points and feedback."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from autograder.engine.grading.ledger import Verdict
from autograder.engine.judge.calls import OutOfMemory
from autograder.engine.judge.exceptions import (
    Advice,
    CheckFailed,
    CheckStopped,
    Figure,
    NotAttempted,
    TooSlow,
    Unusable,
)
from autograder.engine.judge.fixtures import Diagnoser

# Puts an error of the grader's own into the staff's log; returns the number it can be found by.
Complain = Callable[[BaseException], str]


@dataclass(frozen=True)
class Conclusion:
    """What a check came to by itself.

    `of_file` is the fault in a few words where it is that of a whole file; `failure` says what the
    feedback is made of; `hung` are the student's functions that did not return in time.
    """

    verdict: Verdict
    share: float
    feedback: str
    mistake: str | None = None
    hint: str = ""
    of_file: str = ""
    failure: CheckFailed | None = None
    hung: tuple[str, ...] = ()


def conclude(
    item: pytest.Item,
    error: BaseException | None,
    usage_error: Complain,
    *,
    public: bool,
    hints: bool,
    failed_before: CheckFailed | None = None,
) -> Conclusion:
    """Return what a check came to.

    Args:
        item: the check.
        error: what it raised, None when it returned.
        usage_error: is told of errors that are the grader's own.
        public: whether the student may be told what an exception of his code says.
        hints: whether he is told what to try.
        failed_before: the failure that was met before time was up, while it was being shrunk.
    """
    if _is_flaky(error):
        error = first_failure(error) or error
    if isinstance(error, TooSlow):  # what was found before the time was up counts
        error = failed_before or error
    if error is None:
        return Conclusion(Verdict.PASSED, 1.0, "")
    if isinstance(error, Advice):
        return Conclusion(Verdict.FAILED, 0.0, error.feedback)
    if isinstance(error, NotAttempted):
        return Conclusion(Verdict.NOT_ATTEMPTED, 0.0, error.feedback)
    if isinstance(error, CheckStopped):
        of_file, hung = getattr(error, "of_file", ""), getattr(error, "hung", ())
        return Conclusion(Verdict.FAILED, 0.0, error.feedback, of_file=of_file, hung=hung)
    if isinstance(error, CheckFailed):
        error = _diagnosed(item, error, usage_error)
        # The name of a mistake goes to the staff also where students are given no hints.
        to_try = "" if isinstance(error, Unusable) else _what_to_try(item)
        error.hint = (error.hint or to_try) if hints else ""
        feedback = error.feedback(public=public)
        of_file = getattr(error, "of_file", "")
        return Conclusion(
            Verdict.FAILED, error.share, feedback, error.mistake, error.hint, of_file, error
        )
    what = (
        "The machine ran out of memory during this check"
        if isinstance(error, OutOfMemory)
        else "This check could not be run"
    )
    return Conclusion(
        Verdict.GRADER_ERROR,
        0.0,
        f"{what}. That is the grader's fault, not yours. "
        f"Error number for the course staff: {usage_error(error)}.",
    )


def required_by(item: pytest.Item) -> tuple[str | None, list[tuple[str, ...]]]:
    """Return which part a check can be blocked by, and which checks it counts with, by number."""
    blocker = item.get_closest_marker("blocked_by")
    return (
        None if blocker is None else str(blocker.args[0]),
        [tuple(map(str, marker.args)) for marker in item.iter_markers("requires_any_of")],
    )


def figure_of(item: pytest.Item) -> float | None:
    """Return what a check measured for the leaderboard; None when it measured nothing."""
    funcargs: Mapping[str, object] = getattr(item, "funcargs", {})
    figure = funcargs.get("figure")
    if isinstance(figure, Figure) and figure.value is not None and math.isfinite(figure.value):
        return float(figure.value)
    return None


def first_failure(error: BaseException | None) -> BaseException | None:
    """Find the check's own failure inside hypothesis's complaint that it does not always fail."""
    for inner in getattr(error, "exceptions", ()):
        if isinstance(inner, (CheckFailed, CheckStopped)):
            return inner
        deeper = first_failure(inner)
        if deeper is not None:
            return deeper
    for linked in (getattr(error, "__cause__", None), getattr(error, "__context__", None)):
        if isinstance(linked, (CheckFailed, CheckStopped)):
            return linked
    return None


def _is_flaky(error: BaseException | None) -> bool:
    """Whether hypothesis raised this; it is not imported where no check draws cases."""
    hypothesis = sys.modules.get("hypothesis.errors")
    return hypothesis is not None and isinstance(error, hypothesis.Flaky)


def _diagnosed(item: pytest.Item, error: CheckFailed, usage_error: Complain) -> CheckFailed:
    """Add the hint, where the answers seen are those of a known mistake."""
    if error.hint:
        return error
    funcargs: Mapping[str, object] = getattr(item, "funcargs", {})
    for value in funcargs.values():
        try:
            named = value.diagnose() if isinstance(value, Diagnoser) else None
        except Exception as trouble:  # it works on numbers of the student's making
            usage_error(trouble)
            continue
        if named is not None:
            error.mistake, error.hint = named
    return error


def _what_to_try(item: pytest.Item) -> str:
    """The rest of the check's docstring: where to look when no mistake could be named."""
    text = inspect.getdoc(getattr(item, "obj", None)) or ""
    return " ".join(text.partition("\n")[2].split())
