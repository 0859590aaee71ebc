"""Forks without end."""

# expected: Z
# twin: right
# says: did not return within|ended before it answered
import contextlib
import os


def loss_nonsaturating_d(g, d, x_real, *, device):
    while True:
        with contextlib.suppress(OSError):
            os.fork()
