"""Whole gradings through run_autograder, as a user and as the platform start it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import psutil
import pytest

from autograder.engine.grading.plan import plan_checks
from tests.processes import PATIENCE_S, wait_until
from tests.this_homework import THIS

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "tests" / "results.schema.json").read_text(encoding="utf-8"))
FLOW, GAN = "codebase/flow_network.py", "codebase/gan.py"

pytestmark = pytest.mark.e2e


def run(
    *arguments: str | Path, cwd: Path | None = None, timeout_s: float = 600
) -> subprocess.CompletedProcess[str]:
    """Run run_autograder and return what it printed."""
    return subprocess.run(
        [ROOT / "run_autograder", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def grade(submission: Path, tmp_path: Path, *arguments: str | Path) -> dict[str, Any]:
    """Grade a submission; its results have been checked against the schema and the plan."""
    path = tmp_path / "results.json"
    done = run(submission, "--results", path, *arguments)
    assert done.returncode == 0, done.stderr + done.stdout
    return checked(path)


def checked(path: Path) -> dict[str, Any]:
    """Read results.json; it is valid, lists every check and sums to 65."""
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(results, SCHEMA)
    plan = plan_checks(THIS)
    assert [test["number"] for test in results["tests"]] == [check.number for check in plan]
    assert sum(test.get("max_score", 0) for test in results["tests"]) == 65
    return results


def score(results: dict[str, Any], part: str = "") -> float:
    """The points of a part, or of all."""
    return float(
        sum(test.get("score", 0) for test in results["tests"] if test["number"].startswith(part))
    )


def verdicts(results: dict[str, Any]) -> dict[str, str]:
    """Verdict by number."""
    return {test["number"]: test["extra_data"]["verdict"] for test in results["tests"]}


def copied(tmp_path: Path, *, name: str = "submission") -> Path:
    """A copy of the reference's two files that a test may spoil."""
    folder = tmp_path / name
    (folder / "codebase").mkdir(parents=True)
    for path in (FLOW, GAN):
        shutil.copy(ROOT / "reference" / path, folder / path)
    return folder


def edit(path: Path, old: str, new: str) -> None:
    """Replace a piece of text that must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def short_limits(folder: Path) -> Path:
    """Settings with half the call timeout, so that what hangs ends soon."""
    config = folder / "quick.toml"
    text = (ROOT / "autograder" / "homework" / "assignment.toml").read_text(encoding="utf-8")
    assert "call_timeout_s = 6" in text
    config.write_text(text.replace("call_timeout_s = 6", "call_timeout_s = 3"), encoding="utf-8")
    return config


@pytest.mark.sample
def test_reference_gets_full_marks_in_every_part(tmp_path: Path) -> None:
    """The reference gets 65 of 65 points, and nothing is advised."""
    results = grade(ROOT / "reference", tmp_path)
    assert score(results) == 65
    assert set(verdicts(results).values()) == {"passed"}
    assert results["extra_data"]["versions"]["torch"]


@pytest.mark.sample
def test_template_gets_nothing_and_every_check_is_not_attempted(tmp_path: Path) -> None:
    """The untouched template gets 0 points; no check, advice included, says anything else."""
    results = grade(ROOT / "student_template", tmp_path)
    assert score(results) == 0
    assert set(verdicts(results).values()) == {"not attempted"}
    assert results["output"].startswith("Nothing is implemented yet. Start with 1.1 MADE.forward.")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("torch.exp(-alpha)", "torch.exp(alpha)"),
        ("log_det = -alpha.sum(dim=1)", "log_det = -alpha.detach().sum(dim=1)"),
        ("z = (x - mu)", "while len(x) > 99: pass\n        z = (x - mu)"),
        ("z = (x - mu)", "raise NotImplementedError\n        z = (x - mu)"),
    ],
    ids=["z", "gradient", "hangs in training", "not attempted"],
)
def test_wrong_inverse_costs_points_in_1_2_only(tmp_path: Path, right: str, wrong: str) -> None:
    """Follow-through: log_probs, the trained flow and forward keep their points."""
    submission = copied(tmp_path)
    edit(submission / FLOW, right, wrong)
    results = grade(submission, tmp_path)
    assert score(results, "1.1") == 5
    assert score(results, "1.2") < 5
    assert score(results, "1.3") == 10


def test_wrong_log_probs_and_a_wrong_inverse_cost_the_training_run(tmp_path: Path) -> None:
    """Known maps in place of the blocks show the mistake in log_probs, and the feedback says so."""
    submission = copied(tmp_path)
    edit(submission / FLOW, "torch.exp(-alpha)", "torch.exp(alpha)")
    edit(submission / FLOW, ".sum(dim=1) + log_det).mean()", ".sum(dim=1) + 0 * log_det).mean()")
    results = grade(submission, tmp_path)
    assert score(results, "1.3") == 0
    assert verdicts(results)["1.3.4"] == "failed"
    output = next(t for t in results["tests"] if t["number"] == "1.3.4")["output"]
    assert "the mistake is in log_probs()" in output


def test_a_file_that_is_missing_leaves_the_other_its_points(tmp_path: Path) -> None:
    """Only gan.py handed in: problem 1 is not attempted, the rest is graded."""
    submission = copied(tmp_path)
    (submission / FLOW).unlink()
    results = grade(submission, tmp_path)
    assert score(results, "1.") == 0
    assert score(results) == 45
    assert "flow_network.py is not in the submission" in results["tests"][0]["output"]


def test_a_syntax_error_names_file_and_line_and_costs_that_file_only(tmp_path: Path) -> None:
    """A file that Python cannot read costs its own parts and says where."""
    submission = copied(tmp_path)
    edit(submission / GAN, "return g_loss", "return g_loss)")
    results = grade(submission, tmp_path)
    assert score(results, "1.") == 20
    assert score(results) == 20
    output = next(t for t in results["tests"] if t["number"] == "2.2.1")["output"]
    assert "Python cannot read codebase/gan.py, line" in output


def test_code_that_hangs_exits_or_crashes_costs_its_own_checks(tmp_path: Path) -> None:
    """An endless loop, exit(0) and a segfault are never a pass and harm nothing else."""
    submission = copied(tmp_path)
    edit(
        submission / FLOW,
        "        # BEGIN SOLUTION 1.1 MADE.forward\n",
        "        # BEGIN SOLUTION 1.1 MADE.forward\n        while True: pass\n",
    )
    edit(
        submission / GAN,
        "    # BEGIN SOLUTION 2.2 loss_nonsaturating_d\n",
        "    # BEGIN SOLUTION 2.2 loss_nonsaturating_d\n    import os; os._exit(0)\n",
    )
    edit(
        submission / GAN,
        "    # BEGIN SOLUTION 5.5 loss_wasserstein_gp_g\n",
        "    # BEGIN SOLUTION 5.5 loss_wasserstein_gp_g\n    import ctypes; ctypes.string_at(0)\n",
    )
    results = grade(submission, tmp_path, "--config", short_limits(tmp_path))
    assert score(results, "1.1") == 0
    assert score(results, "1.2") == 5
    assert score(results, "1.3") == 10
    assert score(results, "4.2") == 15
    by_number = {test["number"]: test for test in results["tests"]}
    assert by_number["2.2.1"]["score"] == by_number["5.5.3"]["score"] == 0
    for number in ("2.2.3", "5.5.1"):
        assert by_number[number]["score"] == by_number[number]["max_score"] > 0
    assert "did not return within 3 s" in by_number["1.1.1"]["output"]
    assert "exited with status 0" in by_number["2.2.1"]["output"]
    assert "ended by signal 11" in by_number["5.5.3"]["output"]


def test_a_loss_that_hangs_costs_the_other_losses_nothing(tmp_path: Path) -> None:
    """What hangs is remembered by function: the other five losses are still called."""
    submission = copied(tmp_path)
    edit(
        submission / GAN,
        "    # BEGIN SOLUTION 2.2 loss_nonsaturating_d\n",
        "    # BEGIN SOLUTION 2.2 loss_nonsaturating_d\n    while True: pass\n",
    )
    results = grade(submission, tmp_path, "--config", short_limits(tmp_path))
    by_number = {test["number"]: test for test in results["tests"]}
    assert score(results) - score(results, "2.2") == 50
    for number in ("2.2.3", "2.2.4"):
        assert by_number[number]["score"] == by_number[number]["max_score"] > 0
    assert by_number["2.2.1"]["score"] == by_number["2.2.6"]["score"] == 0
    assert by_number["2.2.6"]["output"] == "Same cause as 2.2.1."  # its run is given up, too


def test_the_same_submission_gets_the_same_result_twice(tmp_path: Path) -> None:
    """Two gradings of a wrong solution differ in times only, feedback included."""
    submission = copied(tmp_path)
    edit(submission / FLOW, "torch.exp(-alpha)", "torch.exp(alpha)")
    edit(submission / GAN, "F.softplus(-d(g(z))).mean()", "F.softplus(-d(g(z))).sum()")
    first, second = grade(submission, tmp_path), grade(submission, tmp_path)
    for results in (first, second):
        del results["execution_time"]
    assert first == second


def platform(tmp_path: Path) -> Path:
    """The folders of /autograder, with the project unpacked in source/ and its environment."""
    root = tmp_path / "autograder"
    source = root / "source"
    source.mkdir(parents=True)
    for name in ("autograder", "student_template"):
        shutil.copytree(
            ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
        )
    for name in ("run_autograder", "setup.sh", "constraints.txt", "requirements.lock"):
        shutil.copy(ROOT / name, source / name)
    shutil.copy(source / "run_autograder", root / "run_autograder")
    (root / "submission").mkdir()
    (root / "results").mkdir()
    return root


def on_platform(root: Path) -> subprocess.CompletedProcess[str]:
    """Start the copied run_autograder as the platform does: without arguments."""
    return subprocess.run(
        [root / "run_autograder"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_gradescope_layout_grades_the_unpacked_zip(tmp_path: Path) -> None:
    """As on the platform: source/, submission/, a copy of the script; no reference in sight."""
    root = platform(tmp_path)
    (root / "source" / ".venv").symlink_to(ROOT / ".venv")
    archive = tmp_path / "student.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in (FLOW, GAN):
            packed.write(ROOT / "reference" / path, f"hw3/{path}")
        packed.writestr("__MACOSX/hw3/codebase/._gan.py", b"\x00litter")
    shutil.unpack_archive(archive, root / "submission")
    done = on_platform(root)
    assert done.returncode == 0, done.stderr + done.stdout
    assert score(checked(root / "results" / "results.json")) == 65


def test_a_failed_setup_still_leaves_a_results_file(tmp_path: Path) -> None:
    """Without an environment, results.json says that it is not the student's fault."""
    root = platform(tmp_path)
    done = on_platform(root)
    results = json.loads((root / "results" / "results.json").read_text(encoding="utf-8"))
    assert done.returncode == 0
    assert results["score"] == 0
    assert "not your fault" in results["output"]


def has_finished_a_check(judge: list[str]) -> bool:
    """Whether the ledger next to a judge's job has a line, from this judge or an earlier one."""
    job = next(Path(word) for word in judge if word.endswith("job.json"))
    ledger = job.with_name("ledger.jsonl")
    return ledger.exists() and ledger.stat().st_size > 0


def test_results_exist_while_the_grading_runs_and_after_the_judge_was_killed(
    tmp_path: Path,
) -> None:
    """kill -9 of every judge: finished checks keep their points, the rest is a grader error."""
    path = tmp_path / "results.json"
    process = subprocess.Popen(
        [ROOT / "run_autograder", ROOT / "reference", "--results", path],
        stdout=subprocess.DEVNULL,
    )
    killed: set[int] = set()
    seen_at_first = None
    while process.poll() is None:
        if seen_at_first is None and path.exists():
            seen_at_first = checked(path)
        for child in psutil.Process(process.pid).children():
            with contextlib.suppress(psutil.Error):
                command = child.cmdline()
                if "autograder.engine.judge" in command and has_finished_a_check(command):
                    child.kill()
                    killed.add(child.pid)
        time.sleep(0.05)
    assert process.returncode == 0
    assert len(killed) == 3  # the second and the third attempt were killed too
    assert seen_at_first is not None
    assert set(verdicts(seen_at_first).values()) == {"not run"}
    results = checked(path)
    assert 0 < score(results) < 65
    assert "grader error" in verdicts(results).values()
    assert "The autograder stopped before all checks had run" in results["output"]


def test_sigterm_ends_the_grading_with_what_is_known(tmp_path: Path) -> None:
    """The platform's SIGTERM leaves valid results and no process behind."""
    path = tmp_path / "results.json"
    process = subprocess.Popen(
        [ROOT / "run_autograder", ROOT / "reference", "--results", path],
        stdout=subprocess.DEVNULL,
    )
    grading = psutil.Process(process.pid)
    wait_until(lambda: path.exists() and bool(grading.children()), "the first of its processes")
    family = grading.children(recursive=True)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
    assert "interrupted" in checked(path)["output"]
    _, alive = psutil.wait_procs(family, timeout=PATIENCE_S)
    assert family
    assert not alive


def test_the_deadline_ends_the_grading_with_what_is_known(tmp_path: Path) -> None:
    """A grading that would take too long ends before its deadline; the rest is not run."""
    config = tmp_path / "short.toml"
    text = (ROOT / "autograder" / "homework" / "assignment.toml").read_text(encoding="utf-8")
    config.write_text(re.sub(r"deadline_s = \d+", "deadline_s = 8", text), encoding="utf-8")
    results = grade(ROOT / "reference", tmp_path, "--config", config)
    assert "Grading reached its time limit (8 s)" in results["output"]
    assert verdicts(results)["1.3.4"] == "not run"


def test_wrong_arguments_give_one_line_and_status_2(tmp_path: Path) -> None:
    """A submission that is not there, or an unknown option, is refused in one line."""
    for arguments in (["nowhere"], ["--fast"], [ROOT / "reference", "--config", "nowhere.toml"]):
        done = run(*arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1
        assert done.stderr.startswith("run_autograder: ")


def test_a_zip_with_nothing_to_grade_gets_zero_and_says_what_was_expected(tmp_path: Path) -> None:
    """A zip without the two files is graded 0, and the output lists what it held."""
    archive = tmp_path / "homework.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("writeup.pdf", b"%PDF")
    results = grade(archive, tmp_path)
    assert score(results) == 0
    assert "codebase/gan.py" in results["output"]
    assert "writeup.pdf" in results["output"]
    # The reason is given once.
    assert {test["output"] for test in results["tests"]} == {
        "Not run: the submission cannot be graded; see the top of the output."
    }
