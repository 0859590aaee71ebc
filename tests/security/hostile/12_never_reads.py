"""Stops reading: the judge's next question is never taken."""

# expected: Z
# twin: right
# says: did not return within|waited for|too slow
import time


def loss_nonsaturating_d(g, d, x_real, *, device):
    time.sleep(3600)
