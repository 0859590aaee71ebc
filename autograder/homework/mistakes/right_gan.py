"""Correct solutions of 2.2 and 4.2 that differ from the reference."""

from autograder.engine.catalogue.solutions import Right
from autograder.homework.mistakes import right_conditional, right_nonsaturating

RIGHT: tuple[Right, ...] = (*right_nonsaturating.RIGHT, *right_conditional.RIGHT)
