"""What an edit of the reference can change, and so which checks an audit runs."""

from __future__ import annotations

import pytest

from autograder.engine.catalogue.cases import Touched, touched
from autograder.engine.catalogue.solutions import right
from autograder.engine.grading.plan import plan_checks
from autograder.homework.catalogue import CATALOGUE
from tests.this_homework import THIS

PLAN = plan_checks(THIS)


def checks_for(*regions: str) -> Touched:
    """What the audit runs for a correct entry that edits these regions."""
    return touched(CATALOGUE, PLAN, right("some", "It differs.", dict.fromkeys(regions, "pass")))


@pytest.mark.parametrize(
    ("region", "calling"),
    [
        ("1.1 MADE.forward", {"1.1.1", "1.1.2", "1.1.3", "1.1.4", "1.1.5", "1.1.6"}),
        (
            "5.5 loss_wasserstein_gp_d",
            {"5.5.1", "5.5.2", "5.5.5", "5.5.6", "5.5.7", "5.5.8", "5.5.9"},
        ),
        ("2.2 loss_nonsaturating_g", {"2.2.3", "2.2.4", "2.2.5", "2.2.6", "2.2.11"}),
        ("1.2 MADE.inverse", {"1.1.3", "1.2.1", "1.2.6", "1.3.1", "1.3.2", "1.3.4"}),
    ],
)
def test_checks_that_call_a_function_are_never_left_out(region: str, calling: set[str]) -> None:
    """The round trip calls both of MADE's functions, draws and training runs both losses."""
    left_out = checks_for(region)["skip"]
    assert not left_out & calling
    assert "4.2.1" in left_out


def test_the_other_loss_is_left_out() -> None:
    """An edit of the d loss cannot change what a check of the g loss sees."""
    left_out = checks_for("2.2 loss_nonsaturating_d")["skip"]
    assert {"2.2.3", "2.2.4", "2.2.11"} <= left_out
    both = checks_for("2.2 loss_nonsaturating_d", "2.2 loss_nonsaturating_g")
    assert not {"2.2.1", "2.2.3"} & both["skip"]
