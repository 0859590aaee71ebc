"""Advice on a file's text, which costs no points."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast
from unittest.mock import Mock

import pytest
import torch

from autograder.engine.judge.base_plugin import Submitted
from autograder.engine.judge.exceptions import Advice, CheckFailed, NotAttempted, WorkerLost
from autograder.engine.sandbox.experiment import run_eagerly
from autograder.homework.student import GAN_FILE, Student
from autograder.homework.text_advice import advise_on_text

TEMPLATE = Path(__file__).resolve().parents[2] / "student_template"
TODO = "raise NotImplementedError"


def advice_on(tmp_path: Path, body: str, above: str = "") -> str:
    """The advice on the template with its stubs replaced."""
    text = (TEMPLATE / GAN_FILE).read_text(encoding="utf-8")
    assert TODO in text
    (tmp_path / GAN_FILE).parent.mkdir()
    (tmp_path / GAN_FILE).write_text(above + text.replace(TODO, body), encoding="utf-8")
    submitted = Submitted(tmp_path, TEMPLATE, missing=())
    try:
        advise_on_text(submitted, student_that(None), GAN_FILE)
    except Advice as advice:
        return advice.feedback
    return ""


def student_that(error: BaseException | None) -> Student:
    """A student whose files can be imported, or raise this error."""
    return cast(Student, SimpleNamespace(import_file=Mock(side_effect=error)))


@pytest.mark.parametrize(
    "body", ["d = torch.compile(d)", "@torch.compile", "f = torch.compile(mode='default')(f)"]
)
def test_torch_compile_is_reported(tmp_path: Path, body: str) -> None:
    """In any form."""
    assert "codebase/gan.py uses torch.compile" in advice_on(tmp_path, body)


def test_an_import_of_compile_is_reported(tmp_path: Path) -> None:
    """Together with the line that was added for it."""
    feedback = advice_on(tmp_path, "pass", "from torch import nn, compile\nLIMIT = 3\n")
    first, second, _ = feedback.splitlines()
    assert "uses torch.compile" in first  # the summary quotes the first line
    assert "changed outside the marked regions" in second
    assert feedback.endswith("\nNo points are lost for this.")


def test_one_changed_line_is_one_line(tmp_path: Path) -> None:
    """Not "1 lines"."""
    assert "regions: 1 line added or changed, 0 lines of the" in advice_on(
        tmp_path, "pass", "A = 3\n"
    )


def test_a_file_in_another_encoding_is_not_compared(tmp_path: Path) -> None:
    """Every line would differ; another message says how to save it."""
    (tmp_path / GAN_FILE).parent.mkdir()
    (tmp_path / GAN_FILE).write_bytes((TEMPLATE / GAN_FILE).read_text("utf-8").encode("utf-16"))
    with pytest.raises(NotAttempted):
        advise_on_text(Submitted(tmp_path, TEMPLATE, missing=()), student_that(None), GAN_FILE)


@pytest.mark.parametrize(
    "body", ["pass", "# torch.compile(d) is too slow", "torch.compiler.reset()", "re.compile('a')"]
)
def test_other_text_is_not_reported(tmp_path: Path, body: str) -> None:
    """Comments, and other functions with such a name."""
    assert advice_on(tmp_path, body) == ""


@pytest.mark.parametrize("error", [CheckFailed("Python cannot read it."), WorkerLost("It hung.")])
def test_a_file_that_cannot_be_imported_does_not_pass(tmp_path: Path, error: BaseException) -> None:
    """Other checks report why; without that, its text would be fine."""
    text = (TEMPLATE / GAN_FILE).read_text(encoding="utf-8").replace(TODO, "return (")
    (tmp_path / GAN_FILE).parent.mkdir()
    (tmp_path / GAN_FILE).write_text(text, encoding="utf-8")
    submitted = Submitted(tmp_path, TEMPLATE, missing=())
    with pytest.raises(NotAttempted, match="this code did not run"):
        advise_on_text(submitted, student_that(error), GAN_FILE)


def test_a_worker_compiles_nothing() -> None:
    """As a call or a decorator, with and without arguments: the function is returned unchanged."""

    def double(x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    assert run_eagerly(double, fullgraph=True) is double
    assert run_eagerly(mode="reduce-overhead")(double) is double
    assert run_eagerly(model=double) is double
