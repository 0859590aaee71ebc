"""The cases on which mistakes in flow_network.py are tried."""

from __future__ import annotations

from autograder.homework.strategies import STEEP, MadeCase, MafCase

# D = B among them, D > B, D > 2, and more and fewer layers than two.
MADE_CASES = (
    MadeCase(2, 6, 1, 5, 2),
    MadeCase(2, 5, 2, 2, 5),
    MadeCase(3, 7, 2, 4, 3),
    MadeCase(6, 10, 1, 3, 4),
    MadeCase(5, 8, 1, 2, 1),
    STEEP,
)
MAF_CASES = (
    MafCase(2, 6, 1, 3, 5, 2),
    MafCase(3, 7, 2, 2, 4, 3),
    MafCase(6, 10, 1, 1, 3, 4),
    MafCase(4, 6, 1, 2, 3, 1),
)
CASE = MADE_CASES[4]  # B = 2: a loop over the batch is a loop over two variables
