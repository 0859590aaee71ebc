"""What a check can conclude, as exceptions: a check that returns has passed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class CheckFailed(AssertionError):
    """The student's answer is wrong. Up to four lines: what, where, numbers, what to try.

    Args:
        what: what is wrong, one sentence.
        where: the smallest case found, in words.
        numbers: got against expected, with the tolerance.
        hint: what to try; given only when it was computed, not guessed.
        quoted: text of the student's own making (an exception's message); shown for public
            checks only, so that nothing sent to a private check comes back through it.
        mistake: id of the known misconception that gives exactly this answer.
        share: the part of the points earned all the same, in [0, 1).
        snippet: Python that shows the same in a student's own shell; for public checks only, and
            printed on his machine only.

    Raises:
        ValueError: for another share.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        numbers: str = "",
        hint: str = "",
        quoted: str = "",
        mistake: str | None = None,
        share: float = 0.0,
        snippet: str = "",
    ) -> None:
        if not 0 <= share < 1:
            raise ValueError(f"share={share!r} must be in [0, 1): the check has failed")
        super().__init__(what)
        self.what = what
        self.where = where
        self.numbers = numbers
        self.hint = hint
        self.quoted = quoted
        self.mistake = mistake
        self.share = share
        self.snippet = snippet

    def feedback(self, *, public: bool) -> str:
        """Return the lines a student sees."""
        quoted = f"It says: {self.quoted}" if self.quoted and public else ""
        return "\n".join(
            line for line in (self.what, quoted, self.where, self.numbers, self.hint) if line
        )


class Unusable(CheckFailed):
    """There is nothing to compare: an exception, another form, or an answer to another question.

    A check's own advice on what to try would speak of a mistake that nobody has seen.
    `of_file` says, without a full stop, that no function of a file can be called: then all checks
    of that file come to the same, and need not repeat it.
    """

    of_file: str = ""


class CheckStopped(BaseException):
    """A conclusion that must not be shrunk: not an Exception, so hypothesis lets it through."""

    def __init__(self, feedback: str) -> None:
        super().__init__(feedback)
        self.feedback = feedback


class NotAttempted(CheckStopped):
    """The stub is still there, or the file is missing."""


class WorkerLost(CheckStopped):
    """The worker hung, died or broke the protocol: the check fails, whatever else it would do.

    `of_file` is as that of `Unusable`.

    Args:
        feedback: the text for the student.
        hung: the student's functions that did not return in time.
    """

    of_file: str = ""

    def __init__(self, feedback: str, hung: Sequence[str] = ()) -> None:
        super().__init__(feedback)
        self.hung = tuple(hung)


class TooSlow(WorkerLost):
    """All calls of a check together took too long."""


class Advice(CheckStopped):
    """An informational line has something to say."""


@dataclass
class Figure:
    """A number that a check measured, whatever it concluded; a leaderboard may show it."""

    value: float | None = None
