"""Mistakes of 2.2 and 4.2: the non-saturating losses, without and with labels."""

from autograder.homework.mistakes.entries import Wrong

WRONG: tuple[Wrong, ...] = ()
