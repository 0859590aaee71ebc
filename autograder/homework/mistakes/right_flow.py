"""Right but different solutions of problem 1."""

from autograder.engine.catalogue.solutions import Right
from autograder.homework.mistakes import right_made, right_maf

RIGHT: tuple[Right, ...] = (*right_made.RIGHT, *right_maf.RIGHT)
