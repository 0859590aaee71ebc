"""A judge's process on the homework `tiny`, with a fake zygote."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.engine.grading.judge_process import environment
from autograder.engine.grading.ledger import Entry, PlannedCheck, read_ledger
from autograder.engine.grading.plan import plan_checks
from autograder.engine.homework import parse_homework
from autograder.engine.judge.job import Job
from autograder.engine.sandbox.frames import Frame
from tests.small_homework.fake_zygote import HANG, Behaviour, FakeZygote, raises, returns
from tests.small_homework.tiny import CONFTEST, HEAD, PRIVATE, PUBLIC, SETTINGS

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Session:
    """The results of a judge."""

    status: int
    entries: dict[str, Entry]
    order: list[str]
    requests: list[dict[str, Any]]
    asked: list[str]
    opened: int
    ended: list[int]
    log: str

    def entry(self, name: str) -> Entry:
        """The entry of the check with this function."""
        return next(e for check_id, e in self.entries.items() if check_id.endswith(f"::{name}"))


def write_homework(root: Path, files: dict[str, str], settings: str = SETTINGS) -> None:
    """Write the package `tiny`, a submission and a template."""
    for name, text in {
        "tiny/__init__.py": "",
        "tiny/assignment.toml": settings,
        **{f"tiny/checks/{name}": text for name, text in files.items()},
        "submission/codebase/a.py": SUBMITTED,
        "pristine/codebase/a.py": "template = 1\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


SUBMITTED = "submitted = 1\n" + 5 * "\n" + "x = f(y)\nraise NotImplementedError\n"


def slowly(_: Frame) -> Frame:
    """Return after a twentieth of a second."""
    time.sleep(0.05)
    return Frame({"values": {}})


BEHAVIOURS: dict[str, Behaviour] = {
    "answer": returns(x=1),
    "note": returns(),
    "raise": raises("ValueError", "TEXT OF THE STUDENT"),
    "stub": raises("NotImplementedError", line=8),
    "stub_once": raises("NotImplementedError", line=8),
    "die": lambda _: None,
    "hang": lambda _: HANG,
    "slow": slowly,
    "slow_and_right": slowly,
}

_RUN = """
import sys
sys.path[:0] = sys.argv[1:3]
from autograder.engine.judge.__main__ import main
sys.exit(main(sys.argv[3:]))
"""


def judge(root: Path, zygote: FakeZygote, only: Sequence[str] = ()) -> Session:
    """Run a judge's process on the homework in `root`."""
    private = root / "private"
    private.mkdir(exist_ok=True)
    ledger, log = private / "ledger.jsonl", private / "log"
    ledger.unlink(missing_ok=True)
    log.write_text("")
    Job(
        homework=str(root / "tiny"),
        config=str(root / "tiny" / "assignment.toml"),
        submission=str(root / "submission"),
        pristine=str(root / "pristine"),
        missing=("codebase/b.py",),
        ledger=str(ledger),
        log=str(log),
        only=tuple(only),
    ).write(private / "job.json")
    with log.open("ab") as sink:
        done = subprocess.run(
            [
                *(sys.executable, "-I", "-c", _RUN, str(ROOT), str(root)),
                *(str(private / "job.json"), str(zygote.control.fileno())),
            ],
            pass_fds=(zygote.control.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd=root / "tiny" / "checks",
            env=environment(private),
            timeout=120,
            check=False,
        )
    return Session(
        status=done.returncode,
        entries=read_ledger(ledger, _plan(root)),
        order=_order(ledger),
        requests=[dict(request.header) for request in zygote.requests],
        asked=list(zygote.asked),
        opened=zygote.opened,
        ended=list(zygote.ended),
        log=log.read_text(encoding="utf-8"),
    )


def _order(ledger: Path) -> list[str]:
    """The functions of the checks in the order of their lines."""
    if not ledger.exists():
        return []
    ids = [json.loads(line)["check_id"] for line in ledger.read_text().splitlines()]
    return [check_id.partition("::")[2] for check_id in ids]


def _plan(root: Path) -> tuple[PlannedCheck, ...]:
    folder = root / "tiny"
    return plan_checks(parse_homework(folder / "assignment.toml", folder, {}))


ALL = {
    "public/test_a.py": HEAD + PUBLIC,
    "private/test_a.py": HEAD + PRIVATE,
    "conftest.py": CONFTEST,
}
