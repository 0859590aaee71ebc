"""Recurses without end, past the interpreter's own limit."""

# expected: Z
# twin: right
# says: signal 11|raised RecursionError|raised MemoryError|did not return
import sys


def loss_nonsaturating_d(g, d, x_real, *, device):
    sys.setrecursionlimit(10**9)

    def down():
        return down() + repr([[]]).count("[")

    return down()
