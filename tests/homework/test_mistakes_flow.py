"""The catalogue's entries about flow_network.py, tried in this process, and the named mistakes.

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

from autograder.engine.catalogue.diagnosis import Diagnosis
from autograder.engine.catalogue.solutions import Prediction, Right, Wrong
from autograder.engine.judge.caller import Caller
from autograder.engine.judge.calls import Ending, Outcome
from autograder.engine.judge.compare import Tolerance, close
from autograder.engine.judge.exceptions import CheckFailed, NotAttempted
from autograder.engine.sandbox.experiment import Recorder, StudentCode
from autograder.homework.experiments import flow as experiment
from autograder.homework.flow_gradients import flow_gradients
from autograder.homework.gradients import flat
from autograder.homework.mistakes import catalogue
from autograder.homework.mistakes import right as correct
from autograder.homework.mistakes.cases import edited
from autograder.homework.mistakes.flow_code import MADE_INVERSE, but
from autograder.homework.oracles import flow
from autograder.homework.problems.arrays import made_arrays, maf_arrays
from autograder.homework.strategies import STEEP, USED, USED_MAF, MadeCase, MafCase
from autograder.homework.student import Student
from tests.catalogue_spread import for_each

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
# D = B among them, D > B, D > 2, and more and fewer layers than two.
MADE_CASES = (
    MadeCase(2, 6, 1, 5, 2),
    MadeCase(2, 5, 2, 2, 5),
    MadeCase(3, 7, 2, 4, 3),
    MadeCase(6, 10, 1, 3, 4),
    MadeCase(5, 8, 1, 2, 1),
    STEEP,
)
MAF_CASES = (
    MafCase(2, 6, 1, 3, 5, 2),
    MafCase(3, 7, 2, 2, 4, 3),
    MafCase(6, 10, 1, 1, 3, 4),
    MafCase(4, 6, 1, 2, 3, 1),
)


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


# ---- the diagnosis ------------------------------------------------------------------------------

CASE = MADE_CASES[4]  # B = 2: a loop over the batch is a loop over two variables


def answer_of(mistake: str, case: MadeCase) -> ArrayLike:
    """What an entry predicts for x = forward(z)."""
    entry = next(entry for entry in WRONG if entry.id == mistake)
    predicted = entry.answers["MADE.forward.x"](case)
    assert predicted is not None
    return predicted


def observe(diagnosis: Diagnosis, case: MadeCase, got: ArrayLike) -> None:
    """Note an answer of forward()."""
    diagnosis.observe("MADE.forward.x", case, got, flow.made_forward(case.weights, case.z)[0])


def test_mistake_that_explains_all_answers_is_named() -> None:
    """The diagnosis returns the id and the hint of the one entry that gives these answers."""
    diagnosis = Diagnosis(WRONG)
    for case in MADE_CASES:
        observe(diagnosis, case, answer_of("forward-no-exp", case))
    named = diagnosis.diagnose()
    assert named is not None
    assert named[0] == "forward-no-exp"
    assert "alpha itself" in named[1]


def test_nothing_is_named_when_all_answers_are_correct() -> None:
    """A correct solution never gets a diagnosis."""
    diagnosis = Diagnosis(WRONG)
    for case in MADE_CASES:
        observe(diagnosis, case, flow.made_forward(case.weights, case.z)[0])
    assert diagnosis.diagnose() is None


def test_nothing_is_named_when_one_answer_does_not_fit() -> None:
    """A hint is computed, never guessed: one answer that does not fit rules it out."""
    diagnosis = Diagnosis(WRONG)
    for case in MADE_CASES[:-1]:
        observe(diagnosis, case, answer_of("forward-no-exp", case))
    observe(diagnosis, CASE, np.zeros((CASE.batch, CASE.input_size)))
    assert diagnosis.diagnose() is None


@pytest.mark.parametrize("value_is_right", [True, False])
def test_a_gradient_is_explained_only_where_its_value_is_correct(value_is_right: bool) -> None:
    """The gradient of a wrong value is wrong too; that does not mean that something is detached."""
    diagnosis = Diagnosis(WRONG)
    for case in MAF_CASES:
        right = flow_gradients(case.maps, case.x)
        value = np.asarray(flow.maf_log_prob(case.maps, case.x).mean())
        got = value if value_is_right else value + 1.234 * case.batch
        diagnosis.observe("MAF.log_probs", case, got, value)
        cut_off = np.zeros_like(flat(right, right))
        diagnosis.observe("MAF.log_probs.gradient", case, cut_off, flat(right, right))
    named = diagnosis.diagnose()
    assert (named is not None and "maf-detached" in named[0]) == value_is_right


def test_mistakes_that_agree_on_one_case_are_named_together() -> None:
    """With two examples a loop over the batch looks like a loop over two variables."""
    diagnosis = Diagnosis(WRONG)
    observe(diagnosis, CASE, answer_of("forward-loops-over-batch", CASE))
    named = diagnosis.diagnose()
    assert named is not None
    assert {"forward-loops-over-batch", "forward-two-passes"} <= set(named[0].split("+"))
    assert " Or: " in named[1]


def test_questions_after_a_failure_tell_mistakes_apart() -> None:
    """After a failure, more cases are tried until only one mistake is left."""
    diagnosis = Diagnosis(WRONG)
    observe(diagnosis, CASE, answer_of("forward-loops-over-batch", CASE))
    for case in MADE_CASES[:4]:

        def question(case: MadeCase = case) -> None:
            observe(diagnosis, case, answer_of("forward-loops-over-batch", case))

        diagnosis.ask_if_failed(repr(case), question)
    named = diagnosis.diagnose()
    assert named is not None
    assert named[0] == "forward-loops-over-batch"


def test_question_runs_once_and_only_for_a_diagnosis() -> None:
    """A passing check runs no question; a failing one runs each question once."""
    runs: list[int] = []
    diagnosis = Diagnosis(WRONG)
    for n in range(3):
        diagnosis.ask_if_failed("the same", lambda n=n: runs.append(n))  # type: ignore[misc]
    assert runs == []
    diagnosis.diagnose()
    assert runs == [0]


@pytest.mark.parametrize("failure", [CheckFailed("It raised."), NotAttempted("A stub.")])
def test_question_that_fails_does_not_spoil_the_diagnosis(failure: BaseException) -> None:
    """If the code raises on another case, the earlier answers are still diagnosed."""

    def question() -> None:
        raise failure

    diagnosis = Diagnosis(WRONG)
    diagnosis.ask_if_failed("fails", question)
    observe(diagnosis, CASE, answer_of("forward-no-exp", CASE))
    named = diagnosis.diagnose()
    assert named is not None
    assert named[0] == "forward-no-exp"


def test_mistake_that_explains_two_answers_comes_before_one_for_each() -> None:
    """If z and log_det are both wrong, a mistake that explains both is named."""
    one = Wrong("z-only", "1.2 MADE.inverse", "", "", hint="One.", answers={"z": lambda _: 1.0})
    answers: dict[str, Prediction] = {"z": lambda _: 1.0, "d": lambda _: 2.0}
    both = Wrong("both", "1.2 MADE.inverse", "", "", hint="Two.", answers=answers)
    diagnosis = Diagnosis((one, both))
    diagnosis.observe("z", None, 1.0, 0.0)
    diagnosis.observe("d", None, 2.0, 0.0)
    assert diagnosis.diagnose() == ("both", "Two.")


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

    def call(self, *args: object, **kwargs: object) -> Outcome:
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
