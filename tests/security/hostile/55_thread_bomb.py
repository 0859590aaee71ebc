"""Starts threads without end."""

# expected: Z
# twin: right
# says: raised RuntimeError
import threading
import time


def loss_nonsaturating_d(g, d, x_real, *, device):
    while True:
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
