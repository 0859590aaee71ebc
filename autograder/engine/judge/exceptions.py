"""The conclusions of a check, as exceptions: a check that returns has passed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


class CheckFailed(AssertionError):
    """The student's answer is incorrect. Up to four lines: what, where, numbers, what to try.

    Args:
        what: what is wrong, one sentence.
        where: the smallest case found, in words.
        numbers: got against expected, with the tolerance.
        hint: what to try; given only when it was computed, not guessed.
        quoted: text that the student's code wrote (an exception's message); shown for public
            checks only, so that it cannot reveal what a private check sent.
        mistake: id of the known misconception that gives exactly this answer.
        share: the part of the points earned nevertheless, in [0, 1).

    Raises:
        ValueError: for another share.
    """

    # The fault in a few words, without a full stop, where no function of a file can be called:
    # all checks of that file fail alike, and only the first one reports it in full.
    of_file: str = ""
    # Python that reproduces the failure of a public check; printed on a student's machine only.
    snippet: str = ""

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

    def feedback(self, *, public: bool) -> str:
        """Return the lines a student sees."""
        quoted = f"It says: {self.quoted}" if self.quoted and public else ""
        return "\n".join(
            line for line in (self.what, quoted, self.where, self.numbers, self.hint) if line
        )


class Unusable(CheckFailed):
    """There is nothing to compare: an exception, or an answer of another form.

    The check's own advice is not shown, since no mistake was seen.
    """


class CheckStopped(BaseException):
    """A conclusion that must not be shrunk: not an Exception, so hypothesis lets it through.

    Args:
        feedback: the lines a student sees.
        of_file: as that of `CheckFailed`.
    """

    def __init__(self, feedback: str, of_file: str = "") -> None:
        super().__init__(feedback)
        self.feedback = feedback
        self.of_file = of_file


class NotAttempted(CheckStopped):
    """The stub is still there, or the file is missing."""


class WorkerLost(CheckStopped):
    """The worker hung, died or broke the protocol: the check fails.

    Args:
        feedback: the lines a student sees.
        of_file: as that of `CheckFailed`.
        hung: the student's functions that did not return in time.
    """

    def __init__(self, feedback: str, of_file: str = "", hung: Sequence[str] = ()) -> None:
        super().__init__(feedback, of_file)
        self.hung = tuple(hung)


class TooSlow(WorkerLost):
    """All calls of a check together took too long."""


class Advice(CheckStopped):
    """An informational check has advice."""


@contextlib.contextmanager
def advising() -> Iterator[None]:
    """Turn a failure of the code into "nothing to advise on": other checks report it.

    Raises:
        Advice, NotAttempted: as they are.
        NotAttempted: in place of another conclusion.
    """
    try:
        yield
    except (Advice, NotAttempted):
        raise
    except (CheckFailed, CheckStopped):
        raise no_advice() from None


def no_advice() -> NotAttempted:
    """Return the conclusion that the code did not run, so that there is no advice on it."""
    return NotAttempted("Not attempted: this code did not run, so there is no advice on it.")


@dataclass
class Figure:
    """A number that a check measured, passed or failed; a leaderboard may show it."""

    value: float | None = None
