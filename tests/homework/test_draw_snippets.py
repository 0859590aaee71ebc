"""Snippets of draws and training runs: what a student sees who pastes them into Python."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import pytest
import torch

from autograder.engine.catalogue.cases import edited
from autograder.engine.judge.exceptions import CheckFailed
from autograder.homework.mistakes.catalogue import WRONG
from autograder.homework.sampling.snippets import draws, showing, training
from tests.snippets import run_snippet
from tests.this_homework import reference_files

STEMS = ("loss_nonsaturating", "conditional_loss_nonsaturating", "loss_wasserstein_gp")
Run = Callable[[str, Mapping[str, str]], list[str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a snippet next to a submission; the random numbers are the same every time."""

    def run(text: str, files: Mapping[str, str]) -> list[str]:
        torch.manual_seed(1)
        return run_snippet(text, dict(files), monkeypatch)

    return run


def wrong(name: str) -> dict[str, str]:
    """The files of a wrong solution of the catalogue."""
    return edited(reference_files(), next(w for w in WRONG if w.id == name))


def pixels(lines: list[str]) -> list[list[float]]:
    """The least pixel of every image that d was given, by call."""
    return [
        [float(word) for word in re.findall(r"-?\d+\.\d+", line.split("labels")[0])]
        for line in lines
        if line.startswith("d: pixels")
    ]


@pytest.mark.parametrize("stem", STEMS)
def test_the_draws_of_the_reference_are_shown(run: Run, stem: str) -> None:
    """Four latents that differ, real images that are 0 and generated ones that are 1."""
    functions = (f"{stem}_d", f"{stem}_g")
    lines = run(draws(functions), reference_files())
    assert [line for line in lines if line in functions] == list(functions)
    printed = [line for line in lines if line.startswith("g: z")]
    assert len(printed) == 2
    for line in printed:
        assert "(4, 6)" in line
        assert "different rows 4" in line
        assert ("labels" in line) == stem.startswith("conditional")
    shown = {value for call in pixels(lines) for value in call}
    assert {0.0, 1.0} <= shown


def test_one_weight_for_a_batch_is_visible(run: Run) -> None:
    """Every mixture is as grey as the others, where the reference's all differ."""

    def mixtures(files: Mapping[str, str]) -> list[float]:
        lines = run(draws(("loss_wasserstein_gp_d",)), files)
        return [value for call in pixels(lines) for value in call if 0 < value < 1]

    right, shared = (
        mixtures(reference_files()),
        mixtures(wrong("wgan-one-alpha-for-the-batch")),
    )
    assert (len(right), len(set(right))) == (4, 4)
    assert (len(shared), len(set(shared))) == (4, 1)


@pytest.mark.parametrize("stem", STEMS)
def test_the_training_run_of_the_reference_learns(run: Run, stem: str) -> None:
    """The mean pixel goes from about 0 towards the real images' 0.5."""
    lines = run(training((f"{stem}_d", f"{stem}_g")), reference_files())
    first, *_, last = [float(re.findall(r"-?\d\.\d+(?:e-\d+)?", line)[0]) for line in lines]
    assert lines[0].startswith("step 0 ")
    assert lines[-1].startswith("step 150 ")
    assert abs(first) < 0.2
    assert 0.3 < last < 0.8


def test_the_training_run_of_an_incorrect_loss_does_not_learn(run: Run) -> None:
    """The generator moves away from 0.5."""
    lines = run(training(("loss_nonsaturating_d", "loss_nonsaturating_g")), wrong("ns-g-maximised"))
    last = float(re.findall(r"-?\d\.\d+(?:e-\d+)?", lines[-1])[0])
    assert not 0.3 < last < 0.8


def test_a_failing_check_carries_its_snippet() -> None:
    """A failure that already has a snippet keeps it."""
    for own, shown in (("", "print(1)\n"), ("print(2)\n", "print(2)\n")):
        failure = CheckFailed("It is wrong.")
        failure.snippet = own
        with pytest.raises(CheckFailed) as caught, showing("print(1)\n"):
            raise failure
        assert caught.value.snippet == shown
