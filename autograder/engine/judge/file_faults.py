"""What is wrong with a whole file is told once; the other checks of that file refer to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict


class FileFaults:
    """Remembers which check has told what."""

    def __init__(self) -> None:
        self._told: dict[str, list[tuple[PlannedCheck, str]]] = {}
        self._short: dict[str, str] = {}
        self._hung: dict[str, list[PlannedCheck]] = {}

    def settle(
        self, check: PlannedCheck, entry: Entry, of_file: str, hung: Sequence[str] = ()
    ) -> Entry:
        """Return the entry of a check as it goes into the ledger; see `told_once`."""
        if entry.verdict is not Verdict.FAILED:
            return entry
        told, same_as = self.told_once(check, entry.feedback, of_file)
        return replace(entry, feedback=told, same_as=same_as or self._same_hang(check, hung))

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

    def told_once(self, check: PlannedCheck, feedback: str, of_file: str) -> tuple[str, str]:
        """Return the feedback of a failed check, or a reference to the check that told the same.

        Beside it the number of that check, or "".

        Args:
            check: the one that failed.
            feedback: what it says; the same first line is the same fault.
            of_file: the fault in a few words, where it is known to be that of a whole file.
        """
        first_line = feedback.partition("\n")[0]
        if of_file:
            self._short[first_line] = of_file
        if first_line not in self._short:
            return feedback, ""
        told = self._told.setdefault(first_line, [])
        for earlier, said in told:
            # A public check may quote an exception's text, a private one may not.
            as_much = len(said) >= len(feedback)
            if as_much and earlier.visibility in ("visible", check.visibility):
                return f"{self._short[first_line]}; see check {earlier.number}.", earlier.number
        told.append((check, feedback))
        return feedback, ""
