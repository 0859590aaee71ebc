"""Replies that later checks of a submission can use again, in place of a call of their own."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from autograder.engine.judge.calls import Outcome


class KeptReplies:
    """Replies to questions about one function, until one about another function is asked.

    A loss's value and gradient are in one reply: the check of the gradient needs no worker if it
    has the cases of the check of the value. Calls that fail give no reply, so they are made again.
    """

    def __init__(self) -> None:
        self._function = ""
        self._replies: dict[Hashable, Outcome] = {}

    def reply(self, function: str, question: Hashable, ask: Callable[[], Outcome]) -> Outcome:
        """Return the reply to a question, which `ask` asks if nobody has before."""
        if function != self._function:  # one function's replies are some megabytes
            self._function, self._replies = function, {}
        if question not in self._replies:
            self._replies[question] = ask()
        return self._replies[question]
