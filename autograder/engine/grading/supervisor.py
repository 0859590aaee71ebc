"""Grade one submission: start zygote and judge, keep the deadline, always leave a results.json.

Runs no student code, imports neither torch nor numpy. The results file is written before anything
else happens (every check 0, "not run") and again when all is over; whatever dies in between,
checks that finished keep their points.
"""

from __future__ import annotations

import contextlib
import platform
import subprocess
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.engine.grading.judge_process import ColdJudges, Judges, RunningJudge
from autograder.engine.grading.ledger import (
    Entry,
    PlannedCheck,
    Reserve,
    Verdict,
    error_number,
    read_ledger,
)
from autograder.engine.grading.plan import hash_of_checks, plan_checks
from autograder.engine.grading.signals import Interrupted, Signals
from autograder.engine.grading.workspace import Workspace
from autograder.engine.homework import Assignment
from autograder.engine.judge.job import Job
from autograder.engine.release import fingerprint
from autograder.engine.results.gradescope import to_results, write_results
from autograder.engine.results.summary import summary
from autograder.engine.sandbox.confine import become_subreaper, children, end_orphans
from autograder.engine.sandbox.launch import ZygoteHolder
from autograder.engine.submission.entries import InvalidSubmission
from autograder.engine.submission.imports import modules_to_prepare
from autograder.engine.submission.staging import StagedSubmission, stage

# What the final steps may take once the deadline has passed.
_LAST_STEPS_S = 5.0
# More than results.json can have: 99,000 characters would be its longest text, and few are long.
_RESERVED = 1024 * 1024
# A judge that crashed is started again for the checks that it left over.
_ATTEMPTS = 3
# How often what is known so far is written while the judge is at work.
_WRITE_EVERY_S = 5.0
_PACKAGES = ("torch", "numpy", "hypothesis", "pytest", "safetensors")


@dataclass(frozen=True)
class Request:
    """What to grade and where the results go.

    `checks_sha256` is the hash of the checks, where who asks for many gradings knows it already.
    """

    submission: Path
    results: Path
    assignment: Assignment
    pristine: Path
    only: tuple[str, ...] = ()
    staff_log: Path | None = None
    checks_sha256: str | None = None


@dataclass(frozen=True)
class Report:
    """The end of a grading; `results` is what was written."""

    plan: tuple[PlannedCheck, ...]
    entries: dict[str, Entry]
    results: dict[str, object]
    log: str
    trouble: str
    refused: str


def grade(
    request: Request, zygote: ZygoteHolder | None = None, judges: Judges | None = None
) -> Report:
    """Grade one submission and write its results.

    Args:
        request: what to grade.
        zygote: one that outlives this grading; without it the grading has its own.
        judges: where the judge comes from; without it, it is a fresh process.

    Raises:
        OSError: the results cannot be written.
        AssignmentError: the checks and the settings do not fit together.
    """
    started = time.monotonic()
    plan = plan_checks(request.assignment)
    grading = _Grading(request, plan, started, judges or ColdJudges())
    grading.write({}, "The grading has begun; no check has run yet.")
    reserve = Reserve(request.results.absolute().parent, _RESERVED)
    become_subreaper()
    children_before = set(children())
    with Signals() as signals:
        try:
            entries, trouble, log = _graded(grading, zygote, judges, signals, children_before)
        except OSError:  # no disk, no memory: for a folder of its own, or for its end
            entries, trouble, log = grading.failed_altogether(traceback.format_exc())
        signals.ignore()
        reserve.release()
        results = grading.write(entries, trouble)
    if request.staff_log is not None:
        with contextlib.suppress(OSError):  # the results are written: they are what counts
            request.staff_log.write_text(log, encoding="utf-8", errors="backslashreplace")
    return Report(plan, entries, results, log, trouble, grading.refused)


def _graded(
    grading: _Grading,
    zygote: ZygoteHolder | None,
    judges: Judges | None,
    signals: Signals,
    children_before: set[int],
) -> tuple[dict[str, Entry], str, str]:
    """Run a grading in a folder of its own; return its entries, its trouble and the staff's log."""
    with tempfile.TemporaryDirectory(prefix="grading-", ignore_cleanup_errors=True) as name:
        workplace = Workspace.make(Path(name))
        try:
            trouble = grading.run(workplace, zygote)
        except Interrupted:
            trouble = "The grading was interrupted from outside; checks that finished count."
        except Exception:  # whatever it is: what has finished is in the ledger
            trouble = grading.crashed(workplace, traceback.format_exc())
        finally:
            signals.ignore()
            # What is shared goes on; what else this grading started has ended or ends now.
            shared = [each.kept for each in (zygote, judges) if each is not None]
            end_orphans(children_before.union(*shared))
        return grading.entries(workplace, trouble), trouble, workplace.read_log()


class _Grading:
    """The steps of one grading."""

    def __init__(
        self, request: Request, plan: tuple[PlannedCheck, ...], started: float, judges: Judges
    ) -> None:
        self._request = request
        self._judges = judges
        self._assignment = request.assignment
        self._plan = plan
        self._started = started
        self._deadline = started + request.assignment.deadline_s - _LAST_STEPS_S
        self._staged: StagedSubmission | None = None
        self._modules: tuple[str, ...] = ()
        self._checks_sha256 = request.checks_sha256
        self.refused = ""
        self._crashed = False
        # What a student can paste where his own result is another.
        self._fingerprint = ""

    def run(self, place: Workspace, shared: ZygoteHolder | None) -> str:
        """Run all checks; return what went wrong beside the submission itself, or ""."""
        package = self._assignment.package
        zygote = shared or ZygoteHolder(package, place.workers, place.log)
        ended_well = False
        try:
            zygote.connect()  # it imports torch while the submission is staged
            self._checks_sha256 = self._checks_sha256 or hash_of_checks(self._assignment)
            self._stage(place)
            if self.refused:
                return ""
            only: Sequence[str] = self._request.only
            for attempt in range(_ATTEMPTS):
                status = self._judge(place, zygote, only)
                if status is None:
                    limit = self._assignment.deadline_s
                    return f"The time for grading ({limit:g} s) was used up."
                left = self._left_over(place)
                if not left:
                    ended_well = status in (0, 1)
                    return ""
                zygote.close()  # whatever state it is in: the next attempt gets a new one
                place.note(f"--- attempt {attempt + 1}: the judge ended with status {status}\n")
                # The first one left over may be what it died of, so it has the last attempt alone.
                only = left[1:] if attempt == 0 and len(left) > 1 else left
            return self.crashed(place, f"the judge did not come to: {', '.join(left)}\n")
        finally:
            # What was imported for this submission must not be there for another.
            if shared is None or not ended_well or self._modules:
                zygote.close()

    def _stage(self, place: Workspace) -> None:
        try:
            self._staged = stage(
                self._request.submission,
                place.submission,
                wanted=self._assignment.files,
                pristine=self._request.pristine,
            )
        except InvalidSubmission as error:
            self.refused = str(error)
            return
        self._modules = modules_to_prepare(place.submission, self._staged.found)
        self._fingerprint = f"Fingerprint: {fingerprint.take(self._assignment, place.submission)}"

    def _judge(self, place: Workspace, zygote: ZygoteHolder, only: Sequence[str]) -> int | None:
        """Run the judge; return its exit status, or None when the deadline ended it."""
        job_file = place.private / "job.json"
        missing = self._staged.missing if self._staged else ()
        Job(
            package=self._assignment.package,
            config=str(self._assignment.settings_file.resolve()),
            submission=str(place.submission),
            pristine=str(self._request.pristine),
            missing=missing,
            ledger=str(place.ledger),
            log=str(place.log),
            only=tuple(only),
            modules=self._modules,
        ).write(job_file)
        process = self._judges.start(job_file, zygote.connect().fileno(), place.log)
        try:
            return self._wait(process, place)
        finally:
            process.kill()
            process.wait()

    def _wait(self, process: RunningJudge, place: Workspace) -> int | None:
        """Wait for the judge until the deadline, and write now and then what is known so far.

        Should this process be killed, what stands there is what the platform finds.
        """
        while True:
            left_s = self._deadline - time.monotonic()
            try:
                return process.wait(max(0.0, min(left_s, _WRITE_EVERY_S)))
            except subprocess.TimeoutExpired:
                if left_s <= 0:
                    return None
                so_far = "The grading has not ended yet; checks that finished count."
                with contextlib.suppress(OSError):  # a full disk: the last one has a reserve
                    self.write(self.entries(place, so_far), so_far)

    def crashed(self, place: Workspace, what: str) -> str:
        """Note a failure of the grader's own; return the sentence that students see."""
        self._crashed = True
        number = error_number(what)
        place.note(f"--- error {number}: the grading\n{what}")
        return (
            "The grader stopped before all checks had run: its own fault. "
            f"Error number for the course staff: {number}."
        )

    def failed_altogether(self, what: str) -> tuple[dict[str, Entry], str, str]:
        """Return entries, trouble and log of a grading that had not even a folder to work in."""
        number = error_number(what)
        trouble = (
            f"The grader could not run: its own fault. Error number for the course staff: {number}."
        )
        entries = {
            check.check_id: Entry(check.check_id, Verdict.GRADER_ERROR, 0.0, f"Not run: {trouble}")
            for check in self._plan
        }
        return entries, trouble, f"--- error {number}: the grading\n{what}"

    def _left_over(self, place: Workspace) -> tuple[str, ...]:
        entries = read_ledger(place.ledger, self._plan)
        wanted = [
            check.check_id
            for check in self._plan
            if not self._request.only or check.check_id in self._request.only
        ]
        return tuple(c for c in wanted if entries[c].verdict is Verdict.NOT_RUN)

    def entries(self, place: Workspace, trouble: str) -> dict[str, Entry]:
        """Return what the ledger says, and why the rest was not run."""
        entries = read_ledger(place.ledger, self._plan)
        why = f"Not run: {self.refused or trouble or 'it was not asked for.'}"
        verdict = Verdict.GRADER_ERROR if self._crashed else Verdict.NOT_RUN
        return {
            check_id: replace(entry, verdict=verdict, feedback=why)
            if entry.verdict is Verdict.NOT_RUN
            else entry
            for check_id, entry in entries.items()
        }

    def write(self, entries: dict[str, Entry], trouble: str) -> dict[str, object]:
        """Write results.json from what is known."""
        if not entries:
            entries = {
                check.check_id: Entry(check.check_id, Verdict.NOT_RUN, 0.0, "Not run yet.")
                for check in self._plan
            }
        titles = self._assignment.part_titles
        notes = self._staged.notes if self._staged else ()
        text = summary(self._plan, list(entries.values()), titles)
        foot = "\n".join(filter(None, (self._assignment.title, self._fingerprint)))
        told = [self.refused, trouble, text, *notes, foot]
        output = "\n\n".join(text for text in told if text)
        results = to_results(
            self._plan,
            list(entries.values()),
            output=output,
            execution_time=round(time.monotonic() - self._started, 3),
            extra_data=self._reproduce(),
            part_titles=titles,
            leaderboard=self._leaderboard(entries),
        )
        write_results(self._request.results, results)
        return results

    def _leaderboard(self, entries: dict[str, Entry]) -> list[dict[str, object]]:
        """Return the leaderboard's column, if it is on and its check has measured something."""
        board = self._assignment.leaderboard
        figures = [
            entries[check.check_id].figure
            for check in self._plan
            if board is not None and check.number == board.check
        ]
        return [
            {"name": board.name, "value": round(figure, 4), "order": board.order}
            for figure in figures
            if board is not None and figure is not None
        ]

    def _reproduce(self) -> dict[str, object]:
        """Return what one needs to get the same result again."""
        return {
            "checks_sha256": self._checks_sha256,
            "seed": self._assignment.seed,
            "fingerprint": self._fingerprint,
            "submission_sha256": self._staged.sha256 if self._staged else None,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "versions": {name: fingerprint.version(name) for name in _PACKAGES},
        }
