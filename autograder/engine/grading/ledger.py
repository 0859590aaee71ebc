"""The ledger: one line per check, from "not run" to its verdict.

The plan lists the checks; the ledger file holds their verdicts. The file only grows, one JSON line
at a time. So whichever process dies, every line written before still counts, and every check
without a line is "not run".
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_RESERVED = 256 * 1024  # bytes; a line is about 500, and there are fewer than a hundred

VISIBILITIES = ("visible", "hidden", "after_due_date", "after_published")


class Verdict(str, Enum):
    """The conclusion about a check; how its worker ended is a separate type."""

    NOT_RUN = "not run"
    PASSED = "passed"
    FAILED = "failed"
    NOT_ATTEMPTED = "not attempted"
    BLOCKED = "blocked"
    GRADER_ERROR = "grader error"


@dataclass(frozen=True)
class PlannedCheck:
    """A check before it is graded.

    Args:
        check_id: its name in the ledger; unique in a plan.
        number: its number for students, beginning with its part ("1.2.3").
        title: one sentence: the property that holds when the check passes.
        part: the assignment's number of the part ("1.2").
        points: at most four decimals; None for advice without points.
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
        """Return whether everyone who sees this check sees the other one too.

        Only the staff see hidden checks, and they see everything. Either the due date or the
        publication of grades may come first.
        """
        return other.visibility in ("visible", self.visibility) or self.visibility == "hidden"


@dataclass(frozen=True)
class Entry:
    """The result of a check.

    Args:
        check_id: the check in the plan.
        verdict: the conclusion.
        share: the part of the points earned: 1 when passed, in [0, 1) when failed, else 0.
        feedback: the text for the student.
        mistake: id of the known mistake that gives exactly the student's answer.
        seconds: wall time of the check.
        excess: the greatest error of any comparison, as a multiple of the tolerance; None when
            the check compared no numbers.
        figure: the value that the check measured, for the leaderboard; None without one.
        hint: the last lines of the feedback, where they name the mistake or suggest a fix.
        same_as: number of an earlier check with the same cause.
        waits_for: numbers of the parts or checks that block this check.

    Raises:
        ValueError: naming the check, for a share that does not fit the verdict, for seconds that
            are not a finite number >= 0 and for a figure that is not finite.
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
        # bool is an int, so True would count as a share of 1.
        if isinstance(self.share, bool) or not isinstance(self.share, (int, float)):
            raise ValueError(f"check {self.check_id!r}: share={self.share!r} must be a number")
        if self.verdict is Verdict.PASSED:
            allowed, fits = "1", self.share == 1
        elif self.verdict is Verdict.FAILED:
            allowed, fits = "in [0, 1)", 0 <= self.share < 1
        else:
            allowed, fits = "0", self.share == 0
        if not fits:  # also for NaN, which compares false with everything
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


def parse_entry(fields: Mapping[str, Any]) -> Entry:
    """Undo `asdict` and JSON."""
    changes = {
        "verdict": Verdict(fields["verdict"]),
        "waits_for": tuple(map(str, fields.get("waits_for", ()))),
    }
    return Entry(**{**fields, **changes})


def error_number(*texts: str) -> str:
    """Return a short number by which the staff find an error in their log; it reveals nothing."""
    return hashlib.sha256("\0".join(texts).encode("utf-8", "backslashreplace")).hexdigest()[:8]


def not_run(check: PlannedCheck) -> Entry:
    """Return the entry that every check starts with."""
    return Entry(check.check_id, Verdict.NOT_RUN, 0.0, "")


class Reserve:
    """Disk space kept free for results, in case the disk fills up.

    An unlinked file, which disappears with its process.

    Args:
        folder: a folder on that disk.
        size: in bytes. Without that much space now, there is no reserve.
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
        """Free the space; return whether there was any."""
        if self._fd < 0:
            return False
        os.close(self._fd)
        self._fd = -1
        return True


class LedgerWriter:
    """Appends entries to a ledger file, one line and one write each.

    Lines are ASCII: all other characters are escaped (lone surrogates too), so no text can make a
    write fail. After a crash, an incomplete last line is ended before the next is written.

    Args:
        path: the file; created where absent, readable by its owner only because it contains the
            feedback of private checks. A symlink is refused.

    Raises:
        OSError: when the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(path, flags, 0o600)
        self._torn = _ends_torn(self._fd)
        self._reserve = Reserve(path.parent, _RESERVED)

    def write(self, entry: Entry) -> None:
        """Append an entry, safe from then on if this process is killed."""
        line = (json.dumps(asdict(entry), allow_nan=False) + "\n").encode("ascii")
        if self._torn:
            line = b"\n" + line
        self._torn = True  # until the whole line is written
        while line:  # one write, unless the disk accepts only a part
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


def read_ledger(path: Path, plan: Sequence[PlannedCheck]) -> dict[str, Entry]:
    """Return an entry for every planned check, in the plan's order.

    The last valid line of a check counts. Lines that are incomplete, break an entry's rules or
    name no planned check are ignored. A missing file is an empty ledger.

    Raises:
        ValueError: the plan lists a check twice.
        OSError: the file cannot be read.
    """
    entries: dict[str, Entry] = {}
    for check in plan:
        if check.check_id in entries:
            raise ValueError(f"the plan lists check {check.check_id!r} twice")
        entries[check.check_id] = not_run(check)
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        for entry in map(_parsed, file):
            if entry is not None and entry.check_id in entries:
                entries[entry.check_id] = entry
    return entries


def _parsed(line: bytes) -> Entry | None:
    """Return the entry in a line, or None when there is no valid one."""
    try:
        entry = parse_entry(json.loads(line))
    # Bad JSON or UTF-8, other types and names, huge numbers, deep nesting.
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    texts = entry.check_id, entry.feedback, entry.hint, entry.same_as
    numbers = (n for n in (entry.excess, entry.figure) if n is not None)
    valid = (
        all(isinstance(text, str) for text in texts)
        and all(isinstance(number, (int, float)) for number in numbers)
        and (entry.mistake is None or isinstance(entry.mistake, str))
    )
    return entry if valid else None


def _ends_torn(fd: int) -> bool:
    """Return whether a file's last line is incomplete."""
    size = os.fstat(fd).st_size
    if size == 0:
        return False
    os.lseek(fd, size - 1, os.SEEK_SET)
    return os.read(fd, 1) != b"\n"
