"""The zip for Gradescope: what is in it, the same bytes always, and a gate that stops."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autograder import cli
from autograder.engine.catalogue.audit import Case, Row
from autograder.engine.grading.ledger import Entry, Verdict
from autograder.engine.grading.plan import plan_checks
from autograder.engine.homework import Assignment, CheckSettings, load_assignment
from autograder.engine.release import preflight as preflight
from autograder.engine.release.bundle import (
    TORCH_INDEX_FILE,
    Packed,
    collect,
    unpack,
    write_archive,
)
from autograder.engine.release.preflight import Preflight, Result, sample
from autograder.engine.sandbox.isolated import ROOT

TEMPLATE = ROOT / "student_template"
EXAMPLE = ROOT / "docs" / "examples" / "term.toml"


@pytest.fixture(scope="module")
def assignment() -> Assignment:
    """The real settings."""
    return load_assignment("autograder.homework")


@pytest.fixture(scope="module")
def files(assignment: Assignment) -> dict[str, Packed]:
    """The real bundle."""
    return collect(assignment, TEMPLATE)


# ---- what is in it ------------------------------------------------------------------------


def test_what_the_platform_calls_lies_at_the_root_and_can_be_executed(
    files: dict[str, Packed], tmp_path: Path
) -> None:
    """setup.sh and run_autograder have a shebang and their modes, in the zip's own words."""
    write_archive(files, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
        for name in ("setup.sh", "run_autograder"):
            assert modes.pop(name) == stat.S_IFREG | 0o755
            assert archive.read(name).startswith(b"#!/usr/bin/env bash\n")
    assert set(modes.values()) == {stat.S_IFREG | 0o644}


def test_neither_solution_nor_tool_travels(files: dict[str, Packed]) -> None:
    """No reference, no right solution of the catalogue, no tests, docs or caches."""
    tops = {name.partition("/")[0] for name in files}
    assert tops == {
        *("setup.sh", "run_autograder", "pyproject.toml", "constraints.txt"),
        *("README.md", "LICENSE", "autograder", "student_template"),
    }
    for name, packed in files.items():
        assert "right" not in Path(name).stem, name
        marked = re.search(rb"^\s*# BEGIN SOLUTION \d", packed.data, re.MULTILINE)
        assert not marked or name == "autograder/engine/release/template.py", name
        assert not name.endswith(".pyc"), name
    solutions = {path.read_bytes() for path in (ROOT / "reference").rglob("*.py")}
    template = {path.read_bytes() for path in TEMPLATE.rglob("*.py")}
    assert not {packed.data for packed in files.values()} & (solutions - template)


def test_settings_given_as_another_file_travel_as_the_homeworks_own(tmp_path: Path) -> None:
    """What --config names is what the platform will read."""
    files = collect(load_assignment("autograder.homework", EXAMPLE), TEMPLATE)
    assert files["autograder/homework/assignment.toml"].data == EXAMPLE.read_bytes()
    unpack(files, tmp_path)
    here = hashed(ROOT, EXAMPLE)
    there = hashed(tmp_path, tmp_path / "autograder" / "homework" / "assignment.toml")
    assert here == there


def hashed(root: Path, config: Path) -> str:
    """The hash of the checks, as that copy of the project computes it."""
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from autograder.engine.homework import load_assignment\n"
        "from autograder.engine.grading.plan import hash_of_checks\n"
        "print(hash_of_checks(load_assignment('autograder.homework', Path(sys.argv[2]))))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, root, config],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_an_index_for_torch_travels_only_when_it_is_given(assignment: Assignment) -> None:
    """setup.sh finds it beside itself."""
    assert TORCH_INDEX_FILE not in collect(assignment, TEMPLATE)
    given = collect(assignment, TEMPLATE, "https://example.org/cpu")
    assert given[TORCH_INDEX_FILE].data == b"https://example.org/cpu\n"
    assert TORCH_INDEX_FILE in (ROOT / "setup.sh").read_text(encoding="utf-8")


# ---- the same bytes -----------------------------------------------------------------------

_BUILD = """
import os, sys
from pathlib import Path
root = Path(sys.argv[1])
sys.path.insert(0, str(root))
os.umask(int(sys.argv[3], 8))
from autograder.engine.homework import load_assignment
from autograder.engine.release.bundle import collect, write_archive
assignment = load_assignment("autograder.homework")
write_archive(collect(assignment, root / "student_template"), Path(sys.argv[2]))
"""


def built(project: Path, out: Path, *, umask: str, zone: str) -> bytes:
    """Build the bundle of a copy of the project in a process of its own."""
    subprocess.run(
        [sys.executable, "-I", "-c", _BUILD, project, out, umask],
        env={**os.environ, "TZ": zone, "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        timeout=60,
    )
    return out.read_bytes()


def test_the_same_input_gives_the_same_bytes(files: dict[str, Packed], tmp_path: Path) -> None:
    """Umask, modes, times, time zone, place and the order of writing leave no trace."""
    first, second = tmp_path / "first", tmp_path / "second-in-another-place"
    builder = "autograder/engine/release/bundle.py"
    project = {**files, builder: Packed((ROOT / builder).read_bytes())}
    unpack(project, first)
    unpack(dict(reversed(project.items())), second)
    for number, path in enumerate(sorted(second.rglob("*"))):
        os.utime(path, (10**9 + number, 10**9 + number))
        if path.is_file():
            path.chmod(0o600 if number % 2 else 0o777)
    one = built(first, tmp_path / "one.zip", umask="022", zone="UTC")
    other = built(second, tmp_path / "other.zip", umask="077", zone="Asia/Kathmandu")
    assert hashlib.sha256(one).hexdigest() == hashlib.sha256(other).hexdigest()
    (second / "setup.sh").write_text("# changed\n")
    assert built(second, tmp_path / "changed.zip", umask="022", zone="UTC") != one


def test_a_written_zip_tells_its_size_and_hash(tmp_path: Path) -> None:
    """What is printed is what can be compared with the file."""
    archive = write_archive({"b": Packed(b"x" * 10), "a": Packed(b"", True)}, tmp_path / "d" / "z")
    data = (tmp_path / "d" / "z").read_bytes()
    assert (archive.size, archive.files) == (len(data), 2)
    assert archive.sha256 == hashlib.sha256(data).hexdigest()
    assert zipfile.ZipFile(archive.path).namelist() == ["a", "b"]
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["z"]


# ---- the gate -----------------------------------------------------------------------------


def test_the_sample_is_spread_over_the_parts_and_follows_the_seed() -> None:
    """Each part has its share; the same seed gives the same cases, another one others."""
    cases = [
        Case(f"{kind}-{part}-{n}", kind, "", {}, parts=frozenset({part}), edits=frozenset({part}))
        for kind in ("wrong", "right")
        for part in ("1.1", "1.2", "2.2")
        for n in range(20)
    ]
    chosen = sample(cases, ["1.1", "1.2", "2.2"], seed=1, each=2)
    kinds = [(case.kind, *case.edits) for case in chosen]
    for part in ("1.1", "1.2", "2.2"):
        assert kinds.count(("wrong", part)) == 2
        assert kinds.count(("right", part)) == 1
    assert sample(reversed(cases), ["1.1", "1.2", "2.2"], seed=1, each=2) == chosen
    assert sample(cases, ["1.1", "1.2", "2.2"], seed=2, each=2) != chosen


def told(assignment: Assignment, *, full: bool, **spoil: Any) -> dict[str, Any]:
    """The results that the reference (or the template) must give, changed by check number."""
    tests = []
    for check in plan_checks(assignment):
        test: dict[str, Any] = {
            "name": f"{check.number} {check.title}",
            "output": "said",
            "extra_data": {"verdict": "passed" if full else "not attempted"},
        }
        if check.points is not None:
            test |= {"max_score": check.points, "score": check.points if full else 0}
        tests.append({**test, **spoil.get(check.number, {})})
    return {"output": "", "tests": tests}


def gate(assignment: Assignment, results: dict[str, Any], **changes: Any) -> Preflight:
    """A gate whose bundle answers with these results whatever is submitted."""
    lines = ("#!/bin/sh", "mkdir results", "cat > results/results.json <<'END'")
    script = "\n".join((*lines, json.dumps(results), "END", ""))
    made = Preflight(
        assignment=assignment,
        files={"run_autograder": Packed(script.encode(), executable=True)},
        reference=ROOT / "reference",
        pristine=TEMPLATE,
        cases=[],
        leaks=lambda: [],
        jobs=1,
    )
    return replace(made, **changes)


@pytest.fixture
def no_audit(monkeypatch: pytest.MonkeyPatch) -> list[Row]:
    """Rows that stand in for the grading of the catalogue's cases."""
    rows: list[Row] = []

    def audit(_package: str, _cases: Sequence[Case], *_rest: object) -> Iterator[Row]:
        yield from rows

    monkeypatch.setattr(preflight, "audit", audit)
    return rows


def by_question(found: Iterator[Result]) -> list[tuple[str, ...]]:
    """What is wrong: points, reference, template, catalogue, leaks."""
    return [result.problems for result in found]


@pytest.mark.usefixtures("no_audit")
def test_the_gate_lets_pass_what_is_as_it_must_be(assignment: Assignment) -> None:
    """Full marks for the reference pass the second question, and stop at the third."""
    passing = gate(assignment, told(assignment, full=True), leaks=lambda: [])
    points, reference, template, catalogue, leaks = by_question(passing.results())
    assert (points, reference, catalogue, leaks) == ((), (), (), ())
    assert "it gets 65 points" in template
    empty = gate(assignment, told(assignment, full=False))
    _, reference, template, _, _ = by_question(empty.results())
    assert template == ()
    assert "it gets 0 points" in reference


@pytest.mark.usefixtures("no_audit")
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"1.1.1": {"score": 0.1}}, "1.1.1 forward() computes"),
        ({"1.1.1": {"score": 0, "max_score": 0}}, "its results are not out of 65 points"),
        ({"1.3.5": {"extra_data": {"verdict": "grader error"}}}, "1.3.5 Advice"),
    ],
)
def test_the_gate_names_what_the_reference_loses(
    assignment: Assignment, spoil: dict[str, Any], said: str
) -> None:
    """A lost point, points that do not add up, and a grader's error all stop the bundle."""
    found = by_question(gate(assignment, told(assignment, full=True, **spoil)).results())
    assert any(sentence.startswith(said) for sentence in found[1]), found[1]


@pytest.mark.usefixtures("no_audit")
def test_a_bundle_that_leaves_no_results_is_stopped(assignment: Assignment) -> None:
    """What the bundle printed is quoted, such as the module that is missing from it."""
    broken = {"run_autograder": Packed(b"#!/bin/sh\necho no module x\nexit 1\n", executable=True)}
    found = by_question(gate(assignment, {}, files=broken).results())
    for wrong in found[1:3]:
        assert wrong[0].startswith("no results: ")
        assert "no module x" in wrong[0]


@pytest.mark.usefixtures("no_audit")
def test_an_assignment_without_points_and_a_leak_stop_it(assignment: Assignment) -> None:
    """The sum must be above 0, and what the linter finds is passed on."""
    parts = tuple(replace(part, points=0.0) for part in assignment.parts)
    worthless = replace(assignment, parts=parts)
    leaking = gate(worthless, {}, leaks=lambda: ["a.py tells z"])
    found = by_question(leaking.results())
    assert found[0] == ("the checks carry 0 points, the parts 0",)
    assert found[-1] == ("a.py tells z",)


def test_a_case_that_is_not_caught_stops_it_unless_its_check_was_given_no_weight(
    assignment: Assignment, no_audit: list[Row]
) -> None:
    """The complaint names the case; settings that took the points from its check excuse it."""
    case = Case("swapped", "wrong", "Swaps them.", {}, parts=frozenset({"1.1"}))
    check = next(c for c in plan_checks(assignment) if c.number == "1.1.1")
    entries = {check.check_id: Entry(check.check_id, Verdict.FAILED, 0.0, "no")}
    no_audit.append(Row(case, entries, 0.1, ("keeps full marks in 1.1",)))
    stopped = gate(assignment, told(assignment, full=True))
    assert by_question(stopped.results())[3] == ("swapped (Swaps them.) keeps full marks in 1.1",)
    weightless = replace(assignment, checks={"1.1.1": CheckSettings(weight=0.0)})
    excused = gate(weightless, told(weightless, full=True))
    assert by_question(excused.results())[3] == ()


# ---- the command --------------------------------------------------------------------------


def test_a_gate_that_stops_leaves_the_earlier_zip_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 1, the reason, and nothing is written."""

    def results(_gate: Preflight) -> Iterator[Result]:
        yield Result("all is well", ("it is not:\nsee here",), 1.0)

    monkeypatch.setattr(Preflight, "results", results)
    out = tmp_path / "autograder.zip"
    out.write_text("earlier")
    assert cli.main(["bundle", "--out", str(out)]) == 1
    printed = capsys.readouterr().out
    assert "STOP all is well (1 s)\n         it is not:\n         see here\n" in printed
    assert "was not written. One that is there comes from an earlier run." in printed
    assert out.read_text() == "earlier"


def test_a_gate_that_opens_leads_to_zip_and_next_clicks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Size, hashes, points, time limit and leaderboard are those of the settings."""

    def results(_gate: Preflight) -> Iterator[Result]:
        yield Result("all is well", (), 1.0)

    monkeypatch.setattr(Preflight, "results", results)
    out = tmp_path / "autograder.zip"
    assert cli.main(["bundle", "--out", str(out), "--config", str(EXAMPLE)]) == 0
    printed = capsys.readouterr().out
    assert hashlib.sha256(out.read_bytes()).hexdigest() in printed
    assert '"Autograder points": 100;' in printed
    assert '"Autograder timeout": 15 minutes' in printed
    assert "enable the leaderboard" in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--config", "nowhere.toml"], "there is no settings file at nowhere.toml"),
        (["--out", "."], "--out must name a file, . is a folder"),
        (["--torch-index", "cpu"], "--torch-index 'cpu' is no address"),
        (["--sample", "0"], "argument --sample: 0 must be at least 1"),
        (["--jobs", "x"], "argument --jobs: invalid"),
        (["--skip-gate"], "unrecognized arguments: --skip-gate"),
    ],
)
def test_wrong_arguments_give_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2 and one line; there is no way round the gate."""
    status = 0
    try:
        status = cli.main(["bundle", *arguments])
    except SystemExit as end:
        status = int(str(end.code))
    line = capsys.readouterr().err
    assert status == 2
    assert said in line
    assert line.count("\n") == 1


def test_a_slip_in_the_settings_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is graded."""
    config = tmp_path / "term.toml"
    shutil.copy(EXAMPLE, config)
    config.write_text(EXAMPLE.read_text(encoding="utf-8").replace("hints", "hint"))
    assert cli.main(["bundle", "--config", str(config)]) == 2
    assert "term.toml: grading.hint = False; allowed:" in capsys.readouterr().err
