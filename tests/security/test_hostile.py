"""Hostile submissions, graded as root: each gets the result that its file states."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.engine.grading.ledger import Verdict
from tests.security.kit import (
    CASES,
    MARK,
    ROOT,
    Case,
    Court,
    nothing_is_left,
    seen_by_students,
    stray_files,
    submission,
)

pytestmark = [
    pytest.mark.hostile,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can give workers separate users"),
]


@pytest.fixture(scope="module")
def grader() -> Iterator[Court]:
    """Secrets are in places where a submission may look for them."""
    secret = f"SECRET-{secrets.token_hex(8)}"
    with (
        tempfile.TemporaryDirectory(prefix="hostile-grader-") as name,
        pytest.MonkeyPatch.context() as patch,
    ):
        folder = Path(name)
        folder.chmod(0o711)
        patch.setenv("GRADER_SECRET", secret)
        metadata = folder / "submission_metadata.json"
        metadata.write_text(secret, encoding="utf-8")
        metadata.chmod(0o600)
        grader = Court(folder, secret)
        yield grader
        grader.zygote.close()


@pytest.mark.parametrize(
    ("name", "uid", "is_ours"),
    [
        (f"{MARK}-x", 0, True),
        ("CANARY-of-another", 0, False),
        ("hostile-results.json", 0, False),
        ("hostile-results.json", 30_000, True),
    ],
    ids=["our mark", "another mark", "no mark", "our user"],
)
def test_only_files_of_these_cases_count_as_left(name: str, uid: int, is_ours: bool) -> None:
    """Other gradings and other runs of these tests leave files at the same time."""
    path = Path("/tmp") / name
    try:
        path.touch()
        os.chown(path, uid, uid)
        assert (str(path) in stray_files()) is is_ours
    finally:
        path.unlink()


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_hostile_submission_gets_the_stated_result(grader: Court, path: Path) -> None:
    """Stated scores, valid results, nothing left or revealed, and the cause named."""
    case = Case.read(path)
    only = (*case.only, "1.2.5") if case.expected == "ZZ" else case.only
    twin = grader.twin(case.twin, only)
    with submission(case.whole, case.files) as folder, nothing_is_left(grader):
        report = grader.grade(folder, only)
    scores = grader.scores(report, only)
    first = only[0]
    feedbacks = "\n".join(f"{n}: {report.entries[grader.numbers[n]].feedback}" for n in only)
    if case.expected in ("N", "F"):
        assert scores == twin, feedbacks
    elif case.expected == "Z":
        assert twin[first] == 1
        assert scores == {**twin, first: 0}, feedbacks
    else:
        assert scores == {**twin, **dict.fromkeys(case.only, 0)}, feedbacks
    if case.expected == "F":
        assert set(scores.values()) == {1}
    verdicts = {entry.verdict for entry in report.entries.values()}
    assert Verdict.GRADER_ERROR not in verdicts, report.log
    assert report.trouble == report.refused == ""
    feedback = report.entries[grader.numbers[first]].feedback
    assert re.search(case.says, feedback), feedback
    shown = seen_by_students(report)
    assert grader.secret not in shown
    assert "CANARY" not in shown
    assert str(ROOT) not in shown
    assert "log sigmoid(h)" not in shown, "the reference's text"
