"""The judge's input from the supervisor. Standard library only: the supervisor imports this."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """The judge's input, in a file that only supervisor and judge can read."""

    homework: str
    config: str
    submission: str
    pristine: str
    missing: tuple[str, ...]
    ledger: str
    log: str
    only: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()  # for the zygote, see `engine/submission/imports.py`

    def write(self, path: Path) -> None:
        """Write the job where only this user can read it."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(self.__dict__), encoding="utf-8")

    @staticmethod
    def read(path: Path) -> Job:
        """Read a job that `write` wrote."""
        raw = json.loads(path.read_text(encoding="utf-8"))
        tuples = {key: tuple(raw[key]) for key in ("missing", "only", "modules")}
        return Job(**{**raw, **tuples})
