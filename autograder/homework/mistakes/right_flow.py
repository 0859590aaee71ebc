"""Right but different solutions of problem 1."""

from autograder.homework.mistakes import right_made, right_maf
from autograder.homework.mistakes.entries import Right

RIGHT: tuple[Right, ...] = (*right_made.RIGHT, *right_maf.RIGHT)
