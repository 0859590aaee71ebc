"""All incorrect solutions of the catalogue; a new entry goes into the module of its problem.

The correct ones are in `right.py`: the judge does not need them, so they stay off the platform.
"""

from autograder.engine.catalogue.solutions import Wrong
from autograder.homework.mistakes import (
    batch_size,
    clamped,
    conditional,
    flow,
    gradient_penalty,
    interpolates,
    nonsaturating_d,
    nonsaturating_d_other,
    nonsaturating_g,
    wasserstein,
)

WRONG: tuple[Wrong, ...] = (
    *flow.WRONG,
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
