"""The grading of the grader: what an audit complains about, certificates, and the page."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.engine.audit import Case, Row, _with_seed, complaints
from autograder.engine.audit_page import AuditReport, in_order, write_report
from autograder.engine.certificate import certify
from autograder.engine.ledger import Entry, PlannedCheck, Verdict

ROOT = Path(__file__).resolve().parents[1]
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
    """A wrong solution of 1.1 that is to be named "slip"."""
    settings: dict[str, object] = {
        "id": "slip",
        "kind": "wrong",
        "sentence": "Slips.",
        "files": {},
        "parts": frozenset({"1.1"}),
        "named": frozenset({"slip"}),
    }
    return Case(**{**settings, **changes})  # type: ignore[arg-type]


def said(case: Case, **entries: Entry) -> list[str]:
    """The complaints about a case all of whose checks passed but these."""
    return list(complaints(Row(case, {**PASSED, **entries}, 0.0), PLAN))


def test_wrong_solution_that_is_caught_in_its_part_and_named_is_as_it_must_be() -> None:
    """Points lost in the right part, under the right name: no complaint."""
    assert said(wrong(), a=failed("a", mistake="slip")) == []


def test_wrong_solution_named_together_with_another_counts_as_named() -> None:
    """Two misconceptions that nothing tells apart are named together, joined by a plus."""
    assert said(wrong(), a=failed("a", mistake="trip+slip")) == []


def test_wrong_solution_with_full_marks_is_complained_about() -> None:
    """A wrong solution that keeps its points shows a hole in the checks."""
    assert "keeps full marks in 1.1" in said(wrong())


def test_points_lost_in_another_part_are_complained_about() -> None:
    """A mistake may cost points in its own part only."""
    found = said(wrong(), a=failed("a", mistake="slip"), b=failed("b"))
    assert found == ["loses points in another part: 1.2.1"]


def test_a_blocked_check_is_no_loss_of_its_own() -> None:
    """The training run's "blocked by" is the other part's doing."""
    blocked = Entry("b", Verdict.BLOCKED, 0.0, "Blocked by 1.1")
    assert said(wrong(), a=failed("a", mistake="slip"), b=blocked) == []


def test_a_mistake_without_its_name_is_complained_about() -> None:
    """Another name, or none, is not enough."""
    found = said(wrong(), a=failed("a", mistake="trip"))
    assert found == ["is not named: slip expected, trip said"]


def test_a_sentence_that_is_not_said_is_complained_about() -> None:
    """Entries that a check names by its own words need those words."""
    case = wrong(named=frozenset(), says="not normal")
    assert said(case, a=failed("a", "They are not normal.")) == []
    assert said(case, a=failed("a")) == ["no feedback says 'not normal'"]


def test_right_solution_that_loses_points_or_gets_a_hint_is_complained_about() -> None:
    """A right solution keeps all points and is never told of a mistake."""
    case = wrong(kind="right", parts=frozenset(), named=frozenset())
    assert said(case) == []
    found = said(case, b=failed("b", mistake="slip"))
    assert found[0] == "a right solution loses points in 1.2.1"
    assert "a right solution is told that it made slip" in found


def test_grader_errors_are_always_complained_about() -> None:
    """A check that could not be run says nothing about the grader."""
    broken = Entry("b", Verdict.GRADER_ERROR, 0.0, "no zygote")
    assert any("1.2.1 ended as grader error" in text for text in said(wrong(), b=broken))


def test_template_must_be_not_attempted_everywhere() -> None:
    """The untouched template passes nothing, advice included."""
    case = wrong(kind="empty", parts=frozenset(), named=frozenset())
    idle = {c: Entry(c, Verdict.NOT_ATTEMPTED, 0.0, "") for c in ("a", "b", "c")}
    assert said(case, **idle) == []
    assert said(case, **{**idle, "c": PASSED["c"]}) == ["1.2.2 is passed, expected not attempted"]


def rows(right: float, wrong_excess: float) -> list[Row]:
    """A right and a wrong solution with these errors in check a."""
    good = Entry("a", Verdict.PASSED, 1.0, "", excess=right)
    bad = Entry("a", Verdict.FAILED, 0.0, "", excess=wrong_excess)
    return [
        Row(wrong(id="good", kind="right"), {"a": good}, 0.0),
        Row(wrong(id="bad"), {"a": bad}, 0.0),
    ]


def test_a_tolerance_between_right_and_wrong_is_certified() -> None:
    """Far above the right ones and far below the wrong ones: no complaint, both are named."""
    (certificate,) = certify(rows(0.01, 50.0), PLAN)
    assert certificate.complaint == ""
    assert (certificate.right_id, certificate.wrong_id) == ("good", "bad")


@pytest.mark.parametrize(
    ("right", "wrong_excess", "complaint"),
    [(0.5, 50.0, "the right solution good needs 0.5"), (0.01, 2.0, "bad is off by only 2 times")],
)
def test_a_tolerance_too_near_to_either_side_is_complained_about(
    right: float, wrong_excess: float, complaint: str
) -> None:
    """The audit fails when the gap closes from either side."""
    (certificate,) = certify(rows(right, wrong_excess), PLAN)
    assert complaint in certificate.complaint


def test_report_escapes_text_and_lists_every_case(tmp_path: Path) -> None:
    """The page is self-contained, the JSON holds every verdict, hostile text is escaped."""
    hostile = wrong(id="x", sentence="<script>alert(1)</script>")
    row = Row(hostile, {**PASSED, "a": failed("a", mistake="slip")}, 1.0)
    report = AuditReport("Homework", PLAN, (row,), (), (), "abc")
    paths = write_report(report, tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    told = json.loads(paths[0].read_text(encoding="utf-8"))
    assert told["cases"]["x"]["verdicts"] == {
        "1.1.1": "failed",
        "1.2.1": "passed",
        "1.2.2": "passed",
    }


def test_rows_are_put_in_the_order_of_the_catalogue() -> None:
    """The matrix does not depend on which job was faster."""
    one, two = Row(wrong(id="one"), {}, 0.0), Row(wrong(id="two"), {}, 0.0)
    assert in_order([two, one], ["one", "two"]) == (one, two)


@pytest.mark.e2e
@pytest.mark.slow
def test_audit_command_grades_a_part_of_the_catalogue(tmp_path: Path) -> None:
    """`python -m autograder audit --only` exits 0, and 2 when nothing matches."""
    command = [sys.executable, "-m", "autograder", "audit", "--jobs", "1", "--out", str(tmp_path)]
    done = subprocess.run(
        [*command, "--only", "template"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "matrix.svg").exists()
    none = subprocess.run([*command, "--only", "no-*"], cwd=ROOT, capture_output=True, text=True)
    assert none.returncode == 2
    assert "no case of the catalogue matches" in none.stderr


# ---- seeds --------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["seed = 236", "seed=236", "  seed   = 236   # of this term"])
def test_a_case_can_have_a_seed_of_its_own(tmp_path: Path, line: str) -> None:
    """However the settings write it, and nothing else in them changes."""
    config = tmp_path / "given" / "assignment.toml"
    config.parent.mkdir()
    config.write_text(f"[grading]\n{line}\nseeds_at = 236\n", encoding="utf-8")
    copy = _with_seed(config, 7, tmp_path)
    expected = f"[grading]\n{line.replace('236', '7')}\nseeds_at = 236\n"
    assert copy.read_text(encoding="utf-8") == expected


def test_settings_without_a_seed_are_no_other_seed(tmp_path: Path) -> None:
    """Grading under the old seed would look like a measurement under the new one."""
    config = tmp_path / "given.toml"
    config.write_text("[grading]\n", encoding="utf-8")
    with pytest.raises(ValueError, match="expected one line `seed = NUMBER`, found 0"):
        _with_seed(config, 7, tmp_path)
