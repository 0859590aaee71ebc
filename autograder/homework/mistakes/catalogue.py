"""The whole catalogue; a new entry goes into the file of its problem."""

from autograder.homework.mistakes import (
    conditional,
    flow,
    gradient_penalty,
    nonsaturating,
    nonsaturating_g,
    right_flow,
    right_gan,
    right_wasserstein,
    wasserstein,
)
from autograder.homework.mistakes.entries import Right, Wrong

WRONG: tuple[Wrong, ...] = (
    *flow.WRONG,
    *nonsaturating.WRONG,
    *nonsaturating_g.WRONG,
    *conditional.WRONG,
    *wasserstein.WRONG,
    *gradient_penalty.WRONG,
)
RIGHT: tuple[Right, ...] = (*right_flow.RIGHT, *right_gan.RIGHT, *right_wasserstein.RIGHT)
