"""The right-but-different solutions of the catalogue, which must keep full marks."""

from autograder.homework.mistakes import right_flow, right_gan, right_wasserstein
from autograder.homework.mistakes.entries import Right

RIGHT: tuple[Right, ...] = (*right_flow.RIGHT, *right_gan.RIGHT, *right_wasserstein.RIGHT)
