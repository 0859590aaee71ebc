"""examples/vae: the second homework, from its template to a graded class."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VAE = ROOT / "examples" / "vae"
FILES = ("model/gaussians.py", "model/vae.py")
TIMEOUT_S = 600


def run(
    *arguments: str | Path, cwd: Path = ROOT, timeout_s: float = TIMEOUT_S
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    return subprocess.run(
        [str(argument) for argument in arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def autograder(command: str, *arguments: str | Path, timeout_s: float = TIMEOUT_S) -> str:
    """Run a command on the homework; return what it prints. It must succeed."""
    done = run(
        *(sys.executable, "-m", "autograder", command, "--homework", "examples/vae"),
        *arguments,
        timeout_s=timeout_s,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_template_and_golden_values_are_up_to_date() -> None:
    """Both are made from the reference and the oracles."""
    autograder("template", "--check")
    assert "checks/public/golden.json is up to date" in autograder("golden", "--check")


def test_its_parts_have_their_points() -> None:
    """20 points in three parts, and in each a public check."""
    checks = json.loads(autograder("checks", "--json"))
    points: dict[str, float] = {}
    for check in checks:
        points[check["part"]] = points.get(check["part"], 0) + check["points"]
    assert points == pytest.approx({"1.1": 5, "1.2": 5, "1.3": 10})
    assert {c["part"] for c in checks if c["kind"] == "public"} == set(points)


@pytest.mark.slow
def test_the_public_checks_pass_in_the_handout(tmp_path: Path) -> None:
    """The zip leaks nothing; its pytest skips the template and passes the reference."""
    autograder("handout", "--out", tmp_path)
    with zipfile.ZipFile(tmp_path / "handout.zip") as archive:
        archive.extractall(tmp_path / "homework")
        inside = {
            name.removeprefix("grader/vae/").partition("/")[0].removesuffix(".py")
            for name in archive.namelist()
            if name.startswith("grader/vae/")
        }
    assert not inside & {"oracles", "mistakes", "catalogue", "cases", "noise", "reference"}
    assert not (tmp_path / "homework" / "grader" / "autograder" / "homework").exists()
    pytest_ = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    empty = run(*pytest_, cwd=tmp_path / "homework")
    assert "3 skipped" in empty.stdout, empty.stdout + empty.stderr
    for name in FILES:
        shutil.copy(VAE / "reference" / name, tmp_path / "homework" / name)
    right = run(*pytest_, cwd=tmp_path / "homework")
    assert "3 passed" in right.stdout, right.stdout + right.stderr
    packed = run(sys.executable, "make_submission.py", cwd=tmp_path / "homework")
    with zipfile.ZipFile(tmp_path / "homework" / "submission.zip") as archive:
        assert sorted(archive.namelist()) == sorted(FILES), packed.stdout
    path = tmp_path / "homework" / FILES[1]
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(".sum(dim=-1).mean()", ".mean()"), encoding="utf-8")
    wrong = run(*pytest_, cwd=tmp_path / "homework")
    assert "1 failed, 2 passed" in wrong.stdout, wrong.stdout + wrong.stderr
    assert "rec of VAE.negative_elbo_bound is incorrect." in wrong.stdout


@pytest.mark.e2e
def test_the_bundle_grades_without_the_other_homework(tmp_path: Path) -> None:
    """The preflight passes; unpacked as on the platform, the zip grades the reference fully."""
    bundle = tmp_path / "autograder.zip"
    autograder("bundle", "--out", bundle, "--sample", "1")
    platform = tmp_path / "autograder"
    shutil.unpack_archive(bundle, platform / "source")
    source = platform / "source"
    assert not (source / "autograder" / "homework").exists()
    assert not list(source.rglob("catalogue.py"))
    shutil.copy(source / "run_autograder", platform / "run_autograder")
    for script in (source / "run_autograder", platform / "run_autograder"):
        script.chmod(0o755)
    (source / ".venv").symlink_to(ROOT / ".venv")
    for name in FILES:
        (platform / "submission" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(VAE / "reference" / name, platform / "submission" / name)
    (platform / "results").mkdir()
    done = run(platform / "run_autograder", cwd=platform)
    results = json.loads((platform / "results" / "results.json").read_text(encoding="utf-8"))
    assert sum(test["score"] for test in results["tests"]) == pytest.approx(20), done.stderr
    if os.geteuid() == 0:  # else everything belongs to one user
        assert (source / "vae").stat().st_mode & 0o077 == 0


def _write(folder: Path, source: str, *changes: tuple[str, str, str]) -> None:
    """Write a submission: files of the homework with replaced pieces."""
    texts = {name: (VAE / source / name).read_text(encoding="utf-8") for name in FILES}
    for name, old, new in changes:
        assert texts[name].count(old) == 1, old
        texts[name] = texts[name].replace(old, new)
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.e2e
def test_a_class_gets_its_points(tmp_path: Path) -> None:
    """Full points, none, and the loss of one mistake in its own part only."""
    students = tmp_path / "class"
    sample = (FILES[0], "m + torch.sqrt(v) *", "m + v *")
    density = (FILES[0], "-0.5 * (math.log(2 * math.pi) + ", "-0.5 * (")
    one_more = (
        (FILES[0], "(m: Tensor, v: Tensor) -> Tensor:", "(m, v, scale=torch.ones(())):"),
        (FILES[0], "* torch.randn_like(m)", "* torch.randn_like(m) * scale"),
        (FILES[1], "sample_gaussian(m, v)", "sample_gaussian(m, v, scale=torch.ones(()))"),
    )
    _write(students / "reference", "reference")
    _write(students / "template", "student_template")
    _write(students / "mistakes", "reference", sample, density)
    _write(students / "one_more_argument", "reference", *one_more)
    autograder("class", students, "--out", tmp_path / "results")
    with (tmp_path / "results" / "scores.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["Submission"]: row for row in csv.DictReader(file)}
    points = {
        name: [float(row[column]) for column in row if column.startswith("1.")]
        for name, row in rows.items()
    }
    assert points["reference"] == points["one_more_argument"] == [5, 5, 10]
    assert points["template"] == [0, 0, 0]
    assert points["mistakes"][0] < 2
    assert points["mistakes"][1] < 3
    assert points["mistakes"][2] == 10


@pytest.mark.slow
def test_the_catalogue_passes_its_audit(tmp_path: Path) -> None:
    """Every incorrect solution is caught and named, every correct one keeps its points."""
    printed = autograder("audit", "--out", tmp_path, timeout_s=1800)
    assert "; 0 failed;" in printed
    assert "tolerance:" not in printed
    matrix = json.loads((tmp_path / "matrix.json").read_text(encoding="utf-8"))
    kinds = [row["kind"] for row in matrix["cases"].values()]
    assert kinds.count("wrong") >= 10
    assert kinds.count("right") >= 6
