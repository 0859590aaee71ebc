"""Calls with named arrays, without an experiment of the homework's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from autograder import CheckFailed, Student, Tolerance, assert_close
from autograder.engine.judge.calls import Call, Caller, Ending, Outcome
from autograder.engine.judge.exceptions import Unusable
from autograder.engine.sandbox.experiment import Recorder, StudentCode, run
from tests.this_homework import THIS

CODE = """
import numpy as np
import torch

def scaled(x, factor):
    return factor * x

def pair(x):
    return x.sum(), x ** 2

def half_a_pair(x):
    return x.sum()

def of_arrays(x, y):
    assert type(x) is np.ndarray and y.dtype == np.int64
    return x[y]

def kinds(x, n, names):
    assert x.dtype == torch.float32 and n == 3 and names == ["a"]
    return x

def detached(x):
    return x.detach() * 2
"""


def twice(
    student: StudentCode,
    arguments: Mapping[str, Any],
    tensors: Mapping[str, torch.Tensor],
    recorder: Recorder,
) -> None:
    """An experiment of a homework's own: a function applied twice."""
    function = student.attribute("small_solution", "scaled")
    recorder.add("result", function(function(tensors["x"], arguments["by"]), arguments["by"]))


@pytest.fixture
def student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Student]:
    """A submission of one file without a folder, called in this process."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "small_solution.py").write_text(CODE, encoding="utf-8")
    code = StudentCode(tmp_path, "")

    class InProcess:
        def call(self, call: Call) -> Outcome:
            assert call.needs == "small_solution.py"
            arrays = {name: np.asarray(array) for name, array in call.arrays.items()}
            own = {"twice": twice}
            recorder = run(call.experiment, call.arguments, arrays, call.seed, code, own)
            return Outcome(Ending.RETURNED, recorder.values, recorder.arrays)

    yield Student(cast(Caller, InProcess()), replace(THIS, files=("small_solution.py",)))
    sys.modules.pop("small_solution", None)


X = np.array([[1.0, -2.0], [0.5, 3.0]])


def test_a_result_is_read_by_its_shape(student: Student) -> None:
    """Plain values and arrays are given in the order of the function's arguments."""
    reply = student.call("scaled", {"x": X, "factor": 3})
    assert reply.array("result", (2, 2), "(B, D)").tolist() == (3 * X).tolist()
    with pytest.raises(Unusable, match=r"scaled returns result of shape \(2, 2\), expected \(2,\)"):
        reply.array("result", (2,), "(B,)")


def test_several_results_have_names(student: Student) -> None:
    """A function that returns another number of them is told what it must return."""
    reply = student.call("pair", {"x": X}, returns=("total", "squares"))
    assert reply.scalar("total") == 2.5
    assert reply.array("squares", (2, 2), "(B, D)").tolist() == (X**2).tolist()
    with pytest.raises(Unusable, match="half_a_pair must return two tensors, a and b; it returned"):
        student.call("half_a_pair", {"x": X}, returns=("a", "b"))


def test_gradients_are_those_of_the_weighted_sum(student: Student) -> None:
    """d/dx of sum(bar * result), over all results that have a bar."""
    bar = np.array([[1.0, 0.0], [2.0, -1.0]])
    names = ("total", "squares")
    reply = student.call("pair", {"x": X}, returns=names, bars={"total": 3.0, "squares": bar})
    assert reply.gradients()["x"].tolist() == (3.0 + 2 * X * bar).tolist()
    assert student.call("scaled", {"x": X, "factor": 3}).gradients() == {}
    assert student.call("detached", {"x": X}, bars={"result": bar}).gradients() == {}


def test_a_function_of_numpy_arrays_gets_them(student: Student) -> None:
    """As does one that takes texts, lists and whole numbers."""
    index = np.array([1, 0])
    reply = student.call("of_arrays", {"x": X, "y": index}, as_arrays=True)
    assert reply.array("result", (2, 2), "(B, D)").tolist() == X[::-1].tolist()
    student.call("kinds", {"x": X, "n": 3, "names": ["a"]})


def test_a_homework_runs_its_own_experiments(student: Student) -> None:
    """With values and arrays; float64 arrives as float32."""
    reply = student.run("twice", {"by": 3}, {"x": X}, function="scaled")
    assert reply.values["result"]["dtype"] == "float32"
    assert reply.array("result", (2, 2), "(B, D)").tolist() == (9 * X).tolist()
    with pytest.raises(Unusable, match="scaled must return y as a tensor"):
        reply.array("y", (2,), "(B,)")


def test_what_is_not_close_fails_the_check_with_its_numbers() -> None:
    """Four lines: what, where, numbers, and a hint if there is one."""
    assert_close(1.0, 1.0 + 1e-6, Tolerance(0.0, 1e-5), "It is off.")
    with pytest.raises(CheckFailed) as caught:
        assert_close(1.0, 2.0, Tolerance(0.0, 1e-5), "It is off.", name="loss", where="Case 1.")
    feedback = caught.value.feedback(public=False).splitlines()
    assert feedback[:2] == ["It is off.", "Case 1."]
    assert feedback[2].startswith("loss: got 1, expected 2")


def test_an_unknown_name_is_no_part_of_the_package() -> None:
    """Names are imported when they are used; a misspelt one is an AttributeError."""
    import autograder

    module: Any = autograder
    with pytest.raises(AttributeError, match="no attribute 'Studnet'"):
        _ = module.Studnet
    assert set(autograder.API) < set(module.__all__)
