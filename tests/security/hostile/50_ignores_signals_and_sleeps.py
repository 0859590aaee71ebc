"""Ignores every signal that can be ignored, and sleeps."""

# expected: Z
# twin: right
# says: did not return within 3 s|waited for 3
import contextlib
import signal
import time


def loss_nonsaturating_d(g, d, x_real, *, device):
    for number in range(1, 65):
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN)
    time.sleep(3600)
