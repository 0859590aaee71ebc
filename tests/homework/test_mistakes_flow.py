"""The catalogue's entries about flow_network.py, tried in this process.

The audit does the same with whole gradings; here one call shows within milliseconds which entry or
prediction a change has broken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike, NDArray

from autograder.engine.catalogue.cases import edited
from autograder.engine.catalogue.solutions import Right, Wrong
from autograder.engine.judge.caller import Caller
from autograder.engine.judge.calls import Call, Ending, Outcome
from autograder.engine.judge.compare import Tolerance, close
from autograder.engine.judge.exceptions import CheckFailed
from autograder.engine.judge.gradients import flat
from autograder.engine.sandbox.experiment import Recorder, StudentCode
from autograder.homework.experiments import flow as experiment
from autograder.homework.flow_gradients import flow_gradients
from autograder.homework.mistakes import catalogue
from autograder.homework.mistakes import right as correct
from autograder.homework.mistakes.flow_code import MADE_INVERSE, but
from autograder.homework.oracles import flow
from autograder.homework.problems.arrays import made_arrays, maf_arrays
from autograder.homework.strategies import USED, USED_MAF, MadeCase, MafCase
from autograder.homework.student import Student
from tests.catalogue_spread import for_each
from tests.homework.flow_cases import CASE, MADE_CASES, MAF_CASES

Array = NDArray[np.float64]
Answers = dict[str, Array | None]

WRONG = tuple(entry for entry in catalogue.WRONG if entry.region.startswith("1."))
RIGHT = tuple(entry for entry in correct.RIGHT if entry.region.startswith("1."))
ALL: tuple[Wrong | Right, ...] = (*WRONG, *RIGHT)
NAMED = [entry for entry in WRONG if entry.answers]
PATH = "codebase/flow_network.py"
REFERENCE = Path(__file__).resolve().parents[2] / "reference" / PATH
# Float32 against float64 where float32 is well conditioned, as in the diagnosis.
EQUAL = Tolerance(rtol=2e-3, atol=2e-4)


def text_of(entry: Wrong | Right) -> str:
    """The file of an entry."""
    return edited({PATH: REFERENCE.read_text(encoding="utf-8")}, entry)[PATH]


@lru_cache(maxsize=4)
def module_of(text: str) -> ModuleType:
    """The submission's module, executed in this process."""
    module = ModuleType("flow_network")
    exec(compile(text, "flow_network.py", "exec"), module.__dict__)
    return module


def recorded(
    entry: Wrong | Right,
    experiment_: Callable[..., None],
    sizes: dict[str, Any],
    arrays: dict[str, Array],
) -> dict[str, Array]:
    """The arrays that an experiment records of the submission; none where its code raises."""
    module = module_of(text_of(entry))
    student = SimpleNamespace(attribute=lambda _, name: getattr(module, name))
    tensors = {
        key: torch.from_numpy(np.array(value, dtype=np.float32)) for key, value in arrays.items()
    }
    recorder = Recorder()
    try:
        experiment_(cast(StudentCode, student), sizes, tensors, recorder)
    except Exception:
        return {}
    return {key: np.asarray(value, dtype=np.float64) for key, value in recorder.arrays.items()}


def made_answers(entry: Wrong | Right, case: MadeCase) -> tuple[Answers, Answers]:
    """The submission's answers about a MADE and the correct ones, by their names in the checks."""
    sizes = {key: getattr(case, key) for key in ("input_size", "hidden_size", "n_hidden", "used")}
    weights = made_arrays(case.weights)
    there = recorded(entry, experiment.made_forward, sizes, {**weights, "z": case.z})
    back = recorded(
        entry, experiment.made_inverse, {**sizes, "jacobian": True}, {**weights, "x": case.x}
    )
    x, alpha = flow.made_forward(case.weights, case.z)
    z, log_det = flow.made_inverse(case.weights, case.x)
    got: Answers = {
        "MADE.forward.x": there.get("x"),
        "MADE.forward.log_det": there.get("log_det"),
        "MADE.inverse.z": back.get("z"),
        "MADE.inverse.log_det": back.get("log_det"),
        "MADE.inverse.jacobian": back.get("jacobian"),
    }
    right: Answers = {
        "MADE.forward.x": x,
        "MADE.forward.log_det": alpha.sum(axis=1),
        "MADE.inverse.z": z,
        "MADE.inverse.log_det": log_det,
        "MADE.inverse.jacobian": flow.made_inverse_jacobian(case.weights, case.x),
    }
    return got, right


def maf_answers(
    entry: Wrong | Right, case: MafCase, blocks: Sequence[flow.AnyBlock]
) -> tuple[Answers, Answers]:
    """The submission's answers about a MAF of these blocks, and the correct ones."""
    names = ("input_size", "hidden_size", "n_hidden", "n_flows", "used")
    sizes = {key: getattr(case, key) for key in names}
    found = recorded(entry, experiment.maf_log_probs, sizes, {**maf_arrays(blocks), "x": case.x})
    right = flow_gradients(blocks, case.x)
    gradients = {key.removeprefix("grad."): array for key, array in found.items()}
    got: Answers = {
        "MAF.log_probs": found.get("log_prob"),
        "MAF.log_probs.gradient": flat(gradients, right) if found else None,
    }
    value = np.asarray(flow.maf_log_prob(blocks, case.x).mean())
    return got, {"MAF.log_probs": value, "MAF.log_probs.gradient": flat(right, right)}


def same(got: ArrayLike | None, other: ArrayLike | None) -> bool:
    """Whether both exist and are equal within float32's precision."""
    return got is not None and other is not None and close(got, other, EQUAL)


def regions_of(entry: Wrong | Right) -> list[str]:
    """The regions that an entry changes."""
    return [entry.region, *entry.also]


# ---- the entries themselves ---------------------------------------------------------------------


def test_ids_are_unique() -> None:
    """An id names one entry."""
    counts = Counter(entry.id for entry in ALL)
    assert [name for name, count in counts.items() if count > 1] == []


@for_each(ALL)
def test_entry_is_an_edit_that_python_can_read(entry: Wrong | Right) -> None:
    """The regions exist, the file differs from the reference, and it compiles."""
    text = text_of(entry)
    assert text != REFERENCE.read_text(encoding="utf-8")
    compile(text, "flow_network.py", "exec")


@for_each(WRONG)
def test_entry_gets_its_name_in_one_way(entry: Wrong) -> None:
    """An entry has predictions with a hint, or is named by a check's failure, or both."""
    assert bool(entry.answers) == bool(entry.hint)
    assert entry.answers or entry.says


@for_each(NAMED)
def test_hint_is_a_sentence_without_code(entry: Wrong) -> None:
    """A hint describes the mistake; it contains no code of a solution."""
    assert re.fullmatch(r"[A-Z\w].*\.", entry.hint)
    assert len(entry.hint) < 200
    code = re.compile(r"torch|self\.|\.exp|exp\(|[=\[\]*]|dim=|\bnn\b|\.sum|\.mean|alpha\)|mu\)")
    assert code.search(entry.hint) is None


@for_each(NAMED)
def test_prediction_is_the_codes_answer_and_not_the_correct_one(entry: Wrong) -> None:
    """On every case the prediction is the code's own answer; on some it is not the correct one."""
    differs = dict.fromkeys(entry.answers, False)
    seen = dict.fromkeys(entry.answers, 0)
    for case in (*MADE_CASES, *MAF_CASES):
        if isinstance(case, MadeCase):
            got, right = made_answers(entry, case)
        else:
            got, right = maf_answers(entry, case, case.maps)
        for answer in entry.answers.keys() & got.keys():
            found, expected = got[answer], right[answer]
            if found is None or expected is None or found.shape != expected.shape:
                continue
            predicted = entry.answers[answer](case)
            assert predicted is not None
            assert np.isfinite(predicted).all()
            assert same(found, predicted), (answer, case)
            seen[answer] += 1
            differs[answer] |= not same(predicted, expected)
    for answer in entry.answers:
        if not answer.endswith(".negated"):
            assert seen[answer], answer
            assert differs[answer], answer


@for_each([entry for entry in WRONG if entry.says and not entry.answers])
def test_unpredicted_mistake_raises_has_another_form_or_is_off(entry: Wrong) -> None:
    """Mistakes without predictions still change something that a check can see."""
    visible = False
    for case in (*MADE_CASES, USED):
        got, right = made_answers(entry, case)
        visible |= any(not same(got[answer], right[answer]) for answer in right)
    for maf_case in (*MAF_CASES, USED_MAF):
        got, right = maf_answers(entry, maf_case, maf_case.maps)
        visible |= any(not same(got[answer], right[answer]) for answer in right)
    # The audit covers those that only parameter gradients or a changed input show.
    assert visible or entry.id in {"inverse-log-det-detached", "inverse-changes-x"}


@for_each(RIGHT)
def test_correct_solution_gives_the_correct_answers(entry: Right) -> None:
    """Correct variants agree with the oracles; the log-determinant of forward with either sign."""
    for case in MADE_CASES:
        got, right = made_answers(entry, case)
        for answer, expected in right.items():
            found = got[answer]
            if answer == "MADE.forward.log_det" and found is not None and expected is not None:
                assert same(found, expected) or same(-found, expected)
            else:
                assert same(found, expected), answer
    for maf_case in MAF_CASES:
        on_maps = maf_answers(entry, maf_case, maf_case.maps)
        on_own = maf_answers(entry, maf_case, maf_case.blocks)
        assert any(
            all(same(got[answer], right[answer]) for answer in right)
            for got, right in (on_maps, on_own)
        )


def test_edit_of_a_piece_that_is_not_there_is_an_error() -> None:
    """A change that leaves the correct solution unchanged is refused."""
    with pytest.raises(ValueError, match="must occur once, found 0 times"):
        but(MADE_INVERSE, ("no such piece", "anything"))


# ---- follow-through and forms -------------------------------------------------------------------


class Answering:
    """A stand-in for a worker that gives the same reply to every call."""

    def __init__(self, **values: Array | None) -> None:
        recorder = Recorder()
        for name, value in values.items():
            recorder.add(name, None if value is None else torch.tensor(value, dtype=torch.float32))
        self._outcome = Outcome(Ending.RETURNED, recorder.values, recorder.arrays)

    def call(self, _call: Call) -> Outcome:
        """Reply."""
        return self._outcome


def student_with(**values: Array | None) -> Student:
    """A submission that returns these."""
    return Student(cast(Caller, Answering(**values)), 0)


def test_wrong_form_of_log_det_fails_only_the_checks_that_need_it() -> None:
    """x and z can be read when log_det is missing or has another shape."""
    for log_det in (None, np.zeros((CASE.batch, 1))):
        there = student_with(x=CASE.x, log_det=log_det).made_forward(CASE)
        back = student_with(z=CASE.x, log_det=log_det, input_after=CASE.x).made_inverse(CASE)
        np.testing.assert_array_equal(there.x, CASE.x)
        np.testing.assert_array_equal(back.z, CASE.x)
        for answer in (there, back):
            with pytest.raises(CheckFailed, match="log_det"):
                _ = answer.log_det


def test_own_blocks_of_the_density_check_integrate_to_one_on_its_grid() -> None:
    """The MADE blocks that 1.3.3 falls back on have a density that the grid can integrate."""
    case = MafCase(input_size=2, hidden_size=4, n_hidden=1, n_flows=2, batch=2, seed=26)
    axis = np.linspace(-9.0, 9.0, 31)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    total = np.exp(flow.maf_log_prob(case.blocks, points)).sum() * (axis[1] - axis[0]) ** 2
    # A quarter of what the check allows; the rest is left to the student.
    assert close(total, 1.0, Tolerance(rtol=0.0, atol=2.5e-3))
