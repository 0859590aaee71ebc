"""Constants that a loss adds or clamps at: small ones are allowed, large ones cost points."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from autograder.engine.catalogue.solutions import Wrong
from autograder.engine.judge.diagnosis import Diagnosis
from autograder.engine.judge.exceptions import CheckFailed
from autograder.homework.losses.checks import check_gradient, check_value
from autograder.homework.mistakes.catalogue import WRONG
from autograder.homework.mistakes.conditional import with_labels
from autograder.homework.problems.gan_case import GanCase, HighGanCase, SureGanCase
from tests.homework.test_strategies import assert_float32_holds
from tests.in_process import student_of

D, G = "loss_nonsaturating_d", "loss_nonsaturating_g"
_ADDED = {
    D: """
    real, fake = torch.sigmoid(d(x_real)), torch.sigmoid(d(g(z)))
    d_loss = -torch.log(real + {0}).mean() - torch.log(1 - fake + {0}).mean()
    """,
    G: "g_loss = -torch.log(torch.sigmoid(d(g(z))) + {0}).mean()",
}
_CLAMPED = {
    D: """
    real = torch.sigmoid(d(x_real)).clamp({0}, 1 - {0})
    fake = torch.sigmoid(d(g(z))).clamp({0}, 1 - {0})
    d_loss = -torch.log(real).mean() - torch.log(1 - fake).mean()
    """,
    G: "g_loss = -torch.log(torch.sigmoid(d(g(z))).clamp(min={0})).mean()",
}
_EACH = pytest.mark.parametrize("function", [D, G])
_FORMS = pytest.mark.parametrize(
    "form", [pytest.param(_ADDED, id="added"), pytest.param(_CLAMPED, id="clamped")]
)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Small tensors: more threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def outcomes(entry: Wrong) -> tuple[list[str], Diagnosis]:
    """The checks of a loss that fail on the simplest case, and the diagnosis."""
    function = entry.region.partition(" ")[2]
    case = GanCase(2, 3, 1.0, function.startswith("conditional"), 0)
    student, diagnosis, failed = student_of(entry), Diagnosis(WRONG), []
    for check in (check_value, check_gradient):
        try:
            check(student, diagnosis, case, function)
        except CheckFailed:
            failed.append(check.__name__)
    return failed, diagnosis


def losses(function: str, code: str) -> tuple[Wrong, Wrong]:
    """A loss of 2.2 in that form, and the same with labels."""
    entry = Wrong("ns-this", f"2.2 {function}", "", code)
    return entry, with_labels(entry)


@_EACH
@_FORMS
@pytest.mark.parametrize("number", [0.03, 1e-3, 1e-4])
def test_a_large_constant_costs_value_and_gradient(
    form: dict[str, str], function: str, number: float
) -> None:
    """1e-4 and more fails, with labels too; the hint names the constant even if no entry has it."""
    for entry in losses(function, form[function].format(number)):
        failed, diagnosis = outcomes(entry)
        assert failed == ["check_value", "check_gradient"]
        named = diagnosis.diagnose()
        assert named is not None
        assert f"about {number:.1g}" in named[1]
        assert " Or: " not in named[1]


@_EACH
@_FORMS
@pytest.mark.parametrize("number", [1e-6, 1e-12])
def test_a_small_constant_costs_nothing(form: dict[str, str], function: str, number: float) -> None:
    """1e-6 and less passes."""
    for entry in losses(function, form[function].format(number)):
        assert outcomes(entry)[0] == []


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("logit", [-9.6, 9.6])
def test_a_confident_discriminator_has_nearly_equal_logits(conditional: bool, logit: float) -> None:
    """All images have logits within 0.09 of the case's, and the weights fit into float32."""
    for seed in range(20):
        case = SureGanCase(5, 4, 2.0, conditional, seed, logit)
        images = np.concatenate([case.x_real, np.full((1, 784), 9.0), np.zeros((1, 784))])
        logits = case.critic.logits(images, np.arange(7))
        assert np.abs(logits - logit).max() < 0.09
        assert np.ptp(logits) > 1e-3
        assert_float32_holds(*vars(case.critic).values())


def test_a_high_critic_has_the_slopes_of_the_usual_one() -> None:
    """Only its values are shifted."""
    high, usual = HighGanCase(5, 4, 2.0, False, 1, 100.0), GanCase(5, 4, 2.0, False, 1)
    shift = high.critic.logits(high.x_real) - usual.critic.logits(usual.x_real)
    np.testing.assert_allclose(shift, 100.0, atol=1e-5)
    np.testing.assert_array_equal(high.critic.w2, usual.critic.w2)
