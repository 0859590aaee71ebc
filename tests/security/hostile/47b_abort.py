"""Aborts."""

# expected: Z
# twin: right
# says: signal 6 .abort.
import os


def loss_nonsaturating_d(g, d, x_real, *, device):
    os.abort()
