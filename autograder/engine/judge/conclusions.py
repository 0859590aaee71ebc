"""From the exception that a check raised to its verdict, points and feedback."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import pytest

from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict
from autograder.engine.judge.calls import OutOfMemory
from autograder.engine.judge.exceptions import (
    CheckFailed,
    CheckStopped,
    Figure,
    NotAttempted,
    TooSlow,
    Unusable,
    WorkerLost,
)

# Puts an error of the autograder's own into the staff's log; returns its number there.
LogError = Callable[[BaseException], str]


@runtime_checkable
class Diagnoser(Protocol):
    """A fixture value that can name the mistake behind the answers a check saw."""

    def diagnose(self) -> tuple[str, str] | None:
        """Return (mistake id, hint), or None when no known mistake gives these answers."""


@dataclass(frozen=True)
class Conclusion:
    """The result of one check, before its requirements of other checks.

    Args:
        entry: verdict, share and feedback.
        of_file: the fault in a few words, where it is that of a whole file.
        failure: the exception that the feedback was made from.
        hung: the student's functions that did not return in time.
    """

    entry: Entry
    of_file: str = ""
    failure: CheckFailed | None = None
    hung: tuple[str, ...] = ()


def conclude(
    item: pytest.Item,
    check_id: str,
    error: BaseException | None,
    log_error: LogError,
    *,
    public: bool,
    hints: bool,
    failed_before: CheckFailed | None = None,
) -> Conclusion:
    """Return the conclusion of a check.

    Args:
        item: the check.
        check_id: its name in the ledger.
        error: the exception that it raised, None when it returned.
        log_error: logs errors that are the autograder's own.
        public: whether the student may read the message of his code's exception.
        hints: whether he may read what to try.
        failed_before: the failure that was found before the time was up.
    """

    def entry(verdict: Verdict, share: float, feedback: str) -> Entry:
        return Entry(check_id, verdict, share, feedback)

    if _is_flaky(error):
        error = _first_failure(error) or error
    if isinstance(error, TooSlow):
        error = failed_before or error
    if error is None:
        return Conclusion(entry(Verdict.PASSED, 1.0, ""))
    if isinstance(error, NotAttempted):
        return Conclusion(entry(Verdict.NOT_ATTEMPTED, 0.0, error.feedback))
    if isinstance(error, CheckStopped):
        hung = error.hung if isinstance(error, WorkerLost) else ()
        return Conclusion(entry(Verdict.FAILED, 0.0, error.feedback), error.of_file, hung=hung)
    if isinstance(error, CheckFailed):
        _diagnose(item, error, log_error)
        # The staff learns the mistake's name also where students get no hints.
        to_try = "" if isinstance(error, Unusable) else _what_to_try(item)
        error.hint = (error.hint or to_try) if hints else ""
        failed = entry(Verdict.FAILED, error.share, error.feedback(public=public))
        failed = replace(failed, mistake=error.mistake, hint=error.hint)
        return Conclusion(failed, error.of_file, error)
    problem = (
        "The machine ran out of memory during this check"
        if isinstance(error, OutOfMemory)
        else "This check could not be run"
    )
    return Conclusion(
        entry(
            Verdict.GRADER_ERROR,
            0.0,
            f"{problem}. This is the autograder's fault, not yours. "
            f"Error number for the course staff: {log_error(error)}.",
        )
    )


def figure_of(item: pytest.Item) -> float | None:
    """Return the number that a check measured for the leaderboard; None if there is none."""
    figure = _fixture_values(item).get("figure")
    if isinstance(figure, Figure) and figure.value is not None and math.isfinite(figure.value):
        return float(figure.value)
    return None


def _first_failure(error: BaseException | None) -> BaseException | None:
    """Find the check's own failure inside hypothesis's complaint that it does not always fail."""
    for inner in getattr(error, "exceptions", ()):
        if isinstance(inner, (CheckFailed, CheckStopped)):
            return inner
        deeper = _first_failure(inner)
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


def _diagnose(item: pytest.Item, error: CheckFailed, log_error: LogError) -> None:
    """Add mistake and hint, where a known mistake gives the answers that were seen."""
    if error.hint:
        return
    for value in _fixture_values(item).values():
        try:
            named = value.diagnose() if isinstance(value, Diagnoser) else None
        except Exception as trouble:  # it computes with the student's numbers
            log_error(trouble)
            continue
        if named is not None:
            error.mistake, error.hint = named


def _fixture_values(item: pytest.Item) -> Mapping[str, object]:
    return getattr(item, "funcargs", {})


def _what_to_try(item: pytest.Item) -> str:
    """Return the rest of the check's docstring: the advice where no mistake could be named."""
    text = inspect.getdoc(getattr(item, "obj", None)) or ""
    return " ".join(text.partition("\n")[2].split())


class FileFaults:
    """Reports the fault of a whole file, or a hang, once; other checks refer to that check."""

    def __init__(self) -> None:
        self._reports: dict[str, list[tuple[PlannedCheck, str]]] = {}
        self._short: dict[str, str] = {}
        self._hung: dict[str, list[PlannedCheck]] = {}

    def settle(
        self, check: PlannedCheck, entry: Entry, of_file: str, hung: Sequence[str] = ()
    ) -> Entry:
        """Return the entry, with a reference in place of a fault that was reported already.

        The same first line of feedback means the same fault.
        """
        if entry.verdict is not Verdict.FAILED:
            return entry
        first_line = entry.feedback.partition("\n")[0]
        if of_file:
            self._short[first_line] = of_file
        if first_line not in self._short:
            return replace(entry, same_as=self._same_hang(check, hung) or entry.same_as)
        reports = self._reports.setdefault(first_line, [])
        for earlier, feedback in reports:
            # A public check may quote an exception's message, a private one may not.
            is_complete = len(feedback) >= len(entry.feedback)
            if is_complete and earlier.visibility in ("visible", check.visibility):
                reference = f"{self._short[first_line]}; see check {earlier.number}."
                return replace(entry, feedback=reference, same_as=earlier.number)
        reports.append((check, entry.feedback))
        return entry

    def _same_hang(self, check: PlannedCheck, hung: Sequence[str]) -> str:
        """Return the number of the check in which one of these functions hung first, or ""."""
        earlier = [
            first
            for function in hung
            for first in self._hung.get(function, ())
            if check.may_tell_of(first)
        ]
        for function in hung:
            self._hung.setdefault(function, []).append(*(earlier[:1] or [check]))
        return earlier[0].number if earlier else ""
