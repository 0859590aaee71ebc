"""Reads address 0."""

# expected: Z
# twin: right
# says: signal 11 .segmentation fault.
import ctypes


def loss_nonsaturating_d(g, d, x_real, *, device):
    ctypes.string_at(0)
