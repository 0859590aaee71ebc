"""Correct solutions of problem 1 that differ from the reference."""

from autograder.engine.catalogue.solutions import Right
from autograder.homework.mistakes import right_made, right_maf

RIGHT: tuple[Right, ...] = (*right_made.RIGHT, *right_maf.RIGHT)
