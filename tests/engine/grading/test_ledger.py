"""The ledger keeps every written verdict, also when its writer dies."""

from __future__ import annotations

import json
import math
import os
import signal
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.engine.grading.ledger import (
    Entry,
    LedgerWriter,
    PlannedCheck,
    Verdict,
    not_run,
    read_ledger,
)


def check(check_id: str, points: float | None = 1.0) -> PlannedCheck:
    return PlannedCheck(check_id, "1.2.1", "It is right.", "1.2", points, "visible")


PLAN = (check("a"), check("b"), check("advice", None))
PASSED_A = Entry("a", Verdict.PASSED, 1.0, "Well done.", None, 0.25)

# Surrogates included: a student's exception may contain them.
any_text = st.text(st.characters(exclude_categories=()))


def as_one_code_point(text: str) -> str:
    """Join surrogates that happen to form a pair, as JSON's escapes do."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def test_every_planned_check_without_a_line_is_not_run(tmp_path: Path) -> None:
    """An absent file leaves every check at "not run", with no share, in the plan's order."""
    entries = read_ledger(tmp_path / "absent", PLAN)
    assert list(entries) == ["a", "b", "advice"]
    assert all(entry == not_run(c) for entry, c in zip(entries.values(), PLAN, strict=True))
    assert all((e.verdict, e.share) == (Verdict.NOT_RUN, 0.0) for e in entries.values())


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    """An entry survives the file with all its fields."""
    failed = Entry("b", Verdict.FAILED, 0.5, "Half\nof it.", "swapped-mu-alpha", 1.5)
    with closing(LedgerWriter(tmp_path / "ledger")) as ledger:
        ledger.write(PASSED_A)
        ledger.write(failed)
    entries = read_ledger(tmp_path / "ledger", PLAN)
    assert entries["a"] == PASSED_A
    assert entries["b"] == failed


@given(feedback=any_text, mistake=st.none() | any_text)
def test_any_text_survives(
    feedback: str, mistake: str | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Newlines, NULs and lone surrogates neither break a line nor the write."""
    path = tmp_path_factory.mktemp("ledger") / "ledger"
    with closing(LedgerWriter(path)) as ledger:
        ledger.write(Entry("a", Verdict.FAILED, 0.0, feedback, mistake))
    assert path.read_bytes().isascii()
    assert path.read_bytes().count(b"\n") == 1
    entry = read_ledger(path, PLAN)["a"]
    assert entry.feedback == as_one_code_point(feedback)
    assert entry.mistake == (None if mistake is None else as_one_code_point(mistake))


def test_the_last_line_of_a_check_wins(tmp_path: Path) -> None:
    """The last run of a check counts."""
    with closing(LedgerWriter(tmp_path / "ledger")) as ledger:
        ledger.write(PASSED_A)
        ledger.write(Entry("a", Verdict.FAILED, 0.0, "Not so well done."))
    assert read_ledger(tmp_path / "ledger", PLAN)["a"].verdict is Verdict.FAILED


@pytest.mark.parametrize("kept", range(0, 100, 7))
def test_a_torn_last_line_costs_only_itself(tmp_path: Path, kept: int) -> None:
    """Wherever the last line is cut, the lines before it count and it does not."""
    path = tmp_path / "ledger"
    with closing(LedgerWriter(path)) as ledger:
        ledger.write(PASSED_A)
        whole = path.read_bytes()
        ledger.write(Entry("b", Verdict.PASSED, 1.0, "x" * 50))
    last = path.read_bytes()[len(whole) :]
    assert kept < len(last) - 1
    path.write_bytes(whole + last[:kept])
    entries = read_ledger(path, PLAN)
    assert entries["a"] == PASSED_A
    assert entries["b"].verdict is Verdict.NOT_RUN


def test_a_writer_after_a_crash_does_not_join_the_torn_line(tmp_path: Path) -> None:
    """A second writer closes the line that the first left open."""
    path = tmp_path / "ledger"
    path.write_bytes(b'{"check_id": "b", "verd')
    with closing(LedgerWriter(path)) as ledger:
        ledger.write(PASSED_A)
    entries = read_ledger(path, PLAN)
    assert entries["a"] == PASSED_A


def test_a_line_after_a_failed_write_stands_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk fills up in the middle of a line, the next line is still good."""
    path = tmp_path / "ledger"
    ledger = LedgerWriter(path)
    real_write = os.write

    def write_a_part(fd: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return real_write(fd, data[: len(data) - 19])

    monkeypatch.setattr(os, "write", write_a_part)
    with pytest.raises(OSError, match="No space left"):
        ledger.write(Entry("b", Verdict.PASSED, 1.0, "lost"))
    monkeypatch.undo()
    ledger.write(PASSED_A)
    ledger.close()
    entries = read_ledger(path, PLAN)
    assert entries["a"] == PASSED_A
    assert entries["b"].verdict is Verdict.NOT_RUN


GOOD = {"check_id": "a", "verdict": "passed", "share": 1.0, "feedback": "", "mistake": None}


@pytest.mark.parametrize(
    "line",
    [
        b"rubbish",
        b"\xff\xfe\x00",
        b"null",
        b"[1, 2]",
        b'"a"',
        b"[" * 100_000,
        b'{"share": ' + b"9" * 5000 + b"}",
        json.dumps({**GOOD, "check_id": "unplanned"}).encode(),
        json.dumps({**GOOD, "check_id": ["a"]}).encode(),
        json.dumps({**GOOD, "verdict": "splendid"}).encode(),
        json.dumps({**GOOD, "verdict": []}).encode(),
        json.dumps({**GOOD, "share": math.nan}).encode(),
        json.dumps({**GOOD, "share": "1.0"}).encode(),
        json.dumps({**GOOD, "share": True}).encode(),
        json.dumps({**GOOD, "share": None}).encode(),
        json.dumps({**GOOD, "share": 10**400}).encode(),
        json.dumps({**GOOD, "verdict": "failed"}).encode(),
        json.dumps({**GOOD, "feedback": None}).encode(),
        json.dumps({**GOOD, "mistake": 3}).encode(),
        json.dumps({**GOOD, "seconds": math.inf}).encode(),
        json.dumps({**GOOD, "seconds": 10**400}).encode(),
        json.dumps({**GOOD, "seconds": "1"}).encode(),
        json.dumps({k: v for k, v in GOOD.items() if k != "share"}).encode(),
    ],
)
def test_a_line_that_is_no_entry_is_ignored(tmp_path: Path, line: bytes) -> None:
    """Rubbish neither raises nor hides the good lines around it."""
    path = tmp_path / "ledger"
    with closing(LedgerWriter(path)) as ledger:
        ledger.write(PASSED_A)
    path.write_bytes(path.read_bytes() + line + b"\n")
    with closing(LedgerWriter(path)) as ledger:
        ledger.write(Entry("b", Verdict.BLOCKED, 0.0, "Blocked by 1.1."))
    entries = read_ledger(path, PLAN)
    assert entries["a"] == PASSED_A
    assert entries["b"].verdict is Verdict.BLOCKED


@given(data=st.binary())
def test_any_bytes_can_be_read(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """For any content of the file, reading returns an entry for every planned check."""
    path = tmp_path_factory.mktemp("ledger") / "ledger"
    path.write_bytes(data)
    assert list(read_ledger(path, PLAN)) == ["a", "b", "advice"]


def test_lines_outlive_a_kill_of_the_writer(tmp_path: Path) -> None:
    """kill -9 right after a write loses nothing that was written."""
    path = tmp_path / "ledger"
    code = (
        "import os, pathlib, signal, sys\n"
        "from autograder.engine.grading.ledger import Entry, LedgerWriter, Verdict\n"
        "ledger = LedgerWriter(pathlib.Path(sys.argv[1]))\n"
        "ledger.write(Entry('a', Verdict.PASSED, 1.0, 'Well done.', None, 0.25))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).resolve().parents[3]
    ended = subprocess.run([sys.executable, "-c", code, str(path)], cwd=root, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert read_ledger(path, PLAN)["a"] == PASSED_A


def test_two_writers_do_not_mix_their_lines(tmp_path: Path) -> None:
    """Every write appends, so writers that share a file cannot overwrite each other."""
    path = tmp_path / "ledger"
    with closing(LedgerWriter(path)) as one, closing(LedgerWriter(path)) as other:
        one.write(PASSED_A)
        other.write(Entry("b", Verdict.PASSED, 1.0, ""))
        one.write(Entry("advice", Verdict.FAILED, 0.0, "Mind the device."))
    entries = read_ledger(path, PLAN)
    assert {e.verdict for e in entries.values()} == {Verdict.PASSED, Verdict.FAILED}


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    """The ledger contains the feedback of private checks, which workers must not read."""
    LedgerWriter(tmp_path / "ledger").close()
    assert stat.S_IMODE((tmp_path / "ledger").stat().st_mode) == 0o600


def test_a_symlink_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    """A writer refuses to append to what a symlink points at."""
    (tmp_path / "other").write_text("precious")
    (tmp_path / "ledger").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic links"):
        LedgerWriter(tmp_path / "ledger")
    assert (tmp_path / "other").read_text() == "precious"


def test_a_closed_writer_can_be_closed_again(tmp_path: Path) -> None:
    """Closing twice is harmless, writing after it is an error."""
    ledger = LedgerWriter(tmp_path / "ledger")
    ledger.close()
    ledger.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        ledger.write(PASSED_A)


@pytest.mark.parametrize("share", [math.nan, math.inf, -math.inf, -0.5, 1.5, 0.999, 0.0, True, "1"])
def test_passed_means_a_share_of_one(share: float) -> None:
    """Nothing but the whole share goes with "passed"."""
    with pytest.raises(ValueError, match=r"check 'a': share=.* must be (1 when .*'passed'|a num)"):
        Entry("a", Verdict.PASSED, share, "")


@pytest.mark.parametrize("share", [math.nan, math.inf, -0.1, 1.0, 2.0])
def test_failed_means_less_than_the_whole(share: float) -> None:
    """A failed check may earn a part of its points, never all of them."""
    with pytest.raises(
        ValueError, match=r"check 'a': share=.* must be in \[0, 1\) when .*'failed'"
    ):
        Entry("a", Verdict.FAILED, share, "")


@pytest.mark.parametrize(
    "verdict", [Verdict.NOT_RUN, Verdict.NOT_ATTEMPTED, Verdict.BLOCKED, Verdict.GRADER_ERROR]
)
@pytest.mark.parametrize("share", [math.nan, 0.5, 1.0])
def test_no_other_verdict_earns_anything(verdict: Verdict, share: float) -> None:
    """Neither an error of the grader nor a check that did not run turns into credit."""
    with pytest.raises(ValueError, match=f"check 'a': share=.* must be 0 when .*'{verdict.value}'"):
        Entry("a", verdict, share, "")


@pytest.mark.parametrize("figure", [math.nan, math.inf, -math.inf])
def test_a_figure_must_be_finite(figure: float) -> None:
    """A figure that JSON cannot say is refused, naming the check."""
    with pytest.raises(ValueError, match=r"check 'a': figure=.* must be finite"):
        Entry("a", Verdict.PASSED, 1.0, "", figure=figure)


def test_a_figure_is_read_back_and_rubbish_in_its_place_is_ignored(tmp_path: Path) -> None:
    """The figure survives the file; a line whose figure is no number does not count."""
    measured = Entry("a", Verdict.PASSED, 1.0, "", figure=-1.1875)
    with closing(LedgerWriter(tmp_path / "ledger")) as ledger:
        ledger.write(measured)
    good = (tmp_path / "ledger").read_text()
    (tmp_path / "ledger").write_text(good + good.replace("-1.1875", '"x"'))
    entries = read_ledger(tmp_path / "ledger", PLAN)
    assert entries["a"] == measured


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -1.0])
def test_seconds_must_be_finite_and_not_negative(seconds: float) -> None:
    """A time that JSON or a sum cannot hold is refused at once."""
    with pytest.raises(ValueError, match=r"check 'a': seconds=.* must be finite and >= 0"):
        Entry("a", Verdict.PASSED, 1.0, "", None, seconds)


@pytest.mark.parametrize("points", [math.nan, math.inf, -1.0])
def test_points_must_be_finite_and_not_negative(points: float) -> None:
    """A plan that Gradescope could not sum up is refused at once."""
    with pytest.raises(ValueError, match=r"check 'a': points=.* must be finite and >= 0"):
        check("a", points)


def test_visibility_must_be_one_of_gradescopes() -> None:
    """A misspelt visibility would show a hidden check, so it is refused."""
    with pytest.raises(ValueError, match="check 'a': visibility='secret' must be one of visible"):
        PlannedCheck("a", "1.1.1", "It is right.", "1.1", 1.0, "secret")


def test_a_plan_that_lists_a_check_twice_is_refused(tmp_path: Path) -> None:
    """Two checks of one id would share a verdict."""
    with pytest.raises(ValueError, match="the plan lists check 'a' twice"):
        read_ledger(tmp_path / "absent", (check("a"), check("a")))
