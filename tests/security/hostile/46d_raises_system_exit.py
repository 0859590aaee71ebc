"""Raises SystemExit when it is called."""

# expected: Z
# twin: right
# says: raised SystemExit
import sys


def loss_nonsaturating_d(g, d, x_real, *, device):
    sys.exit(0)
