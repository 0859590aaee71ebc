"""Grade hostile submissions and their honest twins, and find processes and files they leave."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import psutil

from autograder.commands.common import HOMEWORK
from autograder.engine.grading.plan import plan_checks
from autograder.engine.grading.supervisor import Report, Request, grade
from autograder.engine.homework import Homework, load_homework
from autograder.engine.sandbox import identity
from autograder.engine.sandbox.launch import ZygoteHolder

ROOT = Path(__file__).resolve().parents[2]
CASES = sorted((ROOT / "tests" / "security" / "hostile").glob("[0-9]*.py"))
SCHEMA = json.loads((ROOT / "tests" / "results.schema.json").read_text(encoding="utf-8"))
FLOW, GAN = "codebase/flow_network.py", "codebase/gan.py"
HALF = """

_right = loss_nonsaturating_d


def loss_nonsaturating_d(g, d, x_real, *, device):
    return 2 * _right(g, d, x_real, device=device)
"""
# Replaces CANARY in hostile code: other processes may run the same code at the same time.
MARK = f"CANARY{secrets.token_hex(4)}"
# Short times, so that hangs end quickly; a correct answer takes milliseconds.
TIMES = {"call_timeout_s = 6": "call_timeout_s = 3", "check_timeout_s = 25": "check_timeout_s = 8"}


@dataclass(frozen=True)
class Case:
    """A hostile submission and its expected result; see tests/security/hostile/__init__.py."""

    name: str
    code: str
    expected: str
    twin: str
    says: str = ""
    only: tuple[str, ...] = ("2.2.1", "2.2.3")
    files: dict[str, str] = field(default_factory=dict)

    @property
    def whole(self) -> str:
        """The text appended to gan.py: the twin's mistake, if it has one, and the attack."""
        return (HALF if self.twin == "half" else "") + self.code

    @staticmethod
    def read(path: Path) -> Case:
        """Read a file of tests/security/hostile."""
        code = path.read_text(encoding="utf-8")
        lines = re.findall(r"^# (expected|twin|says|only|file): (.+)$", code, re.MULTILINE)
        plain = {key: value for key, value in lines if key != "file"}
        files = dict(value.split(" = ", 1) for key, value in lines if key == "file")
        only = tuple(plain.get("only", "2.2.1 2.2.3").split())
        says = plain.get("says", "")
        return Case(path.stem, code, plain["expected"], plain["twin"], says, only, files)


class Court:
    """Grades one submission after the other with one zygote, as for a class.

    Args:
        folder: the working folder; other users can pass through it.
        secret: a text that no student may see.
    """

    def __init__(self, folder: Path, secret: str, homework: Path = HOMEWORK) -> None:
        self.folder = folder
        self.secret = secret
        text = (ROOT / "autograder/homework/assignment.toml").read_text(encoding="utf-8")
        for old, new in TIMES.items():
            assert old in text
            text = text.replace(old, new)
        self.config = folder / "quick.toml"
        self.config.write_text(text, encoding="utf-8")
        self.homework: Homework = load_homework(homework, self.config)
        self.numbers = {check.number: check.check_id for check in plan_checks(self.homework)}
        workers = folder / "workers"
        workers.mkdir(mode=0o711)
        self.zygote = ZygoteHolder(homework, workers, folder / "zygote.log")
        self._twins: dict[tuple[str, tuple[str, ...]], dict[str, float]] = {}

    def grade(self, submission: Path, only: tuple[str, ...] = ()) -> Report:
        """Grade, and check the results file against the schema and the plan."""
        results = self.folder / "results" / "results.json"
        shutil.rmtree(results.parent, ignore_errors=True)
        results.parent.mkdir()
        report = grade(
            Request(
                submission=submission,
                results=results,
                homework=self.homework,
                only=tuple(self.numbers[number] for number in only),
            ),
            self.zygote,
        )
        assert [path.name for path in results.parent.iterdir()] == ["results.json"]
        written = json.loads(results.read_text(encoding="utf-8"))
        jsonschema.validate(written, SCHEMA)
        assert written == report.results
        assert [test["number"] for test in written["tests"]] == list(self.numbers)
        return report

    def scores(self, report: Report, only: tuple[str, ...]) -> dict[str, float]:
        """The share of points that each of these checks earned."""
        return {number: report.entries[self.numbers[number]].share for number in only}

    def renew(self) -> None:
        """Restart after a case that failed."""
        self.zygote.close()
        for left in (self.folder / "workers").iterdir():
            shutil.rmtree(left, ignore_errors=True)

    def twin(self, kind: str, only: tuple[str, ...]) -> dict[str, float]:
        """The scores of the honest twin, which is graded once."""
        if (kind, only) not in self._twins:
            with submission(HALF if kind == "half" else "") as folder:
                self._twins[kind, only] = self.scores(self.grade(folder, only), only)
        return self._twins[kind, only]


def seen_by_students(report: Report) -> str:
    """All texts in the results that a student can see."""
    results: dict[str, Any] = report.results
    return "\n".join([results["output"], *(str(test) for test in results["tests"])])


@contextmanager
def submission(code: str, files: dict[str, str] | None = None) -> Iterator[Path]:
    """The reference's two files with code appended to gan.py, and more files."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        root = Path(name)
        (root / "codebase").mkdir()
        for path in (FLOW, GAN):
            shutil.copy(ROOT / "reference" / path, root / path)
        with (root / GAN).open("a", encoding="utf-8") as file:
            file.write(code.replace("CANARY", MARK))
        for path, text in (files or {}).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text + "\n", encoding="utf-8")
        yield root


@contextmanager
def nothing_is_left(court: Court) -> Iterator[None]:
    """Afterwards our files are as they were, and there is no process or file that was not there."""
    court.zygote.connect()
    before = _tree(), stray_files()
    known = {p.pid for p in psutil.Process().children(recursive=True)}
    try:
        yield
        assert (_tree(), stray_files()) == before, "files were changed or left"
        family = {
            p.pid: " ".join(p.cmdline()[-9:])
            for p in psutil.Process().children(recursive=True)
            if p.pid not in known
        }
        assert set(family) <= {court.zygote.pid}, family
        assert list((court.folder / "workers").glob("worker-*")) == []
    except BaseException:
        court.renew()  # so that the next case is not affected
        raise


def _tree() -> str:
    digest = hashlib.sha256()
    for top in ("autograder", "reference", "student_template", "tests"):
        for folder, folders, names in os.walk(ROOT / top):
            folders[:] = sorted(set(folders) - {"__pycache__"})
            for name in sorted(names):
                path = Path(folder, name)
                digest.update(f"{path}\0{path.lstat().st_mode}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def stray_files() -> list[str]:
    """Return the files that hostile code of this process left in folders that anyone can write to.

    Other programs run on the machine, so only files count that have this process's mark in their
    names, or "results" and the user of a worker.
    """
    places = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", str(ROOT), str(ROOT.parent))
    found = []
    for place in filter(os.path.isdir, places):
        for entry in os.scandir(place):
            named_for_results = "results" in entry.name and _is_a_workers(_owner_of(entry))
            if MARK in entry.name or named_for_results:
                found.append(entry.path)
    return sorted(found) + [line for kind in ("shm", "msg", "sem") for line in _queues(kind)]


def _owner_of(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_uid
    except FileNotFoundError:  # another program has removed it
        return 0


def _is_a_workers(uid: int) -> bool:
    return identity._FIRST <= uid <= identity._LAST


def _queues(kind: str) -> list[str]:
    """Return the System V shared memory, queues or semaphores that workers made."""
    head, *lines = Path(f"/proc/sysvipc/{kind}").read_text(encoding="ascii").splitlines()
    creator = head.split().index("cuid")
    return [f"{kind} {line}" for line in lines if _is_a_workers(int(line.split()[creator]))]
