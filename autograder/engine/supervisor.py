"""Grade one submission: start zygote and judge, keep the deadline, always leave a results.json.

Runs no student code, imports neither torch nor numpy. The results file is written before anything
else happens (every check 0, "not run") and again when all is over; whatever dies in between,
checks that finished keep their points.
"""

from __future__ import annotations

import contextlib
import platform
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from autograder.engine import fingerprint, gradescope
from autograder.engine.assignment import Assignment
from autograder.engine.intake import StagedSubmission, stage
from autograder.engine.inventory import hash_of_checks, plan_checks
from autograder.engine.judge.job import Job
from autograder.engine.judges import ColdJudges, Judges
from autograder.engine.ledger import Entry, PlannedCheck, Verdict, read_ledger
from autograder.engine.listing import IntakeError
from autograder.engine.worker.confine import become_subreaper, children, end_orphans
from autograder.engine.worker.launch import ZygoteHolder

# What the final steps may take once the deadline has passed.
_LAST_STEPS_S = 5.0
# A judge that crashed is started once more for the checks that it left over.
_ATTEMPTS = 2
_PACKAGES = ("torch", "numpy", "hypothesis", "pytest", "safetensors")


@dataclass(frozen=True)
class Request:
    """What to grade and where the results go."""

    submission: Path
    results: Path
    assignment: Assignment
    config: Path
    pristine: Path
    only: tuple[str, ...] = ()
    staff_log: Path | None = None


@dataclass(frozen=True)
class Report:
    """The end of a grading; `results` is what was written."""

    plan: tuple[PlannedCheck, ...]
    entries: dict[str, Entry]
    results: dict[str, object]
    log: str
    trouble: str
    refused: str


class Interrupted(BaseException):
    """SIGTERM or SIGINT came: the platform wants an end now."""


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
    become_subreaper()
    children_before = set(children())
    with tempfile.TemporaryDirectory(prefix="grading-", ignore_cleanup_errors=True) as name:
        workplace = _Workplace.make(Path(name))
        trouble = ""
        try:
            with _interruptible():
                trouble = grading.run(workplace, zygote)
        except Interrupted:
            trouble = "The grading was interrupted from outside; checks that finished count."
        finally:
            # What is shared goes on; what else this grading started has ended or ends now.
            shared = (getattr(each, "pid", None) for each in (zygote, judges))
            end_orphans(children_before | {pid for pid in shared if pid is not None})
        entries = grading.entries(workplace, trouble)
        log = workplace.read_log()
    results = grading.write(entries, trouble)
    if request.staff_log is not None:
        request.staff_log.write_text(log, encoding="utf-8", errors="backslashreplace")
    return Report(plan, entries, results, log, trouble, grading.refused)


@dataclass(frozen=True)
class _Workplace:
    """The folders of one grading. Workers may pass through `root` and read `submission` only."""

    root: Path
    private: Path
    submission: Path
    workers: Path

    @staticmethod
    def make(root: Path) -> _Workplace:
        root.chmod(0o711)
        place = _Workplace(root, root / "private", root / "submission", root / "workers")
        place.private.mkdir(mode=0o700)
        place.submission.mkdir(mode=0o755)
        place.workers.mkdir(mode=0o711)
        return place

    @property
    def ledger(self) -> Path:
        return self.private / "ledger.jsonl"

    @property
    def log(self) -> Path:
        return self.private / "staff.log"

    def read_log(self) -> str:
        try:
            with self.log.open("rb") as file:
                return file.read(1_000_000).decode("utf-8", errors="backslashreplace")
        except OSError:
            return ""


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
        self._checks_sha256 = hash_of_checks(request.assignment)
        self.refused = ""
        self._crashed = False
        # What a student can paste where his own result is another.
        self._fingerprint = ""

    def run(self, place: _Workplace, shared: ZygoteHolder | None) -> str:
        """Run all checks; return what went wrong beside the submission itself, or ""."""
        package = self._assignment.package
        zygote = shared or ZygoteHolder(package, place.workers, place.log)
        ended_well = False
        try:
            zygote.control  # noqa: B018 - starts it: torch is imported while we go on
            self._stage(place)
            if self.refused:
                return ""
            only = self._request.only
            for _ in range(_ATTEMPTS):
                status = self._judge(place, zygote, only)
                if status is None:
                    limit = self._assignment.deadline_s
                    return f"The time for grading ({limit:g} s) was used up."
                only = self._left_over(place)
                if not only:
                    ended_well = status in (0, 1)
                    return ""
                zygote.close()  # whatever state it is in: the next attempt gets a new one
            self._crashed = True
            return "The grader stopped before all checks had run: its own fault."
        finally:
            if shared is None or not ended_well:
                zygote.close()

    def _stage(self, place: _Workplace) -> None:
        try:
            self._staged = stage(
                self._request.submission,
                place.submission,
                wanted=self._assignment.files,
                pristine=self._request.pristine,
            )
        except IntakeError as error:
            self.refused = str(error)
            return
        self._fingerprint = f"Fingerprint: {fingerprint.take(self._assignment, place.submission)}"

    def _judge(self, place: _Workplace, zygote: ZygoteHolder, only: Sequence[str]) -> int | None:
        """Run the judge; return its exit status, or None when the deadline ended it."""
        job_file = place.private / "job.json"
        missing = self._staged.missing if self._staged else ()
        Job(
            package=self._assignment.package,
            config=str(self._request.config.resolve()),
            submission=str(place.submission),
            pristine=str(self._request.pristine),
            missing=missing,
            ledger=str(place.ledger),
            log=str(place.log),
            only=tuple(only),
        ).write(job_file)
        process = self._judges.start(job_file, zygote.control.fileno(), place.log)
        try:
            return process.wait(max(0.0, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return None
        finally:
            process.kill()
            process.wait()

    def _left_over(self, place: _Workplace) -> tuple[str, ...]:
        entries = read_ledger(place.ledger, self._plan)
        wanted = [
            check.check_id
            for check in self._plan
            if not self._request.only or check.check_id in self._request.only
        ]
        return tuple(c for c in wanted if entries[c].verdict is Verdict.NOT_RUN)

    def entries(self, place: _Workplace, trouble: str) -> dict[str, Entry]:
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
        table = gradescope.summary_table(self._plan, list(entries.values()), titles)
        told = [self.refused, trouble, *notes, table, self._fingerprint]
        output = "\n\n".join(text for text in told if text)
        results = gradescope.to_results(
            self._plan,
            list(entries.values()),
            title=self._assignment.title,
            output=output,
            execution_time=round(time.monotonic() - self._started, 3),
            extra_data=self._reproduce(),
            part_titles=titles,
            leaderboard=self._leaderboard(entries),
        )
        gradescope.write_results(self._request.results, results)
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


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Turn SIGTERM and SIGINT into `Interrupted` for as long as this lasts (main thread only)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
