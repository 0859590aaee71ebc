"""Takes a tenth of a second for every call."""

# expected: F
# twin: right
import time

right = loss_nonsaturating_d


def loss_nonsaturating_d(g, d, x_real, *, device):
    time.sleep(0.1)
    return right(g, d, x_real, device=device)
