"""The folders of one grading, and the staff's log in them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workspace:
    """The folders of one grading. Workers can enter `root` and read `submission` only."""

    root: Path
    private: Path
    submission: Path
    workers: Path

    @staticmethod
    def make(root: Path) -> Workspace:
        """Make the folders, each with the permissions that it needs."""
        root.chmod(0o711)
        place = Workspace(root, root / "private", root / "submission", root / "workers")
        place.private.mkdir(mode=0o700)
        place.submission.mkdir(mode=0o755)
        place.workers.mkdir(mode=0o711)
        return place

    @property
    def ledger(self) -> Path:
        """One line per finished check."""
        return self.private / "ledger.jsonl"

    @property
    def log(self) -> Path:
        """The staff's log."""
        return self.private / "staff.log"

    def note(self, text: str) -> None:
        """Add to the staff's log."""
        with contextlib.suppress(OSError), self.log.open("a", encoding="utf-8") as sink:
            sink.write(text)

    def read_log(self) -> str:
        """Return the staff's log, up to a megabyte."""
        try:
            with self.log.open("rb") as file:
                return file.read(1_000_000).decode("utf-8", errors="backslashreplace")
        except OSError:
            return ""
