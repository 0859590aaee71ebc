"""Mistakes of 5.5: WGAN-GP."""

from autograder.homework.mistakes.entries import Wrong

WRONG: tuple[Wrong, ...] = ()
