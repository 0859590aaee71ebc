"""The golden values: correct and up to date; mistakes they catch and name; runnable snippets."""

from __future__ import annotations

import json

import numpy as np
import pytest

from autograder.engine.catalogue.cases import edited
from autograder.engine.catalogue.golden import plain, same
from autograder.engine.catalogue.solutions import Right, Wrong
from autograder.engine.judge.exceptions import CheckFailed
from autograder.homework.golden import maker as golden_maker
from autograder.homework.golden.checks import ask, check_golden, check_input_unchanged
from autograder.homework.golden.problems import GOLDEN, Gan, Golden, load, patterns
from autograder.homework.golden.snippets import snippet
from autograder.homework.mistakes import clamped
from autograder.homework.mistakes.catalogue import WRONG
from autograder.homework.mistakes.flow_code import MADE_INVERSE, MAF_LOG_PROBS, but
from autograder.homework.mistakes.right import RIGHT
from tests.catalogue_spread import for_each
from tests.in_process import functions_of, student_of
from tests.snippets import run_snippet
from tests.this_homework import reference_files

FUNCTIONS = [*golden_maker.MADE, *golden_maker.MAF, *golden_maker.LOSSES]


def failure(entry: Wrong, function: str) -> CheckFailed | None:
    """The failure of a function's golden check on an incorrect solution, if it fails."""
    try:
        check_golden(student_of(entry), function)
    except CheckFailed as error:
        return error
    return None


def test_the_committed_file_is_up_to_date() -> None:
    """It is what oracles and catalogue give now."""
    committed = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert same(plain(golden_maker.make_golden(WRONG)), committed)


def test_another_last_digit_is_no_difference() -> None:
    """Machines round differently; another answer, key or length is a difference."""
    assert same({"a": [1.0, None]}, {"a": [1.0000001, None]})
    assert not same({"a": [1.0]}, {"a": [1.001]})
    assert not same({"a": [1.0]}, {"a": [1.0, 2.0]})
    assert not same({"a": [1.0]}, {"b": [1.0]})
    assert not same({"a": [1.0]}, {"a": [None]})
    assert not same({"a": "x"}, None)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_reference_gives_the_golden_answers(function: str) -> None:
    """Torch against the oracles: the two share no code."""
    check_golden(student_of(), function)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_compared_number_decides(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If any correct answer in the file is changed, the reference fails."""
    golden = load(function)
    student = student_of()
    for name in golden.right[0]:
        own = golden.right  # known maps' answers are wrong for the student's own blocks
        off = [{**right, name: [a + 1.0 for a in right[name]]} for right in golden.right]
        spoiled = Golden(function, golden.judged, golden.problems, tuple(off), own, ())
        monkeypatch.setattr("autograder.homework.golden.checks.load", lambda _, s=spoiled: s)
        with pytest.raises(CheckFailed, match=r"not|wrong|neither"):
            check_golden(student, function)


@pytest.mark.parametrize("function", golden_maker.LOSSES)
def test_answers_do_not_depend_on_random_numbers(function: str) -> None:
    """With other seeds the reference gives the same value and compared gradients."""
    golden, student = load(function), student_of()
    for problem, right in zip(golden.problems, golden.right, strict=True):
        assert isinstance(problem, Gan)
        for seed in range(4):
            got = ask(student, function, Gan(problem.data, problem.conditional, seed=seed))
            for name, (expected,) in right.items():
                finite = np.isfinite(expected)
                assert finite.any()
                np.testing.assert_allclose(
                    got[name][finite], expected[finite], rtol=1e-4, atol=1e-5
                )


@for_each(RIGHT)
def test_a_correct_solution_passes(entry: Right) -> None:
    """The golden checks accept every correct solution of the catalogue."""
    student = student_of(entry)
    for function in functions_of(entry):
        check_golden(student, function)
    check_input_unchanged(student)


@for_each([entry for entry in WRONG if entry.hint])
def test_a_named_mistake_is_the_one_that_was_made(entry: Wrong) -> None:
    """If a golden check names mistakes, the one that was made is among them.

    A mistake in two functions may be named after one of them.
    """
    failed = [failure(entry, function) for function in functions_of(entry)]
    named = [one for one in failed if one is not None and one.mistake]
    assert not named or any(
        entry.id in str(one.mistake).split("+") and entry.hint in one.hint for one in named
    )


@for_each([entry for entry in WRONG if not entry.hint])
def test_a_mistake_without_a_hint_is_not_named(entry: Wrong) -> None:
    """No hint is guessed for answers that no entry predicts."""
    for function in functions_of(entry):
        failed = failure(entry, function)
        assert failed is None or failed.mistake is None


@pytest.mark.slow
def test_most_mistakes_are_caught_and_most_of_those_named() -> None:
    """Of the mistakes with a hint, nine in ten are caught and four in five are named.

    Not counted: mistakes that show only for a very sure discriminator, which no problem has.
    """
    hinted = [entry for entry in WRONG if entry.hint and entry not in clamped.WRONG]
    failed = [[failure(entry, function) for function in functions_of(entry)] for entry in hinted]
    caught = sum(any(one is not None for one in each) for each in failed)
    named = sum(any(one is not None and one.mistake for one in each) for each in failed)
    assert caught >= 0.9 * len(hinted), (caught, len(hinted))
    assert named >= 0.8 * len(hinted), (named, len(hinted))


@pytest.mark.parametrize(
    ("function", "region", "code"),
    [
        (
            "MADE.inverse",
            "1.2 MADE.inverse",
            but(MADE_INVERSE, ("-alpha.sum(dim=1)", "-alpha[:, 1:].mean(dim=1)")),
        ),
        (
            "MADE.inverse",
            "1.2 MADE.inverse",
            but(MADE_INVERSE, ("self.net(x)", "self.net(x[:, [1, 0, *range(2, x.shape[1])]])")),
        ),
        (
            "MAF.log_probs",
            "1.3 MAF.log_probs",
            but(MAF_LOG_PROBS, (".sum(dim=1)", "[:, :2].sum(dim=1)")),
        ),
    ],
)
def test_a_mistake_that_agrees_with_a_known_one_only_for_two_variables_is_not_named(
    function: str, region: str, code: str
) -> None:
    """The mean of `alpha[:, 1:]` is the last variable if there are two: not a known mistake.

    Code that is wrong only for three variables passes, since those problems do not decide.
    """
    failed = failure(Wrong("new", region, "", code), function)
    if function == "MAF.log_probs":
        assert failed is None
    else:
        assert failed is not None
        assert failed.mistake is None


def test_a_wrong_value_is_not_named_after_the_gradient_it_lacks() -> None:
    """No gradient reaches blocks that are not used, but nothing was detached."""
    code = "log_prob = 0.3 * self.base_dist.log_prob(x).sum(dim=1).mean()"
    code += " + 0 * self.nf[0].scale.sum()"
    failed = failure(Wrong("new", "1.3 MAF.log_probs", "", code), "MAF.log_probs")
    assert failed is not None
    assert failed.mistake is None


def test_an_input_changed_in_place_is_caught() -> None:
    """1.2.5 fails with that message and a snippet."""
    (entry,) = (e for e in WRONG if "changes its input x in place" in e.says)
    with pytest.raises(CheckFailed, match="changes its input x in place") as failed:
        check_input_unchanged(student_of(entry))
    assert "made.inverse(x)" in failed.value.snippet


def test_the_patterns_are_orthogonal() -> None:
    """So a matrix product gives a gradient's multiples of them."""
    np.testing.assert_array_equal(patterns() @ patterns().T, 784 * np.eye(6))


# ---- snippets -----------------------------------------------------------------------------------


def numbers(line: str) -> list[float]:
    """All numbers of a printed line, after its name."""
    text = line.partition("# or")[0].replace("tensor(", " ").replace("expected", " ")
    text = text.partition("grad_fn")[0].rpartition("= ")[2]
    for sign in "[](),":
        text = text.replace(sign, " ")
    return [float(word) for word in text.split()]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_snippets_run_and_show_the_right_answer(
    function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reference each snippet prints the expected answer."""
    golden = load(function)
    for i in range(golden.judged):
        lines = run_snippet(snippet(golden, i), reference_files(), monkeypatch)
        assert len(lines) in (2, 4)
        for got, expected in zip(lines[::2], lines[1::2], strict=True):
            assert expected.startswith("expected")
            np.testing.assert_allclose(numbers(got), numbers(expected), rtol=1e-3, atol=2e-4)


def test_a_penalty_without_a_gradient_is_named_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """On linear critics its value is correct: only the gradient tells, in the snippet too."""
    entry = next(entry for entry in WRONG if entry.id == "gp-norms-detached")
    failed = failure(entry, "loss_wasserstein_gp_d")
    assert failed is not None
    assert "gp-norms-detached" in str(failed.mistake)
    files = edited(reference_files(), entry)
    lines = run_snippet(snippet(load("loss_wasserstein_gp_d"), 0), files, monkeypatch)
    np.testing.assert_allclose(numbers(lines[0]), numbers(lines[1]), rtol=1e-3)
    assert not np.allclose(numbers(lines[2]), numbers(lines[3]), rtol=1e-3)


def test_a_snippet_shows_a_wrong_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows the same difference as the check."""
    files = reference_files()
    path = "codebase/flow_network.py"
    files[path] = files[path].replace("log_det = -alpha.sum(dim=1)", "log_det = alpha.sum(dim=1)")
    lines = run_snippet(snippet(load("MADE.inverse"), 0), files, monkeypatch)
    np.testing.assert_allclose(numbers(lines[0]), numbers(lines[1]), rtol=1e-3)
    np.testing.assert_allclose(numbers(lines[2]), [-n for n in numbers(lines[3])], rtol=1e-3)
