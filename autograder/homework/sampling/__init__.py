"""Checks of the random numbers that a loss draws."""
