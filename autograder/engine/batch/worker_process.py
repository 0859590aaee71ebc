"""A process that grades one submission after another: `isolated.py ...batch.worker_process`.

Torch and the judge are imported once and shared by its gradings; if the caller passes descriptors,
`... SHARED`, by all worker processes of a machine. The first line on stdin has the settings, as
JSON. The process writes `{}` when it is ready, then one line to stdout for each line from stdin,
and ends with stdin. It is a process and not a thread because a grading owns its process: it handles
signals, changes the folder and ends every child that it does not know.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autograder.engine.grading.judge_process import WarmJudges
from autograder.engine.grading.plan import hash_of_checks
from autograder.engine.grading.supervisor import Hashes, Request, grade
from autograder.engine.homework import SETTINGS, Homework, load_homework
from autograder.engine.sandbox.confine import die_with_parent
from autograder.engine.sandbox.isolated import ROOT
from autograder.engine.sandbox.launch import ZygoteHolder, open_prefork

_LOG_CHARACTERS = 4000


@dataclass(frozen=True)
class Settings:
    """How to grade a submission.

    Args:
        folder: the homework's folder; relative to the project if it lies in it, so that a worker
            with a checkout elsewhere finds its own.
        toml: the text of the homework's settings, which may differ from a worker's own.
        only: ids of the checks to run; all when empty.
    """

    folder: str
    toml: str
    only: tuple[str, ...] = ()

    @staticmethod
    def of(homework: Homework, only: tuple[str, ...] = ()) -> Settings:
        """Make settings that mean the same on another machine."""
        inside = homework.folder.is_relative_to(ROOT)
        where = homework.folder.relative_to(ROOT) if inside else homework.folder
        # By its bytes: the hash of the text must find the same line endings there.
        toml = homework.settings_file.read_bytes().decode()
        return Settings(str(where), toml, only)

    @staticmethod
    def parse(fields: Mapping[str, Any]) -> Settings:
        """Undo `asdict` and JSON."""
        return Settings(**{**fields, "only": tuple(fields["only"])})

    def homework(self, folder: Path) -> Homework:
        """Load the homework; its settings are written into a folder and must stay there."""
        path = folder / SETTINGS
        path.touch(0o600)
        path.write_bytes(self.toml.encode())
        return load_homework(ROOT / self.folder, path)


@dataclass(frozen=True)
class Shared:
    """Descriptors of requests to the fork servers that the workers of one machine share."""

    zygotes: int
    judges: int


def fingerprint(homework: Homework, only: tuple[str, ...]) -> str:
    """Return the hash of what decides a grade; some of the checks are another grading than all."""
    return _fingerprint(hash_of_checks(homework), only)


def _fingerprint(checks_sha256: str, only: tuple[str, ...]) -> str:
    return f"{checks_sha256} only {' '.join(only)}" if only else checks_sha256


def main(argv: list[str]) -> int:
    """Serve until stdin ends."""
    die_with_parent()
    settings = Settings.parse(json.loads(sys.stdin.readline()))
    shared = Shared(**json.loads(argv[0])) if argv else None
    # Nothing that a grading prints may get between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    with contextlib.ExitStack() as stack:
        home = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="class-", ignore_cleanup_errors=True)
            )
        )
        home.chmod(0o711)
        grader = _Grader(settings, home, shared, stack)
        answers.write("{}\n")
        answers.flush()
        for line in sys.stdin:
            answers.write(json.dumps(grader.answer(json.loads(line))) + "\n")
            answers.flush()
    return 0


class _Grader:
    """Answers requests; whatever takes long is loaded once."""

    def __init__(
        self, settings: Settings, home: Path, shared: Shared | None, stack: contextlib.ExitStack
    ) -> None:
        self._home = home
        self._loaded: dict[str, tuple[Homework, Hashes]] = {}  # by the settings' text
        self._load(settings)
        closing, folder = contextlib.closing, ROOT / settings.folder
        prefork = open_prefork(folder, home, shared.zygotes if shared else None)
        stack.enter_context(closing(prefork))
        self._zygote = ZygoteHolder(folder, home, home / "zygote.log", prefork)
        stack.enter_context(closing(self._zygote))
        self._judges = WarmJudges(folder, shared.judges if shared else None)
        stack.enter_context(closing(self._judges))
        self._zygote.connect()  # no grading's time is for importing torch

    def _load(self, settings: Settings) -> tuple[Homework, Hashes]:
        if settings.toml not in self._loaded:
            folder = self._home / f"settings-{len(self._loaded)}"
            folder.mkdir(0o711)
            homework = settings.homework(folder)
            self._loaded[settings.toml] = homework, Hashes.of(homework)
        return self._loaded[settings.toml]

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Grade a payload."""
        settings = Settings.parse(request["settings"])
        homework, hashes = self._load(settings)
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="class-one-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            (folder / "submission.zip").write_bytes(base64.b64decode(request["payload"]))
            # Messages about the zip show the path given here: it must be the same every time.
            os.chdir(folder)
            try:
                report = grade(
                    Request(
                        submission=Path("submission.zip"),
                        results=folder / "results.json",
                        homework=homework,
                        only=settings.only,
                        hashes=hashes,
                    ),
                    self._zygote,
                    self._judges,
                )
            finally:
                os.chdir("/")
        if report.interrupted:  # no grade; the caller sees this process end
            sys.exit(1)
        answer = {
            "checks": _fingerprint(hashes.checks, settings.only),
            "results": report.results,
            "trouble": report.trouble,
            "refused": report.refused,
            "log": report.log[-_LOG_CHARACTERS:],
            "seconds": round(time.monotonic() - started, 3),
        }
        if request["with_entries"]:
            answer["entries"] = [asdict(entry) for entry in report.entries.values()]
        return answer


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
