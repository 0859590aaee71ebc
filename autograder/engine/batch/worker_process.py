"""A process that grades one submission after the other: `isolated.py ...batch.worker_process`.

Torch and the judge are imported once; its gradings share them, and so do the graders of a machine
where who starts them says so: `... SHARED`. The first line on stdin holds its settings, in JSON. It
says `{}` when it is ready, then a line comes in on stdin, a line goes out on stdout; when stdin
ends, so does it. It is a process of its own, and not a thread of whoever hands out the work,
because a grading owns its process: it handles signals, changes the folder and ends every child
that it does not know.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.engine.grading.judge_process import WarmJudges
from autograder.engine.grading.plan import hash_of_checks
from autograder.engine.grading.supervisor import Request, grade
from autograder.engine.homework import SETTINGS, Assignment, load_assignment
from autograder.engine.sandbox.confine import die_with_parent
from autograder.engine.sandbox.isolated import ROOT
from autograder.engine.sandbox.launch import ZygoteHolder, open_prefork

_LOG_CHARACTERS = 4000
_INTERRUPTED = "interrupted from outside"


@dataclass(frozen=True)
class Settings:
    """What all submissions of a class are graded by.

    Args:
        package: the homework's package.
        pristine: the template's folder; relative to the project where it lies in it, so that a
            worker with a checkout elsewhere finds its own.
        toml: the text of its settings, which travel: a worker's own may be others.
        only: ids of the checks to run; all when empty.
    """

    package: str
    pristine: str
    toml: str
    only: tuple[str, ...] = ()

    @staticmethod
    def of(assignment: Assignment, pristine: Path, only: tuple[str, ...] = ()) -> Settings:
        """Make settings that mean the same on another machine."""
        inside = pristine.resolve().is_relative_to(ROOT)
        where = pristine.resolve().relative_to(ROOT) if inside else pristine.resolve()
        # By its bytes: whoever hashes the text there must find the same line endings.
        toml = assignment.settings_file.read_bytes().decode()
        return Settings(assignment.package, str(where), toml, only)

    def assignment(self, folder: Path) -> Assignment:
        """Load the homework; its settings are laid into a folder, to stay there."""
        path = folder / SETTINGS
        path.touch(0o600)
        path.write_bytes(self.toml.encode())
        return load_assignment(self.package, path)


@dataclass(frozen=True)
class Shared:
    """What the graders of one machine share: descriptors of requests to fork servers.

    Args:
        zygotes: see `launch.open_prefork`.
        judges: see `judges.WarmJudges`.
    """

    zygotes: int
    judges: int


def fingerprint(assignment: Assignment, only: tuple[str, ...]) -> str:
    """Return the hash of what decides a grade; a part of the checks is another grading."""
    checks = hash_of_checks(assignment)
    return f"{checks} only {' '.join(only)}" if only else checks


def main(argv: list[str]) -> int:
    """Serve until stdin ends."""
    die_with_parent()
    told = json.loads(sys.stdin.readline())
    settings = Settings(**{**told, "only": tuple(told["only"])})
    shared = Shared(**json.loads(argv[0])) if argv else None
    # Nothing that anybody prints may come between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory(prefix="class-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        home.chmod(0o711)
        assignment = settings.assignment(home)
        prefork = open_prefork(settings.package, home, shared.zygotes if shared else None)
        judges = WarmJudges(settings.package, shared.judges if shared else None)
        zygote = ZygoteHolder(settings.package, home, home / "zygote.log", prefork)
        checks = fingerprint(assignment, settings.only)
        checks_sha256 = hash_of_checks(assignment)  # once for all
        zygote.connect()  # no grading's time is for importing torch
        answers.write("{}\n")
        answers.flush()
        try:
            for line in sys.stdin:
                parcel = base64.b64decode(json.loads(line)["parcel"])
                graded = _grade(assignment, checks_sha256, settings, parcel, zygote, judges)
                answer = {"checks": checks, **graded}
                answers.write(json.dumps(answer) + "\n")
                answers.flush()
        finally:
            judges.close()
            zygote.close()
            prefork.close()
    return 0


def _grade(
    assignment: Assignment,
    checks_sha256: str,
    settings: Settings,
    parcel: bytes,
    zygote: ZygoteHolder,
    judges: WarmJudges,
) -> dict[str, Any]:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="class-one-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "submission.zip").write_bytes(parcel)
        # A message about the zip names it as it is given here: the same words every time.
        os.chdir(folder)
        try:
            report = grade(
                Request(
                    submission=Path("submission.zip"),
                    results=folder / "results.json",
                    assignment=assignment,
                    pristine=ROOT / settings.pristine,
                    only=settings.only,
                    checks_sha256=checks_sha256,
                ),
                zygote,
                judges,
            )
        finally:
            os.chdir("/")
    if _INTERRUPTED in report.trouble:  # no grade; whoever waits for one sees this process end
        sys.exit(1)
    return {
        "results": report.results,
        "trouble": report.trouble,
        "refused": report.refused,
        "log": report.log[-_LOG_CHARACTERS:],
        "seconds": round(time.monotonic() - started, 3),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
