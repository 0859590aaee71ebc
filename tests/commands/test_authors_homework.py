"""A homework as an author writes it after docs/authors.md, up to a graded class of three."""

from __future__ import annotations

import csv
import shutil
import sys
from pathlib import Path

import pytest

from autograder import cli

MOST_LINES = 120

# All that the author of a homework with one function writes, by file.
FILES = {
    "assignment.toml": """\
[assignment]
title = "Linear regression"

[parts]
"1.1" = { title = "gradient", points = 10 }

[submission]
files = ["regression.py"]

[grading]
seed = 7
visibility = "visible"
deadline_s = 480
call_timeout_s = 6
python = "3.10"
""",
    "reference/regression.py": '''\
"""Linear regression."""

import torch


def gradient(X: torch.Tensor, w: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the gradient of mean((X w - y)^2) by w (D,); X is (N, D), y (N,)."""
    # BEGIN SOLUTION 1.1 gradient
    return 2 * X.T @ (X @ w - y) / len(y)
    # END SOLUTION
''',
    "oracles.py": '''\
"""The gradient of the mean squared error."""

import numpy as np


def gradient(X: np.ndarray, w: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return 2/N sum_n x_n (x_n w - y_n)."""
    return 2 * np.mean(X * (X @ w - y)[:, None], axis=0)
''',
    "mistakes.py": '''\
"""The known mistakes."""

from autograder import Wrong
from linear_regression import oracles

WRONG = (
    Wrong(
        id="gradient-summed",
        region="1.1 gradient",
        sentence="Sums over the examples.",
        code="return 2 * X.T @ (X @ w - y)",
        hint="gradient() sums over the examples; the loss is their mean.",
        answers={"gradient": lambda case: len(case[2]) * oracles.gradient(*case)},
    ),
)
''',
    "catalogue.py": '''\
"""Solutions that test the checks."""

from autograder import Catalogue, Right
from linear_regression.mistakes import WRONG

RIGHT = (
    Right(
        id="gradient-by-autograd",
        region="1.1 gradient",
        sentence="Lets autograd differentiate the loss.",
        code="""
            w = w.detach().requires_grad_()
            return torch.autograd.grad(((X @ w - y) ** 2).mean(), w)[0]
        """,
    ),
)
CATALOGUE = Catalogue(WRONG, RIGHT)
''',
    "checks/public/test_gradient.py": '''\
"""1.1 gradient: the public check."""

import numpy as np

from autograder import Student, Tolerance, assert_close, number, weight


@number("1.1.1")
@weight(1)
def test_two_examples(student: Student) -> None:
    """gradient() of two examples is that computed by hand."""
    X, w, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, -1.0]), np.array([0.0, 1.0])
    got = student.call("gradient", {"X": X, "w": w, "y": y}).array("result", (2,), "(D,)")
    assert_close(got, [-7.0, -10.0], Tolerance(1e-3, 1e-4), "gradient() is wrong.")
''',
    "checks/private/test_gradient.py": '''\
"""1.1 gradient: the private check."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder import Diagnosis, Student, Tolerance, assert_close, number, weight
from linear_regression import oracles


@number("1.1.2")
@weight(4)
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 6), d=st.integers(1, 4))
def test_random_examples(student: Student, diagnosis: Diagnosis, seed: int, n: int, d: int) -> None:
    """gradient() of random examples."""
    rng = np.random.default_rng(seed)
    case = rng.normal(size=(n, d)), rng.normal(size=d), rng.normal(size=n)
    expected = oracles.gradient(*case)
    reply = student.call("gradient", dict(zip(("X", "w", "y"), case, strict=True)))
    got = reply.array("result", (d,), "(D,)")
    diagnosis.observe("gradient", about=case, got=got, right=expected)
    assert_close(got, expected, Tolerance(1e-3, 1e-4), "gradient() is wrong.",
                 where=f"Smallest case found: N={n}, D={d}.")
''',
}


def write(folder: Path) -> None:
    """Replace the files of a new homework by the author's."""
    shutil.rmtree(folder / "checks")
    shutil.rmtree(folder / "student_template")
    (folder / "reference" / "solution.py").unlink()
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.e2e
def test_an_authors_homework_grades_a_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In few lines: a correct solution, a mistake that is named, and an untouched template."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    folder = tmp_path / "linear_regression"
    homework = ["--homework", str(folder)]
    assert cli.main(["new", str(folder)]) == 0
    write(folder)
    assert sum(len(text.splitlines()) for text in FILES.values()) <= MOST_LINES
    assert cli.main(["template", *homework]) == 0
    assert cli.main(["audit", *homework, "--out", str(tmp_path / "audit")]) == 0
    assert "1 named by their answers" in capsys.readouterr().out
    assert cli.main(["handout", *homework, "--out", str(tmp_path)]) == 0

    submissions = {name: tmp_path / "class" / name for name in ("ada", "bob", "cy")}
    correct = (folder / "reference" / "regression.py").read_text(encoding="utf-8")
    template = (folder / "student_template" / "regression.py").read_text(encoding="utf-8")
    texts = (correct, correct.replace(" / len(y)", ""), template)
    for place, text in zip(submissions.values(), texts, strict=True):
        place.mkdir(parents=True)
        (place / "regression.py").write_text(text, encoding="utf-8")
    report = tmp_path / "report"
    assert cli.main(["class", str(tmp_path / "class"), *homework, "--out", str(report)]) == 0
    assert "1 of 3: gradient: Sums over the examples." in capsys.readouterr().out
    with (report / "scores.csv").open(encoding="utf-8-sig", newline="") as file:
        points = {row["Submission"]: row["Total (of 10)"] for row in csv.DictReader(file)}
    assert points == {"ada": "10", "bob": "0", "cy": "0"}
