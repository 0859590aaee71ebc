"""Mistakes of problem 1: MADE.forward, MADE.inverse, MAF.log_probs."""

from autograder.homework.mistakes.entries import Wrong

WRONG: tuple[Wrong, ...] = ()
