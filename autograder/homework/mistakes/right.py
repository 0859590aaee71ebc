"""All correct solutions of the catalogue, which must keep full marks."""

from autograder.engine.catalogue.solutions import Right
from autograder.homework.mistakes import (
    right_conditional,
    right_made,
    right_maf,
    right_nonsaturating,
    right_wasserstein,
)

RIGHT: tuple[Right, ...] = (
    *right_made.RIGHT,
    *right_maf.RIGHT,
    *right_nonsaturating.RIGHT,
    *right_conditional.RIGHT,
    *right_wasserstein.RIGHT,
)
