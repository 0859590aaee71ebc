"""What a student reads: a line for every check, failures with a snippet, a sum for every part."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TextIO

from autograder.engine.laptop.planned import PublicPlan, parts_of
from autograder.engine.ledger import Entry, PlannedCheck, Verdict
from autograder.engine.results.text import clean_text

_WIDTH = 88
_WORDS = {
    Verdict.PASSED: "ok",
    Verdict.FAILED: "FAILED",
    Verdict.NOT_ATTEMPTED: "to do",
    Verdict.BLOCKED: "blocked",
    Verdict.NOT_RUN: "not run",
    Verdict.GRADER_ERROR: "ERROR",
}
_UNREADABLE = "Python cannot read "  # a file that no snippet could import either
_TELLS = (Verdict.FAILED, Verdict.GRADER_ERROR, Verdict.BLOCKED)


class Report:
    """Prints verdicts as they come, a part at a time; takes the place of the ledger.

    Args:
        plan: what is run.
        wanted: the checks that were asked for.
        out: where it is printed.
    """

    def __init__(self, plan: PublicPlan, wanted: Iterable[PlannedCheck], out: TextIO) -> None:
        self.entries: dict[str, Entry] = {}
        self.snippets: dict[str, str] = {}
        self._plan = plan
        self._wanted = {check.check_id: check for check in wanted}
        self._out = out
        self._shown: set[str] = set()
        self._told: dict[str, str] = {}  # the number of the check that said so first

    def write(self, entry: Entry) -> None:
        """Take one verdict; when it is the last of its part, show the part."""
        self.entries[entry.check_id] = entry
        part = self._wanted[entry.check_id].part
        if all(c.check_id in self.entries for c in self._of(part) if c.points is not None):
            self._show(part)

    def finish(self, *, what_ran: bool = False) -> None:
        """Show what is left: advice, failures, sums.

        Args:
            what_ran: whether only some were asked for, by name, so that only what ran is shown.
        """
        if what_ran:
            self._wanted = {k: v for k, v in self._wanted.items() if k in self.entries}
        for part in self._parts():
            self._show(part)
        if self.nothing_written:
            self._begin_here()
            return
        self._advice()
        for check in self._wanted.values():
            entry = self.entries.get(check.check_id)
            told = entry is not None and entry.verdict in _TELLS and check.points is not None
            if entry is not None and told:
                self._failure(check, entry)
        self._sums()

    @property
    def nothing_written(self) -> bool:
        """Whether every check met a stub."""
        return bool(self.entries) and all(
            entry.verdict is Verdict.NOT_ATTEMPTED for entry in self.entries.values()
        )

    @property
    def all_passed(self) -> bool:
        """Whether every check that carries points passed."""
        return all(
            self.entries.get(name, None) is not None
            and self.entries[name].verdict is Verdict.PASSED
            for name, check in self._wanted.items()
            if check.points is not None
        )

    @property
    def grader_failed(self) -> bool:
        """Whether a check could not be run, which is no fault of the student's."""
        return any(entry.verdict is Verdict.GRADER_ERROR for entry in self.entries.values())

    def say(self, text: str = "") -> None:
        """Print lines; a terminal that lacks a sign gets a question mark, never an error."""
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        self._out.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        self._out.flush()

    def paragraph(self, text: str) -> None:
        """Print a text, wrapped."""
        self.say(textwrap.fill(text, _WIDTH))

    # ---- pieces ---------------------------------------------------------------------------

    def _parts(self) -> list[str]:
        wanted = {check.part for check in self._wanted.values()}
        return [part for part in parts_of(self._plan) if part in wanted]

    def _of(self, part: str) -> list[PlannedCheck]:
        return [check for check in self._wanted.values() if check.part == part]

    def _show(self, part: str) -> None:
        """Print a part's heading and its lines, once."""
        if part in self._shown:
            return
        self._shown.add(part)
        scored = [
            (check, self.entries[check.check_id])
            for check in self._of(part)
            if check.points is not None and check.check_id in self.entries
        ]
        title = f"{part} {self._plan.titles[part]}"
        if all(entry.verdict is Verdict.NOT_ATTEMPTED for _, entry in scored):
            self.say(f"{title:<46} to do")
            return
        self.say(title)
        for check, entry in scored:
            points = f"{_number(_earned(check, entry))}/{_number(check.points or 0)}"
            lines = textwrap.wrap(check.title, _WIDTH - 26)
            self.say(f"  {_WORDS[entry.verdict]:<7} {check.number:<6} {points:>7}  {lines[0]}")
            for line in lines[1:]:
                self.say(" " * 26 + line)

    def _begin_here(self) -> None:
        first = next(iter(self._wanted.values()))
        title = self._plan.titles[first.part]
        self.say()
        self.paragraph(
            f"Nothing is written yet, so there is nothing to check: that is how everybody begins. "
            f"Start with {first.part} {title}, between the two markers that name it, and then run"
        )
        self.say(f"\n    pytest -k {first.part}\n")

    def _advice(self) -> None:
        told = [
            entry
            for name, entry in self.entries.items()
            if self._wanted[name].points is None and entry.verdict is Verdict.FAILED
        ]
        if told:
            self.say("\nAdvice (no points)")
        for entry in told:
            number = self._wanted[entry.check_id].number
            text = clean_text(entry.feedback)
            self.say(textwrap.indent(textwrap.fill(f"{number} {text}", _WIDTH - 2), "  "))

    def _failure(self, check: PlannedCheck, entry: Entry) -> None:
        self.say("\n" + f"--- {check.number} ".ljust(_WIDTH, "-"))
        self.paragraph(check.title)
        self.say()
        first = entry.feedback.partition("\n")[0]
        earlier = self._told.setdefault(first, check.number)
        if earlier != check.number:
            self.say(f"The same as {earlier}: {clean_text(first)}")
            return
        self.say(clean_text(entry.feedback))
        snippet = self.snippets.get(check.check_id)
        if snippet and not first.startswith(_UNREADABLE):
            self.say("\nTo see it by yourself, save this here as try.py and run python try.py:\n")
            self.say(textwrap.indent(snippet.rstrip("\n"), "    "))

    def _sums(self) -> None:
        self.say("\n" + "-" * _WIDTH)
        for part in self._parts():
            scored = [c for c in self._of(part) if c.points is not None]
            if not scored:
                continue
            earned = sum(
                _earned(c, self.entries[c.check_id]) for c in scored if c.check_id in self.entries
            )
            points = f"{_number(earned)}/{_number(sum(c.points or 0 for c in scored))}"
            title = f"{part} {self._plan.titles[part]}"
            self.say(f"{title:<46} {points:>7}   of {_number(self._plan.points[part])} in all")
        self.say(
            "These are the public checks. Gradescope runs them too, and beside them others that\n"
            "draw new problems; the rest of a part's points hang on those."
        )


def _earned(check: PlannedCheck, entry: Entry) -> float:
    return (check.points or 0.0) * entry.share


def _number(points: float) -> str:
    return f"{points:.4f}".rstrip("0").rstrip(".")


def by_number(checks: Iterable[PlannedCheck], numbers: Iterable[str]) -> list[PlannedCheck]:
    """Return the checks that a list of numbers means: "1.2" is a part, "1.2.5" one check."""
    wanted = [number.rstrip(".") for number in numbers]
    return [
        check
        for check in checks
        if any(f"{check.number}.".startswith(f"{number}.") for number in wanted)
    ]
