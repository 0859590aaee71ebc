"""Checks on the fixed problems: correct or not, and which known mistake gives the same answers."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import numpy as np

from autograder.engine.judge.compare import close, close_to_any, difference
from autograder.engine.judge.diagnosis import Diagnosis, Tabulated
from autograder.engine.judge.exceptions import CheckFailed, CheckStopped
from autograder.engine.judge.gradients import gradient_error
from autograder.homework import tolerances
from autograder.homework.golden.problems import (
    Answers,
    Gan,
    Golden,
    Made,
    Maf,
    Problem,
    answer_name,
    in_patterns,
    load,
)
from autograder.homework.golden.snippets import snippet
from autograder.homework.problems.flow_parameters import MadeParameters, MapParameters
from autograder.homework.problems.probe_networks import Array
from autograder.homework.student import Student


def check_golden(student: Student, function: str) -> None:
    """All answers to a function's problems are correct; if not, a known mistake is named.

    Raises:
        CheckFailed: about the first wrong answer; the first problem is the smallest.
    """
    golden = load(function)
    seen: list[Mapping[str, Array]] = []
    failure: CheckFailed | None = None
    for i, problem in enumerate(golden.problems[: golden.judged]):
        place = f"Fixed problem {i + 1} of {golden.judged}: {problem}."
        try:
            # What is printed last belongs to the problem that is reported.
            with student.unseen() if failure else contextlib.nullcontext():
                got = ask(student, function, problem)
            seen.append(got)
            _compare(function, got, golden.right[i], place)
        except CheckFailed as error:
            if golden.right_on_own and _right_on_own_blocks(student, problem, golden, i):
                continue
            failure = failure or error
            failure.where = failure.where or place
            failure.snippet = failure.snippet or snippet(golden, i)
    if failure is None:
        return
    if not failure.hint and len(seen) == golden.judged:
        # Without all answers no mistake is named.
        with student.unseen(), contextlib.suppress(CheckFailed, CheckStopped):
            seen += [ask(student, function, one) for one in golden.problems[golden.judged :]]
    if not failure.hint and len(seen) == len(golden.problems):
        named = _diagnose(golden, seen)
        if named is not None:
            failure.mistake, failure.hint = named
    raise failure


def check_input_unchanged(student: Student) -> None:
    """MADE.inverse does not change its input.

    Raises:
        CheckFailed: it does.
    """
    golden = load("MADE.inverse")
    for i, problem in enumerate(golden.problems[: golden.judged]):
        assert isinstance(problem, Made)
        after = student.made_inverse(problem).input_after
        if not close(after, problem.x, tolerances.FLOW):
            failure = CheckFailed(
                "MADE.inverse() changes its input x in place.",
                where=f"Fixed problem {i + 1} of {golden.judged}: {problem}.",
                numbers=difference("x afterwards", after, problem.x, tolerances.FLOW),
                hint="Make a new tensor instead of assigning into x or calling x.sub_(), "
                "x /= ... .",
            )
            failure.snippet = snippet(golden, i)
            raise failure


def ask(student: Student, function: str, problem: Problem) -> dict[str, Array]:
    """Return the student's answers to one problem, by name.

    Raises:
        CheckFailed: they do not have the form of an answer, or no gradient arrives.
    """
    if isinstance(problem, Maf):
        return _log_probs(student, problem, problem.maps)
    if isinstance(problem, Gan):
        return _loss(student, function, problem)
    if function == "MADE.forward":
        forward = student.made_forward(problem)
        return {"x": forward.x, "log_det": forward.log_det}
    inverse = student.made_inverse(problem, jacobian=True)
    answers = {"z": inverse.z, "log_det": inverse.log_det}
    return answers if inverse.jacobian is None else {**answers, "jacobian": inverse.jacobian}


def _log_probs(
    student: Student, problem: Maf, blocks: Sequence[MadeParameters | MapParameters]
) -> dict[str, Array]:
    found = student.log_probs(problem, blocks)
    gradients = {f"gradient {name}": array for name, array in found.gradients.items()}
    return {"value": np.asarray(found.value), **gradients}


def _loss(student: Student, function: str, problem: Gan) -> dict[str, Array]:
    found = student.gan_loss(function, problem, images=False)
    if not found.reached:
        network = "discriminator" if function.endswith("_d") else "generator"
        raise CheckFailed(
            f"No gradient of {function} reaches the {network}, which it must train.",
            hint="Look for detach(), no_grad(), .item() or .data on the way to the loss.",
        )
    answers = {"value": np.asarray(found.value)}
    for name, gradient in found.gradients.items():
        answers[f"gradient {name}"] = in_patterns(gradient)
    return answers


def _right_on_own_blocks(student: Student, problem: Problem, golden: Golden, i: int) -> bool:
    if not isinstance(problem, Maf):
        return False
    try:
        got = _log_probs(student, problem, problem.blocks)
        _compare(golden.function, got, golden.right_on_own[i], "")
    except CheckFailed:
        return False
    return True


_STATEMENTS = {
    "x": "MADE.forward() does not give x_i = mu_i + z_i exp(alpha_i).",
    "z": "MADE.inverse() does not give z_i = (x_i - mu_i) / exp(alpha_i).",
    "jacobian": "dz/dx of MADE.inverse() is wrong: z_i does not depend on the x_j as it should.",
}
_LOG_DETS = {
    "MADE.forward": "The log-determinant of MADE.forward() is neither the sum of alpha over the "
    "variables nor minus that.",
    "MADE.inverse": "The log-determinant of MADE.inverse() is not minus the sum of alpha.",
}


def _compare(function: str, got: Mapping[str, Array], right: Answers, place: str) -> None:
    for name, alternatives in right.items():
        if name.startswith("gradient "):
            continue
        tolerance = {"log_det": tolerances.LOG_DET, "value": tolerances.LOSS}.get(
            name, tolerances.FLOW
        )
        answer = got.get(name)
        if answer is None or not close_to_any(answer, alternatives, tolerance):
            statement = (
                _STATEMENTS.get(name) or _LOG_DETS.get(function) or _value_statement(function)
            )
            shown = np.full_like(alternatives[0], np.nan) if answer is None else answer
            raise CheckFailed(
                statement, where=place, numbers=difference(name, shown, alternatives[0], tolerance)
            )
    expected, compared = _gradients(got, right)
    error = gradient_error(compared, expected)
    if error:
        raise CheckFailed(f"The gradient of {function} is wrong.", where=place, numbers=error)


def _value_statement(function: str) -> str:
    if function == "MAF.log_probs":
        return "MAF.log_probs() does not give the mean over the batch of log p(x)."
    return f"{function} does not have the value that the assignment defines."


def _gradients(
    got: Mapping[str, Array], right: Answers
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the correct gradients and the student's, without the entries that are not compared."""
    expected, compared = {}, {}
    for name, (gradient, *_) in right.items():
        if name.startswith("gradient "):
            parameter, finite = name.removeprefix("gradient "), np.isfinite(gradient)
            expected[parameter] = gradient[finite]
            if name in got and got[name].shape == gradient.shape:
                compared[parameter] = got[name][finite]
    return expected, compared


def _diagnose(golden: Golden, seen: Sequence[Mapping[str, Array]]) -> tuple[str, str] | None:
    """Return ids and hints of the mistake whose answers are those seen on every problem."""
    diagnosis = Diagnosis(golden.mistakes)
    for answer in dict.fromkeys(answer_name(golden.function, name) for name in golden.right[0]):
        for i, right in enumerate(golden.right):
            for name, arrays in right.items():
                if answer_name(golden.function, name) == answer:
                    diagnosis.observe(answer, (i, name), seen[i].get(name), Tabulated(arrays))
    return diagnosis.diagnose()
