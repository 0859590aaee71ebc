"""All incorrect solutions of the catalogue; a new entry goes into the module of its problem.

The correct ones are in `right.py`: the judge does not need them, so they stay off the platform.
"""

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.mistakes import (
    batch_size,
    clamped,
    conditional,
    gradient_penalty,
    interpolates,
    made_forward,
    made_forward_log_det,
    made_inverse,
    made_inverse_log_det,
    made_pairs,
    maf_density,
    maf_walk,
    nonsaturating_d,
    nonsaturating_d_other,
    nonsaturating_g,
    wasserstein,
)

WRONG: tuple[Wrong, ...] = (
    *made_forward.WRONG,
    *made_forward_log_det.WRONG,
    *made_inverse.WRONG,
    *made_inverse_log_det.WRONG,
    *made_pairs.WRONG,
    *maf_walk.WRONG,
    *maf_density.WRONG,
    *nonsaturating_d.WRONG,
    *nonsaturating_d_other.WRONG,
    *nonsaturating_g.WRONG,
    *clamped.WRONG,
    *conditional.WRONG,
    *wasserstein.WRONG,
    *interpolates.WRONG,
    *gradient_penalty.WRONG,
    *batch_size.WRONG,
)
