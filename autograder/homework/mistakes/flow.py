"""Mistakes of problem 1: MADE.forward, MADE.inverse, MAF.log_probs."""

from autograder.homework.mistakes import made_forward, made_inverse, maf
from autograder.homework.mistakes.entries import Wrong

WRONG: tuple[Wrong, ...] = (*made_forward.WRONG, *made_inverse.WRONG, *maf.WRONG)
