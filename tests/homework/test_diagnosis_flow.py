"""The diagnosis of mistakes in flow_network.py: which one is named, and when none is."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike

from autograder.engine.catalogue.solutions import Prediction, Wrong
from autograder.engine.judge.diagnosis import Diagnosis
from autograder.engine.judge.exceptions import CheckFailed, NotAttempted
from autograder.engine.judge.gradients import flat
from autograder.homework.flow_gradients import flow_gradients
from autograder.homework.mistakes import catalogue
from autograder.homework.oracles import flow
from autograder.homework.strategies import MadeCase
from tests.homework.flow_cases import CASE, MADE_CASES, MAF_CASES

WRONG = tuple(entry for entry in catalogue.WRONG if entry.region.startswith("1."))


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
