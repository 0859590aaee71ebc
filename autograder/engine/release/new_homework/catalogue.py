"""The solutions by which `audit` tests the checks: incorrect and correct ones. Secret.

A correct solution must keep all points although its code differs from the reference. Add each one
that a student loses points for by mistake.
"""

from __future__ import annotations

from autograder import Catalogue, Right
from autograder.engine.release.new_homework.mistakes import WRONG

RIGHT = (
    Right(
        id="softmax-of-torch",
        region="1.1 softmax",
        sentence="Calls torch.softmax.",
        code="return torch.softmax(x, dim=1)",
    ),
)
CATALOGUE = Catalogue(WRONG, RIGHT)
