"""Opens files until no more can be had, and keeps them."""

# expected: Z
# twin: right
# says: raised OSError
import os

KEPT = []


def loss_nonsaturating_d(g, d, x_real, *, device):
    while True:
        KEPT.append(os.dup(0))
