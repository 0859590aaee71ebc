"""Replies that later checks of a submission can use again, in place of a call of their own."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from autograder.engine.judge.calls import Outcome

Read = TypeVar("Read")

# For the replies that are kept. Those about a loss take 2 MB; a worker may send more, and a search
# for the smallest case asks for hundreds.
_MOST_BYTES = 16 * 2**20
_VALUES_BYTES = 64 * 1024  # the most that a reply's values take


class KeptReplies:
    """Replies to questions about one function, until one about another function is asked.

    A loss's value and gradient are in one reply: the check of the gradient needs no worker if it
    has the cases of the check of the value. Calls that fail give no reply, so they are made again.
    """

    def __init__(self) -> None:
        self._function = ""
        self._kept: dict[Hashable, Any] = {}
        self._room = _MOST_BYTES

    def answer(
        self,
        function: str,
        question: Hashable,
        ask: Callable[[], Outcome],
        read: Callable[[Outcome], Read],
    ) -> Read:
        """Return what `read` makes of the reply to a question; ask unless it was asked before."""
        if function != self._function:
            self._function, self._kept, self._room = function, {}, _MOST_BYTES
        if question in self._kept:
            kept: Read = self._kept[question]
            return kept
        reply = ask()
        answer = read(reply)
        size = _VALUES_BYTES + sum(array.nbytes for array in reply.arrays.values())
        if size <= self._room:
            self._kept[question] = answer
            self._room -= size
        return answer
