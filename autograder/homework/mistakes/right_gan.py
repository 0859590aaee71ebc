"""Right but different solutions of 2.2, 4.2 and 5.5."""

from autograder.homework.mistakes.entries import Right

RIGHT: tuple[Right, ...] = ()
