"""Makes a folder in a folder in a folder, deeper than a recursion goes."""

# expected: Z
# twin: right
# says: exited with status 0|it made more than 2,000 files
import os


def loss_nonsaturating_d(g, d, x_real, *, device):
    for _ in range(1500):
        os.mkdir("d" * 100)
        os.chdir("d" * 100)
    os._exit(0)
