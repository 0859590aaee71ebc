"""The judge's connection to the zygote: numbered requests, whose answers are read in any order.

Several requests may be open at once, so that the zygote can fork the next worker and end the last
one while a check runs.
"""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any


class ZygoteGone(BaseException):
    """The zygote does not answer: the autograder's fault, not the student's.

    Not an Exception: hypothesis would catch it and try again.
    """


class Control:
    """Sends requests and finds their answers on a SOCK_SEQPACKET socket, one a packet."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        # A zygote serves one judge after another, and a judge that was killed leaves answers
        # unread: numbers that start at random keep them apart.
        self._next = secrets.randbits(48)
        self._open: set[int] = set()
        self._answers: dict[int, Mapping[str, Any]] = {}

    def ask(self, request: Mapping[str, Any], descriptors: Sequence[int] = ()) -> int:
        """Send a request; return the number that `answer` takes.

        Raises:
            ZygoteGone: it cannot be sent.
        """
        self._next += 1
        try:
            self._sock.settimeout(None)
            packet = json.dumps({**request, "number": self._next}).encode()
            socket.send_fds(self._sock, [packet], descriptors)
        except OSError as error:
            raise ZygoteGone(f"the zygote does not answer: {error}") from error
        self._open.add(self._next)
        return self._next

    def answer(self, number: int, timeout_s: float) -> Mapping[str, Any]:
        """Wait for the answer to a request.

        Raises:
            ZygoteGone: none comes.
        """
        until = time.monotonic() + timeout_s
        while number not in self._answers:
            try:
                self._sock.settimeout(max(until - time.monotonic(), 1e-3))
                packet = self._sock.recv(65536)
            except OSError as error:
                raise ZygoteGone(f"the zygote does not answer: {error}") from error
            if not packet:
                raise ZygoteGone("the zygote closed its control socket")
            answer: Mapping[str, Any] = json.loads(packet)
            if answer.get("number") in self._open:
                self._open.remove(answer["number"])
                self._answers[answer["number"]] = answer
        return self._answers.pop(number)

    def forget(self, number: int) -> None:
        """Ignore the answer to a request."""
        self._open.discard(number)
        self._answers.pop(number, None)
