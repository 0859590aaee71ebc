"""A student's terminal: the feedback of a check, and the summary at the end of a run."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict, parse_entry
from autograder.engine.grading.points import UNITS, format_points, rows_of
from autograder.engine.judge.conclusions import FileFaults
from autograder.engine.judge.requirements import Requirements, in_order
from autograder.engine.local.planned import PublicPlan
from autograder.engine.results.text import clean_text

_WIDTH = 100
_RED = (Verdict.FAILED, Verdict.GRADER_ERROR)
# A check's number in the expression of `-k`, unless it is excluded.
_NUMBER = re.compile(r"(?<![\w.])(?<!not )\d+\.\d+\.\d+(?![\w.])")


@dataclass(frozen=True)
class Message:
    """One line for pytest's short summary, and for `--tb=line`."""

    message: str

    def __str__(self) -> str:
        return self.message


class Feedback:
    """The report of a failed check, in place of a traceback through our code.

    Args:
        paragraphs: texts with their markup.
        frames: the student's own frames, as pytest shows them or as text.
        snippet: Python that reproduces the failure.
    """

    def __init__(
        self,
        paragraphs: Sequence[tuple[str, Mapping[str, bool]]],
        frames: Any = None,
        snippet: str = "",
    ) -> None:
        self._paragraphs = paragraphs
        self._frames = frames
        self._snippet = snippet
        self.reprcrash = Message(paragraphs[0][0])

    @staticmethod
    def of(
        data: Mapping[str, Any], check: PlannedCheck, frames: Any = None, earlier: str = ""
    ) -> Feedback:
        """Return the feedback of a check; `earlier` failed for the same cause."""
        entry = data["entry"]
        if earlier:
            return Feedback([(f"Same cause as {earlier}, see above.", {"red": True})])
        first, *rest = clean_text(entry["feedback"]).split("\n")
        if frames:  # they show the line and the exception
            rest = [line for line in rest if not line.startswith(("It says: ", "The line reads: "))]
        mistake = rest.pop() if entry["mistake"] and rest else ""
        paragraphs: list[tuple[str, Mapping[str, bool]]] = [(first, {"red": True, "bold": True})]
        paragraphs += [(line, {}) for line in rest]
        paragraphs += [(mistake, {"yellow": True, "bold": True})] if mistake else []
        return Feedback(paragraphs, frames, "" if frames else data["snippet"])

    def toterminal(self, tw: Any) -> None:
        """Write the report with pytest's writer, which omits colours where no terminal is."""
        if hasattr(self._frames, "toterminal"):
            self._frames.toterminal(tw)
            tw.line()
        elif self._frames:
            tw.line(f"{self._frames}\n")
        for text, markup in self._paragraphs:
            tw.line(textwrap.fill(text, min(tw.fullwidth, _WIDTH)), **markup)
        if self._snippet:
            tw.line("\nTo reproduce it, save this here as try.py and run: python try.py\n")
            tw.line(textwrap.indent(self._snippet.rstrip("\n"), "    "))

    def __str__(self) -> str:
        texts = [str(self._frames)] if self._frames else []
        texts += [text for text, _ in self._paragraphs]
        if self._snippet:
            texts += ["", self._snippet]
        return "\n".join(texts)


class Summary:
    """Gathers the verdicts of a run, in any order, and writes the summary at its end."""

    def __init__(self, plan: PublicPlan) -> None:
        self._plan = plan
        self._data: dict[str, Mapping[str, Any]] = {}
        self._first: dict[tuple[str, str], str] = {}

    def add(self, data: Mapping[str, Any]) -> None:
        """Take the plugin's data from a report."""
        self._data[data["entry"]["check_id"]] = data

    def same_cause(self, data: Mapping[str, Any]) -> str:
        """Return the number of an earlier check with the same exception, or ""."""
        check_id = data["entry"]["check_id"]
        number = next(c.number for c in self._plan.checks if c.check_id == check_id)
        if not data["cause"]:
            return ""
        key = (data["cause"], data["entry"]["feedback"].partition("\n")[0])
        first = self._first.setdefault(key, number)
        return "" if first == number else first

    def entries(self) -> dict[str, Entry]:
        """Return every entry by the check's id, with the checks' requirements applied."""
        ran = [c for c in self._plan.checks if c.check_id in self._data]
        ran.sort(key=lambda check: self._data[check.check_id]["run_last"])
        by_number = {check.number: check for check in ran}
        required = {number: self._required(number, by_number) for number in by_number}
        requirements = Requirements(
            {check.check_id: check for check in self._plan.checks}, self._plan.titles
        )
        faults = FileFaults()
        settled: dict[str, Entry] = {}
        for check in map(by_number.__getitem__, in_order(by_number, required)):
            data = self._data[check.check_id]
            entry = requirements.settle(
                parse_entry(data["entry"]),
                data["blocked_by"],
                data["requires_any_of"],
                data["explained_by"],
            )
            settled[check.check_id] = faults.settle(check, entry, data["of_file"])
        return settled

    def _required(self, number: str, checks: Mapping[str, PlannedCheck]) -> set[str]:
        data = self._data[checks[number].check_id]
        required = {each for some in data["requires_any_of"] for each in some}
        return required | {n for n, c in checks.items() if c.part == data["blocked_by"]}

    # ---- the end of a run -------------------------------------------------------------------

    def show(
        self, terminal: pytest.TerminalReporter, warnings: Sequence[str], *, nothing_ran: bool
    ) -> None:
        """Write a line for every part, and the next step."""
        not_here = self._not_here(terminal.config.option.keyword)
        entries = self.entries()
        if not entries or terminal.config.option.collectonly:
            for line in not_here:
                _write(terminal, line)
            if nothing_ran and not not_here:
                parts = ", ".join(self._parts(self._plan.checks))
                terminal.write_line(f"No public check was run; the parts are {parts}.")
            return
        terminal.section("public checks, by part")
        for part in self._parts(c for c in self._plan.checks if c.check_id in entries):
            self._show_part(terminal, part, entries)
        self._show_texts(terminal, entries)
        for warning in warnings:
            _write(terminal, warning, red=True, bold=True)
        for text in (*not_here, self._elsewhere(entries), self._next(entries)):
            if text:
                _write(terminal, f"\n{text}")

    def _not_here(self, expression: str) -> list[str]:
        """Return a sentence for every number in `-k` that is not a public check's."""
        lines = []
        for number in dict.fromkeys(_NUMBER.findall(expression)):
            part = number.rpartition(".")[0]
            public = [check.number for check in self._plan.checks if check.part == part]
            if number in public:
                continue
            is_private = number in self._plan.private
            known = "a private check: it runs on Gradescope only" if is_private else "not a check"
            others = f" Public checks of {part}: {', '.join(public)}." if public else ""
            lines.append(f"{number} is {known}.{others}")
        return lines

    def _elsewhere(self, entries: Mapping[str, Entry]) -> str:
        """Return how many points of the parts that were run depend on private checks."""
        scored = [check for check in self._plan.checks if check.points is not None]
        ran = [check for check in scored if check.check_id in entries]
        parts = self._parts(ran)
        whole = round(sum(self._plan.points[part] for part in parts) * UNITS)
        rest = whole - sum(round((c.points or 0) * UNITS) for c in scored if c.part in parts)
        begun = any(entries[c.check_id].verdict is not Verdict.NOT_ATTEMPTED for c in ran)
        if not begun or rest <= 0:
            return ""
        of = (
            f"the {format_points(whole)} points of {parts[0] if len(parts) == 1 else 'these parts'}"
        )
        if len(parts) == len(self._plan.points):
            of = f"the homework's {format_points(whole)} points"
        return (
            f"Private checks, which run on Gradescope only, decide {format_points(rest)} of {of}."
        )

    def _show_part(
        self, terminal: pytest.TerminalReporter, part: str, entries: Mapping[str, Entry]
    ) -> None:
        checks = [c for c in self._plan.checks if c.part == part and c.check_id in entries]
        title = f"{part} {self._plan.titles[part]}"
        scored = [(check, entries[check.check_id]) for check in checks if check.points is not None]
        if not scored:
            return
        if all(entry.verdict is Verdict.NOT_ATTEMPTED for _, entry in scored):
            terminal.write_line(f"{title:<46} not implemented yet")
            return
        rows = rows_of(checks, entries.values())
        earned, most = (
            sum(units) for units in zip(*((r.units, r.max_units) for r in rows), strict=True)
        )
        maximum = format_points(most)
        whole = f"{format_points(earned)} of {maximum} point{'s' * (maximum != '1')}"
        notes = "; ".join(
            f"{', '.join(numbers)} {word}"
            for verdict, word in _WORDS.items()
            if (numbers := [c.number for c, entry in scored if entry.verdict is verdict])
        )
        passed = all(entry.verdict is Verdict.PASSED for _, entry in scored)
        failed = any(entry.verdict in _RED for _, entry in scored)
        markup = {"green": passed, "red": failed, "yellow": not passed and not failed}
        terminal.write_line(f"{title:<46} {whole:<20} {notes}".rstrip(), **markup)

    def _show_texts(self, terminal: pytest.TerminalReporter, entries: Mapping[str, Entry]) -> None:
        """Write advice, and why a check is not counted yet."""
        for check in self._plan.checks:
            entry = entries.get(check.check_id)
            if entry is None:
                continue
            if check.points is None and entry.verdict is Verdict.FAILED:
                _write(terminal, f"\nAdvice, no points: {check.number} {entry.feedback}")
            elif entry.verdict is Verdict.BLOCKED:
                _write(terminal, f"\n{check.number} {entry.feedback}")

    def _next(self, entries: Mapping[str, Entry]) -> str:
        """Return the next step, "" after a failure: that is in the failure's own report."""
        scored = [check for check in self._plan.checks if check.points is not None]
        ran = [check for check in scored if check.check_id in entries]
        verdicts = [entries[check.check_id].verdict for check in ran]
        if not ran:
            return ""
        parts = self._parts(scored)
        if all(verdict is Verdict.NOT_ATTEMPTED for verdict in verdicts):
            return (
                f"Nothing is implemented yet. Start with {self._titled(ran[0].part)}: write your "
                f"code between the two markers that name it, then run: pytest -k {ran[0].part}"
            )
        if any(verdict is not Verdict.PASSED for verdict in verdicts):
            return ""
        if len(ran) == len(scored):
            return (
                "All public checks pass. Next: README.md says what else to do. Then pack your "
                "submission with: python make_submission.py"
            )
        after = parts[parts.index(ran[-1].part) + 1 :]
        if not after or len(ran) < sum(check.part in {c.part for c in ran} for check in scored):
            return "These checks pass. Run them all with: pytest"
        passed = list(dict.fromkeys(check.part for check in ran))
        these = f"{passed[0]} passes" if len(passed) == 1 else "These parts pass"
        return f"{these}. Next: {self._titled(after[0])}, then run: pytest -k {after[0]}"

    def _titled(self, part: str) -> str:
        return f"{part} {self._plan.titles[part]}"

    def _parts(self, checks: Iterable[PlannedCheck]) -> list[str]:
        return list(dict.fromkeys(check.part for check in checks))


_WORDS = {
    Verdict.FAILED: "failed",
    Verdict.GRADER_ERROR: "could not be run",
    Verdict.BLOCKED: "not counted yet",
    Verdict.NOT_ATTEMPTED: "not implemented yet",
}


def _write(terminal: pytest.TerminalReporter, text: str, **markup: bool) -> None:
    width = min(terminal._tw.fullwidth, _WIDTH)
    for line in clean_text(text).split("\n"):
        terminal.write_line(textwrap.fill(line, width), **markup)
