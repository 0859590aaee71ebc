"""Ends while a daemon of its own keeps the connection open: noticed at once."""

# expected: Z
# twin: right
# says: it exited with status 3
import os
import time


def loss_nonsaturating_d(g, d, x_real, *, device):
    if os.fork() == 0:
        os.setsid()
        time.sleep(3600)
    os._exit(3)
