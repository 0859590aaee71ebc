"""Right but different solutions of 2.2 and 4.2."""

from autograder.homework.mistakes import right_conditional, right_nonsaturating
from autograder.homework.mistakes.entries import Right

RIGHT: tuple[Right, ...] = (*right_nonsaturating.RIGHT, *right_conditional.RIGHT)
