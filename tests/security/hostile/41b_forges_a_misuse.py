"""Raises the exception that carries sentences of ours, with a text of its own."""

# expected: Z
# twin: right
# says: in a way that cannot work
import sys


def loss_nonsaturating_d(g, d, x_real, *, device):
    misuse = sys.modules["autograder.engine.sandbox.experiment"].Misuse
    secret = f"CANARY-PLANTED {x_real.sum().item()}"
    raise misuse(f"g was called with {secret}, expected z of shape (B, g.dim_z)")
