"""The audit: its complaints, the tolerance report, and the page."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autograder.commands import audit as command
from autograder.commands.common import DONE, FOUND_SOMETHING
from autograder.engine.batch.pool import Crew, WorkerDied
from autograder.engine.batch.worker_process import Settings
from autograder.engine.catalogue import audit as grading
from autograder.engine.catalogue.audit import Case, Row, _with_seed, complaints, narrowed
from autograder.engine.catalogue.page import AuditReport, write_report
from autograder.engine.catalogue.tolerance_report import tolerance_reports
from autograder.engine.grading.ledger import Entry, PlannedCheck, Verdict
from tests.this_homework import THIS

ROOT = Path(__file__).resolve().parents[3]
PLAN = (
    PlannedCheck("a", "1.1.1", "A holds.", "1.1", 3, "visible"),
    PlannedCheck("b", "1.2.1", "B holds.", "1.2", 2, "visible"),
    PlannedCheck("c", "1.2.2", "Advice: C.", "1.2", None, "visible"),
)
PASSED = {check.check_id: Entry(check.check_id, Verdict.PASSED, 1.0, "") for check in PLAN}


def failed(check_id: str, feedback: str = "It is off.", mistake: str | None = None) -> Entry:
    """An entry that costs all points."""
    return Entry(check_id, Verdict.FAILED, 0.0, feedback, mistake)


def wrong(**changes: object) -> Case:
    """An incorrect solution of 1.1 that must be named "slip"."""
    settings: dict[str, object] = {
        "id": "slip",
        "kind": "wrong",
        "sentence": "Slips.",
        "files": {},
        "parts": frozenset({"1.1"}),
        "named": frozenset({"slip"}),
    }
    return Case(**{**settings, **changes})  # type: ignore[arg-type]


def complaints_about(case: Case, **entries: Entry) -> list[str]:
    """The complaints about a case that passes all checks but these."""
    return list(complaints(Row(case, {**PASSED, **entries}, 0.0), PLAN))


def test_an_incorrect_solution_that_loses_points_in_its_part_and_is_named_is_fine() -> None:
    """Points lost in the right part, under the right name: no complaint."""
    assert complaints_about(wrong(), a=failed("a", mistake="slip")) == []


def test_a_mistake_named_together_with_another_counts_as_named() -> None:
    """Mistakes that give the same answers are named together, joined by a plus."""
    assert complaints_about(wrong(), a=failed("a", mistake="trip+slip")) == []


def test_an_incorrect_solution_with_full_marks_is_a_complaint() -> None:
    """The checks have a hole."""
    assert "keeps full marks in 1.1" in complaints_about(wrong())


def test_points_lost_in_another_part_are_a_complaint() -> None:
    """A mistake may cost points in its own part only."""
    found = complaints_about(wrong(), a=failed("a", mistake="slip"), b=failed("b"))
    assert found == ["loses points in another part: 1.2.1"]


def test_a_blocked_check_in_another_part_is_a_complaint() -> None:
    """Its points are lost too, and one mistake must cost points once."""
    blocked = Entry("b", Verdict.BLOCKED, 0.0, "Not counted yet")
    found = complaints_about(wrong(), a=failed("a", mistake="slip"), b=blocked)
    assert found == ["loses points in another part: 1.2.1"]


def test_a_mistake_that_is_not_named_is_a_complaint() -> None:
    """Another name, or none, is not enough."""
    found = complaints_about(wrong(), a=failed("a", mistake="trip"))
    assert found == ["is not named: expected slip, got trip"]


def test_a_missing_message_is_a_complaint() -> None:
    """A mistake without an id needs the check's own message."""
    case = wrong(named=frozenset(), says="not normal")
    assert complaints_about(case, a=failed("a", "They are not normal.")) == []
    assert complaints_about(case, a=failed("a")) == ["no feedback contains 'not normal'"]


def test_a_correct_solution_that_loses_points_or_gets_a_hint_is_a_complaint() -> None:
    """It must keep all points, and no mistake may be named."""
    case = wrong(kind="right", parts=frozenset(), named=frozenset())
    assert complaints_about(case) == []
    found = complaints_about(case, b=failed("b", mistake="slip"))
    assert found[0] == "a correct solution loses points in 1.2.1"
    assert "a correct solution gets the hint for slip" in found


def test_a_grader_error_is_always_a_complaint() -> None:
    """A check that did not run shows nothing about the grader."""
    broken = Entry("b", Verdict.GRADER_ERROR, 0.0, "no zygote")
    assert any(
        "1.2.1 ended as grader error" in text for text in complaints_about(wrong(), b=broken)
    )


def test_template_must_be_not_attempted_everywhere() -> None:
    """The untouched template passes nothing, advice included."""
    case = wrong(kind="empty", parts=frozenset(), named=frozenset())
    idle = {c: Entry(c, Verdict.NOT_ATTEMPTED, 0.0, "") for c in ("a", "b", "c")}
    assert complaints_about(case, **idle) == []
    assert complaints_about(case, **{**idle, "c": PASSED["c"]}) == [
        "1.2.2 is passed, expected not attempted"
    ]


def rows(right: float, wrong_excess: float) -> list[Row]:
    """A correct and an incorrect solution with these errors in check a."""
    good = Entry("a", Verdict.PASSED, 1.0, "", excess=right)
    bad = Entry("a", Verdict.FAILED, 0.0, "", excess=wrong_excess)
    return [
        Row(wrong(id="good", kind="right"), {"a": good}, 0.0),
        Row(wrong(id="bad"), {"a": bad}, 0.0),
    ]


def test_a_tolerance_far_from_both_sides_is_fine() -> None:
    """Far above correct and far below incorrect solutions: no complaint, both are named."""
    (report,) = tolerance_reports(rows(0.01, 50.0), PLAN)
    assert report.complaint == ""
    assert (report.right_id, report.wrong_id) == ("good", "bad")


@pytest.mark.parametrize(
    ("right", "wrong_excess", "complaint"),
    [(0.5, 50.0, "the correct solution good needs 0.5"), (0.01, 2.0, "bad is off by only 2 times")],
)
def test_a_tolerance_too_near_to_either_side_is_a_complaint(
    right: float, wrong_excess: float, complaint: str
) -> None:
    """The audit fails when the gap closes from either side."""
    (report,) = tolerance_reports(rows(right, wrong_excess), PLAN)
    assert complaint in report.complaint


def test_report_escapes_text_and_lists_every_case(tmp_path: Path) -> None:
    """The page is self-contained, the JSON has every verdict, hostile text is escaped."""
    hostile = wrong(id="x", sentence="<script>alert(1)</script>")
    row = Row(hostile, {**PASSED, "a": failed("a", mistake="slip")}, 1.0)
    report = AuditReport("Homework", PLAN, (row,), (), (), "abc")
    paths = write_report(report, tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    matrix = json.loads(paths[0].read_text(encoding="utf-8"))
    assert matrix["cases"]["x"]["verdicts"] == {
        "1.1.1": "failed",
        "1.2.1": "passed",
        "1.2.2": "passed",
    }


def test_the_picture_does_not_count_the_template_as_a_correct_solution(tmp_path: Path) -> None:
    """The numbers in its title are those beside its rows."""
    kinds = {"template": "empty", "one": "right", "two": "right", "slip": "wrong"}
    graded = tuple(Row(wrong(id=name, kind=kind), PASSED, 1.0) for name, kind in kinds.items())
    write_report(AuditReport("Homework", PLAN, graded, (), (), "abc"), tmp_path)
    picture = (tmp_path / "matrix.svg").read_text(encoding="utf-8")
    assert "1 incorrect and 2 correct solutions (rows)" in picture
    for label in ("Template (1)", "Correct (2)", "Incorrect in 1.1 (1)"):
        assert f">{label}<" in picture


def test_the_page_of_one_incorrect_solution_has_no_empty_table(tmp_path: Path) -> None:
    """`--only` may select no correct solution: then no tolerance can be judged."""
    row = Row(wrong(), {**PASSED, "a": failed("a", mistake="slip")}, 1.0)
    write_report(AuditReport("Homework", PLAN, (row,), (), (), "abc"), tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<p>1 incorrect solution (1 named" in page
    assert "0 correct solutions." in page
    assert "No check compared the answers of a correct solution" in page
    assert "<tbody>\n</tbody>" not in page


# ---- one check ----------------------------------------------------------------------------


def test_cases_are_narrowed_to_one_check() -> None:
    """Those that cannot change its result are left out; the others are graded by it alone."""
    cases = [
        wrong(id="its part", run=frozenset({"1.1", "1.2"})),
        wrong(id="everything"),
        wrong(id="another part", run=frozenset({"1.2"})),
        wrong(id="not this check", run=frozenset({"1.1"}), skip=frozenset({"1.1.1"})),
    ]
    kept = narrowed(cases, PLAN, PLAN[0])
    assert [case.id for case in kept] == ["its part", "everything"]
    for case in kept:
        assert [check.number for check in PLAN if case.touches(check)] == ["1.1.1"]


def test_one_check_need_not_catch_an_incorrect_solution() -> None:
    """Nor name it; but a correct one must keep the check's points."""
    (case, good) = narrowed([wrong(), wrong(id="good", kind="right")], PLAN, PLAN[0])
    assert complaints_about(case) == []
    assert complaints_about(good, a=failed("a")) == ["a correct solution loses points in 1.1.1"]


def tried(monkeypatch: pytest.MonkeyPatch, *outcomes: tuple[str, Entry]) -> int:
    """Run `audit --check 1.1.1` on made-up solutions, of this kind and with this entry each."""
    cases = [wrong(id=f"{kind}-{i}", kind=kind) for i, (kind, _) in enumerate(outcomes)]

    def graded(*_: object) -> list[Row]:
        rows = [Row(c, {"a": e}, 0.0) for c, (_, e) in zip(cases, outcomes, strict=True)]
        narrow = narrowed(cases, PLAN, PLAN[0])
        return [
            Row(c, r.entries, 0.0, tuple(complaints(Row(c, r.entries, 0.0), PLAN)))
            for c, r in zip(narrow, rows, strict=True)
        ]

    monkeypatch.setattr(command, "all_cases", lambda *_: cases)
    monkeypatch.setattr(command, "plan_checks", lambda _: PLAN)
    monkeypatch.setattr(command, "audit", graded)
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    options = parser.parse_args(["--check", "1.1.1"])
    status: int = options.run(options)
    return status


def test_one_check_is_tried_on_correct_and_incorrect_solutions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command prints who passes, who fails, and the errors on both sides of the tolerance."""
    good = Entry("a", Verdict.PASSED, 1.0, "", excess=0.01)
    bad = Entry("a", Verdict.FAILED, 0.0, "It is off.", "slip", excess=50.0)
    assert tried(monkeypatch, ("right", good), ("wrong", bad), ("wrong", PASSED["a"])) == DONE
    printed = capsys.readouterr().out
    assert "wrong-1: ok (0.0 s), loses points in 1.1.1, named slip\n" in printed
    assert "1.1.1 A holds.\npassed by 1 of 1 correct solution\n" in printed
    assert "failed by 1 of 2 incorrect solutions: wrong-1\n" in printed
    assert "correct solution: 0.01 times the tolerance (right-0)" in printed
    assert "fails it: 50 times the tolerance (wrong-1)" in printed


@pytest.mark.parametrize(
    ("outcomes", "complaint"),
    [
        ([("right", failed("a"))], "a correct solution loses points in 1.1.1"),
        ([("wrong", PASSED["a"])], "no incorrect solution fails it"),
        (
            [("right", Entry("a", Verdict.PASSED, 1.0, "", excess=0.9))],
            "needs 0.9 of the tolerance",
        ),
    ],
)
def test_a_check_that_does_not_separate_correct_from_incorrect_fails(
    outcomes: list[tuple[str, Entry]],
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The exit status shows it too."""
    assert tried(monkeypatch, *outcomes) == FOUND_SOMETHING
    assert complaint in capsys.readouterr().out


def test_rows_are_in_the_order_of_the_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """The matrix does not depend on which job was faster."""
    one, two = Row(wrong(id="one"), PASSED, 0.0), Row(wrong(id="two"), PASSED, 0.0)
    monkeypatch.setattr(command, "audit", lambda *_: iter([two, one]))
    assert command._graded(THIS, [one.case, two.case], PLAN, 2) == (one, two)


@pytest.mark.e2e
@pytest.mark.slow
def test_audit_command_grades_a_part_of_the_catalogue(tmp_path: Path) -> None:
    """`python -m autograder audit --only` exits 0, and 2 when nothing matches."""
    words = [sys.executable, "-m", "autograder", "audit", "--jobs", "1", "--out", str(tmp_path)]
    done = subprocess.run([*words, "--only", "template"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "matrix.svg").exists()
    for options, sentence in (
        (["--only", "no-*"], "no case of the catalogue matches"),
        (["--check", "1.1.99"], "there is no check 1.1.99; `checks` lists all"),
        (["--check", "1.1.1", "--only", "gp-*"], "no selected solution can change 1.1.1"),
    ):
        none = subprocess.run([*words, *options], cwd=ROOT, capture_output=True, text=True)
        assert none.returncode == 2
        assert sentence in none.stderr


@pytest.mark.e2e
@pytest.mark.slow
def test_audit_command_tries_one_check() -> None:
    """A correct solution passes it, an incorrect one that it is made for does not."""
    words = [sys.executable, "-m", "autograder", "audit", "--jobs", "1", "--check", "1.1.4"]
    done = subprocess.run(
        [*words, "--only", "*forward-log-det-f*"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed by 1 of 1 correct solution\n" in done.stdout
    assert "incorrect solution: forward-log-det-first-pass\n" in done.stdout
    assert "(right-forward-log-det-from-extra-pass)" in done.stdout


# ---- grading ------------------------------------------------------------------------------


def test_a_worker_that_dies_costs_its_case_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every check of the case is a grader error, which is a complaint."""
    settings = Settings("autograder/homework", "seed = 1")

    def dies(_: object) -> None:
        raise WorkerDied("The grading process died (status 9)")

    monkeypatch.setattr(grading, "grade_payload", dies)
    crew = Crew(ThreadPoolExecutor(1), lambda: 1)
    case = wrong(files={"codebase/gan.py": "x = 1"}, seed=2)
    row = grading._grade_case(case, PLAN, settings, 1.0, crew)
    assert {entry.verdict for entry in row.entries.values()} == {Verdict.GRADER_ERROR}
    assert "1.1.1 ended as grader error: The grading process died (status 9)" in row.complaints


# ---- seeds --------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["seed = 236", "seed=236", "  seed   = 236   # of this term"])
def test_a_case_can_have_a_seed_of_its_own(line: str) -> None:
    """However the settings write the line; nothing else in them changes."""
    text = f"[grading]\n{line}\nseeds_at = 236\n"
    expected = f"[grading]\n{line.replace('236', '7')}\nseeds_at = 236\n"
    assert _with_seed(text, 7) == expected


def test_another_seed_needs_a_line_to_replace() -> None:
    """Grading under the old seed would look like a measurement under the new one."""
    with pytest.raises(ValueError, match="expected one line `seed = NUMBER` in the settings"):
        _with_seed("[grading]\n", 7)
