"""All correct solutions of the catalogue, which must keep full marks."""

from autograder.engine.catalogue.solutions import Right
from autograder.homework.mistakes import right_flow, right_gan, right_wasserstein

RIGHT: tuple[Right, ...] = (*right_flow.RIGHT, *right_gan.RIGHT, *right_wasserstein.RIGHT)
