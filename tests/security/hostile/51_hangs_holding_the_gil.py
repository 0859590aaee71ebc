"""Sleeps in C and keeps the interpreter's lock."""

# expected: Z
# twin: right
# says: did not return within 3 s|waited for 3
import ctypes


def loss_nonsaturating_d(g, d, x_real, *, device):
    ctypes.PyDLL(None).sleep(3600)
