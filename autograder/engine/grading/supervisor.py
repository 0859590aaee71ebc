"""Grade one submission: start zygote and judge, keep the deadline, always leave a results.json.

Runs no student code, imports neither torch nor numpy. The results file is written first (every
check at 0, "not run") and again at the end. If a process dies in between, finished checks keep
their points.
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

from autograder import __version__
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
from autograder.engine.homework import Homework
from autograder.engine.judge.job import Job
from autograder.engine.release import fingerprint
from autograder.engine.release.manifest import hash_of_public_checks
from autograder.engine.results.gradescope import to_results, write_results
from autograder.engine.results.summary import summary
from autograder.engine.sandbox.confine import become_subreaper, children, end_orphans
from autograder.engine.sandbox.launch import ZygoteHolder
from autograder.engine.submission.entries import InvalidSubmission
from autograder.engine.submission.imports import modules_to_prepare
from autograder.engine.submission.staging import StagedSubmission, stage

# Time for the final steps after the deadline.
_LAST_STEPS_S = 5.0
# More than results.json needs: its longest text has 99,000 characters, and few are long.
_RESERVED = 1024 * 1024
# After a crash, a new judge runs the remaining checks.
_ATTEMPTS = 3
# How often intermediate results are written.
_WRITE_EVERY_S = 5.0
_PACKAGES = ("torch", "numpy", "hypothesis", "pytest", "safetensors")


@dataclass(frozen=True)
class Hashes:
    """The hash of all that decides a grade, and that of the public checks alone."""

    checks: str
    public: str

    @staticmethod
    def of(homework: Homework) -> Hashes:
        """Read a homework's files."""
        return Hashes(hash_of_checks(homework), hash_of_public_checks(homework))


@dataclass(frozen=True)
class Request:
    """A submission to grade, and where the results go.

    `hashes` are those of the checks, if they are already computed for many gradings.
    """

    submission: Path
    results: Path
    homework: Homework
    only: tuple[str, ...] = ()
    staff_log: Path | None = None
    hashes: Hashes | None = None


@dataclass(frozen=True)
class Report:
    """The outcome of a grading; `results` is the content of results.json.

    `interrupted` is whether a signal ended it.
    """

    plan: tuple[PlannedCheck, ...]
    entries: dict[str, Entry]
    results: dict[str, object]
    log: str
    trouble: str
    refused: str
    interrupted: bool = False


def grade(
    request: Request, zygote: ZygoteHolder | None = None, judges: Judges | None = None
) -> Report:
    """Grade one submission and write its results.

    By default the grading starts its own zygote and judge; one that is passed in outlives it.

    Raises:
        OSError: the results cannot be written.
        HomeworkError: the checks and the settings do not match.
    """
    grading = _Grading(request, zygote, judges or ColdJudges())
    grading.write({}, "Grading has started; no check has run yet.")
    reserve = Reserve(request.results.absolute().parent, _RESERVED)
    become_subreaper()
    with Signals() as signals:
        try:
            entries, trouble, log = grading.run(signals)
        except OSError:  # no disk or memory to create or remove the workspace
            entries, trouble, log = grading.failed_altogether(traceback.format_exc())
        signals.ignore()
        reserve.release()
        results = grading.write(entries, trouble)
    if request.staff_log is not None:
        with contextlib.suppress(OSError):
            request.staff_log.write_text(log, encoding="utf-8", errors="backslashreplace")
    return Report(
        grading.plan, entries, results, log, trouble, grading.refused, grading.interrupted
    )


class _Grading:
    """The steps of one grading."""

    def __init__(self, request: Request, zygote: ZygoteHolder | None, judges: Judges) -> None:
        self._started = time.monotonic()
        self._deadline = self._started + request.homework.deadline_s - _LAST_STEPS_S
        self._request = request
        self._shared_zygote = zygote
        self._judges = judges
        self._homework = request.homework
        self.plan = plan_checks(request.homework)
        self._staged: StagedSubmission | None = None
        self._modules: tuple[str, ...] = ()
        self._hashes = request.hashes
        self.refused = ""
        self.interrupted = False
        self._crashed = False
        # Students paste it when local and Gradescope results differ.
        self._fingerprint = ""

    def run(self, signals: Signals) -> tuple[dict[str, Entry], str, str]:
        """Grade in a new workspace; return the entries, the trouble and the staff's log."""
        before = set(children())
        with tempfile.TemporaryDirectory(prefix="grading-", ignore_cleanup_errors=True) as name:
            place = Workspace.make(Path(name))
            try:
                trouble = self._run_checks(place)
            except Interrupted:
                self.interrupted = True
                trouble = "Grading was interrupted from outside. Finished checks count."
            except Exception:  # finished checks are in the ledger
                trouble = self._crash(place, traceback.format_exc())
            finally:
                signals.ignore()
                # Shared processes keep running; all others that this grading started end now.
                zygote = self._shared_zygote
                end_orphans(before.union(self._judges.kept, zygote.kept if zygote else ()))
            return self._entries(place, trouble), trouble, place.read_log()

    def _run_checks(self, place: Workspace) -> str:
        """Run all checks; return any trouble other than with the submission itself, or ""."""
        shared = self._shared_zygote
        zygote = shared or ZygoteHolder(self._homework.folder, place.workers, place.log)
        ended_well = False
        try:
            zygote.connect()  # it imports torch while the submission is staged
            self._hashes = self._hashes or Hashes.of(self._homework)
            self._stage(place, self._hashes)
            if self.refused:
                return ""
            only: Sequence[str] = self._request.only
            for attempt in range(_ATTEMPTS):
                status = self._judge(place, zygote, only)
                if status is None:
                    limit = self._homework.deadline_s
                    return f"Grading reached its time limit ({limit:g} s). Finished checks count."
                left = self._left_over(place)
                if not left:
                    ended_well = status in (0, 1)
                    return ""
                zygote.close()  # the next attempt gets a new one
                place.note(f"--- attempt {attempt + 1}: the judge ended with status {status}\n")
                # The first remaining check may be the cause, so it runs in the last attempt only.
                only = left[1:] if attempt == 0 and len(left) > 1 else left
            return self._crash(place, f"the judge did not run: {', '.join(left)}\n")
        finally:
            # The packages of this submission must not be there for another; torch's own may.
            packages = [name for name in self._modules if not name.startswith("torch.")]
            if shared is None or not ended_well or packages:
                zygote.close()

    def _stage(self, place: Workspace, hashes: Hashes) -> None:
        try:
            self._staged = stage(
                self._request.submission,
                place.submission,
                wanted=self._homework.files,
                pristine=self._homework.template,
            )
        except InvalidSubmission as error:
            self.refused = str(error)
            return
        self._modules = modules_to_prepare(place.submission, self._staged.found)
        taken = fingerprint.take(self._homework, place.submission, hashes.public)
        self._fingerprint = f"Fingerprint: {taken}"

    def _judge(self, place: Workspace, zygote: ZygoteHolder, only: Sequence[str]) -> int | None:
        """Run the judge; return its exit status, or None when the deadline ended it."""
        job_file = place.private / "job.json"
        missing = self._staged.missing if self._staged else ()
        Job(
            homework=str(self._homework.folder),
            config=str(self._homework.settings_file.resolve()),
            submission=str(place.submission),
            pristine=str(self._homework.template),
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
        """Wait for the judge until the deadline, and write intermediate results now and then.

        If this process is killed, the platform finds these.
        """
        while True:
            left_s = self._deadline - time.monotonic()
            try:
                return process.wait(max(0.0, min(left_s, _WRITE_EVERY_S)))
            except subprocess.TimeoutExpired:
                if left_s <= 0:
                    return None
                so_far = "Grading has not finished. Finished checks count."
                with contextlib.suppress(OSError):  # a full disk; the last write has a reserve
                    self.write(self._entries(place, so_far), so_far)

    def _crash(self, place: Workspace, error: str) -> str:
        """Log a failure of the autograder itself; return the sentence for students."""
        self._crashed = True
        trouble, log = _own_fault("stopped before all checks had run", error)
        place.note(log)
        return trouble

    def failed_altogether(self, error: str) -> tuple[dict[str, Entry], str, str]:
        """Return entries, trouble and log of a grading that could not even make a workspace."""
        trouble, log = _own_fault("could not run", error)
        return self._entries_of(Verdict.GRADER_ERROR, f"Not run: {trouble}"), trouble, log

    def _entries_of(self, verdict: Verdict, feedback: str) -> dict[str, Entry]:
        """Return the same entry for every check."""
        ids = (check.check_id for check in self.plan)
        return {check_id: Entry(check_id, verdict, 0.0, feedback) for check_id in ids}

    def _left_over(self, place: Workspace) -> tuple[str, ...]:
        """Return the ids of the selected checks that have not run."""
        only = self._request.only
        return tuple(
            check_id
            for check_id, entry in read_ledger(place.ledger, self.plan).items()
            if entry.verdict is Verdict.NOT_RUN and (not only or check_id in only)
        )

    def _entries(self, place: Workspace, trouble: str) -> dict[str, Entry]:
        """Return the ledger's entries; checks that did not run get the reason as feedback."""
        refused = self.refused and "the submission cannot be graded; see the top of the output."
        reason = f"Not run: {refused or trouble or 'it was not selected.'}"
        verdict = Verdict.GRADER_ERROR if self._crashed else Verdict.NOT_RUN
        return {
            check_id: replace(entry, verdict=verdict, feedback=reason)
            if entry.verdict is Verdict.NOT_RUN
            else entry
            for check_id, entry in read_ledger(place.ledger, self.plan).items()
        }

    def write(self, entries: dict[str, Entry], trouble: str) -> dict[str, object]:
        """Write results.json; without entries, no check has run yet."""
        entries = entries or self._entries_of(Verdict.NOT_RUN, "Not run yet.")
        titles = self._homework.part_titles
        notes = self._staged.notes if self._staged else ()
        text = summary(self.plan, list(entries.values()), titles)
        foot = "\n".join(filter(None, (self._homework.title, self._fingerprint)))
        results = to_results(
            self.plan,
            list(entries.values()),
            output="\n\n".join(filter(None, [self.refused, trouble, text, *notes, foot])),
            execution_time=round(time.monotonic() - self._started, 3),
            extra_data=self._reproduce(),
            part_titles=titles,
            leaderboard=self._leaderboard(entries),
        )
        write_results(self._request.results, results)
        return results

    def _leaderboard(self, entries: dict[str, Entry]) -> list[dict[str, object]]:
        """Return the leaderboard's column if the leaderboard is on and has a value to show."""
        board = self._homework.leaderboard
        if board is None:
            return []
        figures = [entries[c.check_id].figure for c in self.plan if c.number == board.check]
        return [
            {"name": board.name, "value": round(figure, 4), "order": board.order}
            for figure in figures
            if figure is not None
        ]

    def _reproduce(self) -> dict[str, object]:
        """Return everything needed to get the same result again."""
        return {
            "autograder": __version__,
            "checks_sha256": self._hashes.checks if self._hashes else None,
            "seed": self._homework.seed,
            "fingerprint": self._fingerprint,
            "submission_sha256": self._staged.sha256 if self._staged else None,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "versions": {name: fingerprint.version(name) for name in _PACKAGES},
        }


def _own_fault(problem: str, error: str) -> tuple[str, str]:
    """Return the sentence for students and the log entry for staff about an own failure."""
    number = error_number(error)
    trouble = (
        f"The autograder {problem}. This is not your fault. "
        f"Error number for the course staff: {number}."
    )
    return trouble, f"--- error {number}: the grading\n{error}"
