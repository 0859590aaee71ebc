"""Wrong the first time, right when the same case comes again."""

# expected: Z
# twin: right
import random

ASKED = []

right = loss_nonsaturating_d


def loss_nonsaturating_d(g, d, x_real, *, device):
    ASKED.append(1)
    return right(g, d, x_real, device=device) * (2 if len(ASKED) % 3 == 0 else 1)
