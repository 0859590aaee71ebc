"""Takes more than a second for every call: within a call's time, not within a check's."""

# expected: Z
# twin: right
# says: Your code is too slow: this check may take [0-9.]+ s of processor time, and it had called your code
import time

right = loss_nonsaturating_d


def loss_nonsaturating_d(g, d, x_real, *, device):
    time.sleep(1.2)
    return right(g, d, x_real, device=device)
