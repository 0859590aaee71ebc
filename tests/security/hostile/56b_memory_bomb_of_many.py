"""Forks, and every child takes what one may take."""

# expected: Z
# twin: right
# says: of memory together|did not return within
import os
import time


def loss_nonsaturating_d(g, d, x_real, *, device):
    for _ in range(6):
        if os.fork() == 0:
            hoard = [bytearray(b"x" * 50_000_000) for _ in range(12)]
            time.sleep(3600)
            print(hoard)
    time.sleep(3600)
