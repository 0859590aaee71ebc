"""The ledger: one line per check, from "not run" to its verdict.

The plan says which checks there are; the ledger file says what became of them. The file only
ever grows, one JSON line at a time, so that whatever dies, whenever, every line written before
still counts and every check without a line is "not run".
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_RESERVED = 256 * 1024  # bytes; a line is about 500, and there are fewer than a hundred

VISIBILITIES = ("visible", "hidden", "after_due_date", "after_published")


class Verdict(str, Enum):
    """What was concluded about a check (how the worker ended is another matter)."""

    NOT_RUN = "not run"
    PASSED = "passed"
    FAILED = "failed"
    NOT_ATTEMPTED = "not attempted"
    BLOCKED = "blocked"
    GRADER_ERROR = "grader error"


@dataclass(frozen=True)
class PlannedCheck:
    """A check as it stands before grading.

    Args:
        check_id: what the ledger knows it by; unique in a plan.
        number: where students see it, beginning with its part ("1.2.3").
        title: one sentence that says what holds when the check passes.
        part: the handout's number of the part ("1.2").
        points: what it is worth; None for advice without points.
        visibility: one of `VISIBILITIES`, Gradescope's words.

    Raises:
        ValueError: for points that are not a finite number >= 0, or an unknown visibility.
    """

    check_id: str
    number: str
    title: str
    part: str
    points: float | None
    visibility: str

    def __post_init__(self) -> None:
        if self.points is not None and not (math.isfinite(self.points) and self.points >= 0):
            raise ValueError(
                f"check {self.check_id!r}: points={self.points!r} must be finite and >= 0, "
                "or None for advice"
            )
        if self.visibility not in VISIBILITIES:
            raise ValueError(
                f"check {self.check_id!r}: visibility={self.visibility!r} must be one of "
                + ", ".join(VISIBILITIES)
            )

    def may_tell_of(self, other: PlannedCheck) -> bool:
        """Whether everyone who sees this check sees the other one too.

        Hidden checks are seen by the staff, who see everything. Nothing says which comes first,
        the due date or the publication of grades.
        """
        return other.visibility in ("visible", self.visibility) or self.visibility == "hidden"


@dataclass(frozen=True)
class Entry:
    """What became of a check.

    Args:
        check_id: the check of the plan that this is about.
        verdict: what was concluded.
        share: the part of the points earned: 1 when passed, in [0, 1) when failed, else 0.
        feedback: what the student reads.
        mistake: id of the known misconception that gives exactly the student's answer.
        seconds: wall time the check took.
        excess: the greatest error of any comparison, as a multiple of what is allowed; None when
            the check compared no numbers.
        figure: what the check measured, for the leaderboard; None when it measured nothing.
        hint: the last lines of the feedback, where they say what to try or name the mistake.
        same_as: number of an earlier check that tells the same fault; the feedback refers to it.
        waits_for: numbers of the parts or checks that a blocked check waits for.

    Raises:
        ValueError: naming the check, for a share that does not go with the verdict, for seconds
            that are not a finite number >= 0 and for a figure that is not finite.
    """

    check_id: str
    verdict: Verdict
    share: float
    feedback: str
    mistake: str | None = None
    seconds: float = 0.0
    excess: float | None = None
    figure: float | None = None
    hint: str = ""
    same_as: str = ""
    waits_for: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # bool is an int: True would pass for a share of 1 that nobody computed.
        if isinstance(self.share, bool) or not isinstance(self.share, (int, float)):
            raise ValueError(f"check {self.check_id!r}: share={self.share!r} must be a number")
        if self.verdict is Verdict.PASSED:
            allowed, fits = "1", self.share == 1
        elif self.verdict is Verdict.FAILED:
            allowed, fits = "in [0, 1)", 0 <= self.share < 1
        else:
            allowed, fits = "0", self.share == 0
        if not fits:  # NaN compares false with everything, so it ends here too
            raise ValueError(
                f"check {self.check_id!r}: share={self.share!r} must be {allowed} "
                f"when the verdict is {self.verdict.value!r}"
            )
        if not (math.isfinite(self.seconds) and self.seconds >= 0):
            raise ValueError(
                f"check {self.check_id!r}: seconds={self.seconds!r} must be finite and >= 0"
            )
        if self.figure is not None and not math.isfinite(self.figure):
            raise ValueError(f"check {self.check_id!r}: figure={self.figure!r} must be finite")


def error_number(*texts: str) -> str:
    """Return a short number that finds an error in the staff's log and says nothing about it."""
    return hashlib.sha256("\0".join(texts).encode("utf-8", "backslashreplace")).hexdigest()[:8]


def not_run(check: PlannedCheck) -> Entry:
    """Return the entry that every check starts with."""
    return Entry(check.check_id, Verdict.NOT_RUN, 0.0, "")


class Reserve:
    """Room on a disk, kept for what must be written when others have filled it.

    A file without a name: it is gone with the process that holds it.

    Args:
        folder: on the disk in question.
        size: in bytes. Where there is no such room now, there is no reserve.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self._fd = -1
        try:
            fd, name = tempfile.mkstemp(prefix=".reserve-", dir=folder)
            os.unlink(name)
        except OSError:
            return
        try:
            os.posix_fallocate(fd, 0, size)
        except OSError:
            os.close(fd)
            return
        self._fd = fd

    def release(self) -> bool:
        """Give the room back; return whether there was any."""
        if self._fd < 0:
            return False
        os.close(self._fd)
        self._fd = -1
        return True


class LedgerWriter:
    """Appends entries to a ledger file, one line and one write each.

    Lines are ASCII: what a student's code puts into its messages (lone surrogates among it)
    is escaped, so that no text can make a write fail. Safe to open again after a crash: a line
    cut short by it is closed first, so that it cannot spoil the next.

    Args:
        path: the file; made when it is absent, with a mode that only its owner can read, for it
            holds what private checks say. A symlink is refused.

    Raises:
        OSError: when the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(path, flags, 0o600)
        self._torn = _ends_torn(self._fd)
        self._reserve = Reserve(path.parent, _RESERVED)

    def write(self, entry: Entry) -> None:
        """Append an entry; when this returns, it outlives a kill of this process."""
        line = (json.dumps(asdict(entry), allow_nan=False) + "\n").encode("ascii")
        if self._torn:
            line = b"\n" + line
        self._torn = True  # should the write stop halfway, the next line starts afresh
        while line:  # one write, unless the disk takes only a part
            try:
                line = line[os.write(self._fd, line) :]
            except OSError as error:
                if error.errno not in DISK_FULL or not self._reserve.release():
                    raise
        self._torn = False

    def close(self) -> None:
        """Close the file; further writes fail."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._reserve.release()

    def __enter__(self) -> LedgerWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@dataclass(frozen=True)
class LedgerReading:
    """What a ledger file says: an entry for every planned check, and how many lines were no use."""

    entries: dict[str, Entry]
    ignored_lines: int


def read_ledger(path: Path, plan: Sequence[PlannedCheck]) -> dict[str, Entry]:
    """Return an entry for every planned check, in the plan's order; see `scan_ledger`."""
    return scan_ledger(path, plan).entries


def scan_ledger(path: Path, plan: Sequence[PlannedCheck]) -> LedgerReading:
    """Read a ledger, whatever state its writer left it in.

    The last good line of a check wins. Lines that are cut short, are not an entry, break an
    entry's rules or name a check that is not planned are counted and otherwise ignored. A file
    that is not there is an empty ledger.

    Raises:
        ValueError: when the plan lists a check twice.
        OSError: when the file is there but cannot be read.
    """
    entries: dict[str, Entry] = {}
    for check in plan:
        if check.check_id in entries:
            raise ValueError(f"the plan lists check {check.check_id!r} twice")
        entries[check.check_id] = not_run(check)
    ignored = 0
    for entry in _entries(path):
        if entry is None or entry.check_id not in entries:
            ignored += 1
        else:
            entries[entry.check_id] = entry
    return LedgerReading(entries, ignored)


def _entries(path: Path) -> Iterable[Entry | None]:
    try:
        with path.open("rb") as file:
            for line in file:
                if line.strip():
                    yield _parsed(line)
    except FileNotFoundError:
        return


def _parsed(line: bytes) -> Entry | None:
    """Return the entry that a line holds, or None when it holds none."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):  # bad JSON, bad UTF-8, an endless integer; deep nesting
        return None
    if not isinstance(fields, Mapping):
        return None
    check_id, feedback = fields.get("check_id"), fields.get("feedback")
    mistake, seconds = fields.get("mistake"), fields.get("seconds", 0.0)
    if not isinstance(check_id, str) or not isinstance(feedback, str):
        return None
    excess = fields.get("excess")
    if not isinstance(mistake, (str, type(None))) or not isinstance(seconds, (int, float)):
        return None
    figure = fields.get("figure")
    if not all(isinstance(value, (int, float, type(None))) for value in (excess, figure)):
        return None
    hint, same_as, waits_for = (fields.get(k, "") for k in ("hint", "same_as", "waits_for"))
    if not isinstance(hint, str) or not isinstance(same_as, str):
        return None
    waits = tuple(map(str, waits_for)) if isinstance(waits_for, list) else ()
    try:
        verdict = Verdict(fields.get("verdict"))
        share: Any = fields.get("share")  # Entry refuses what is not a number
        known = (check_id, verdict, share, feedback, mistake, seconds, excess, figure)
        return Entry(*known, hint, same_as, waits)
    except (ValueError, OverflowError):  # an integer too great for isfinite() overflows
        return None


def _ends_torn(fd: int) -> bool:
    """Return whether a file is not empty and its last line lacks its end."""
    size = os.fstat(fd).st_size
    if size == 0:
        return False
    os.lseek(fd, size - 1, os.SEEK_SET)
    return os.read(fd, 1) != b"\n"
