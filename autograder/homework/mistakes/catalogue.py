"""The whole catalogue; a new entry goes into the file of its problem."""

from autograder.homework.mistakes import flow, nonsaturating, right_flow, right_gan, wasserstein
from autograder.homework.mistakes.entries import Right, Wrong

WRONG: tuple[Wrong, ...] = (*flow.WRONG, *nonsaturating.WRONG, *wasserstein.WRONG)
RIGHT: tuple[Right, ...] = (*right_flow.RIGHT, *right_gan.RIGHT)
