"""The catalogue of this homework, and which checks call which function."""

from __future__ import annotations

from autograder.engine.catalogue.solutions import Catalogue, Entry, Wrong
from autograder.engine.grading.ledger import PlannedCheck
from autograder.homework.mistakes.catalogue import WRONG
from autograder.homework.mistakes.right import RIGHT

# The parts whose checks call a function of problem 1. The losses are called in their own part.
_CALLED_IN = {"1.1": ("1.1",), "1.2": ("1.2", "1.3"), "1.3": ("1.3",)}
# A check of 1.1 that calls MADE.inverse too.
_ROUND_TRIP = "inverse_undoes_forward"
# The training run takes longer than everything else. It never calls MADE.forward, and a mistake in
# 1.3 costs points in other checks of 1.3. With a mistake in 1.2 the run must still pass.
TRAINING = "1.3.4"


def calls(entry: Entry, check: PlannedCheck) -> bool:
    """Whether a check calls the code that an entry edits."""
    if check.number == TRAINING:
        trained = {"1.2"} if isinstance(entry, Wrong) else {"1.2", "1.3"}
        return not trained.isdisjoint(entry.parts)
    return any(is_called(region, check) for region in (entry.region, *entry.also))


def is_called(region: str, check: PlannedCheck) -> bool:
    """Whether a check calls the function of a solution region, "1.2 MADE.inverse"."""
    part, _, function = region.partition(" ")
    if part in _CALLED_IN:
        both = part == "1.2" and _ROUND_TRIP in check.check_id
        return both or check.part in _CALLED_IN[part]
    other = "_g_loss" if function.endswith("_d") else "_d_loss"
    return check.part == part and other not in check.check_id


CATALOGUE = Catalogue(WRONG, RIGHT, calls, seeds=(1, 2, 3), slow=(TRAINING,))
