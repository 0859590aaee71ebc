"""Right but different solutions of problem 1."""

from autograder.homework.mistakes.entries import Right

RIGHT: tuple[Right, ...] = ()
