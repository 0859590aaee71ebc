"""Mistakes of problem 1: MADE.forward, MADE.inverse, MAF.log_probs."""

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.mistakes import (
    made_forward,
    made_forward_log_det,
    made_inverse,
    made_inverse_log_det,
    made_pairs,
    maf_density,
    maf_walk,
)

WRONG: tuple[Wrong, ...] = (
    *made_forward.WRONG,
    *made_forward_log_det.WRONG,
    *made_inverse.WRONG,
    *made_inverse_log_det.WRONG,
    *made_pairs.WRONG,
    *maf_walk.WRONG,
    *maf_density.WRONG,
)
