"""Asks the generator for images so far out that the right gradient is zero, and gives zero."""

# expected: ZZ
# twin: right
# says: far from standard normal
# only: 2.2.4 2.2.3
import torch


def loss_nonsaturating_g(g, d, x_real, *, device):
    x = g(1e6 * torch.ones(len(x_real), g.dim_z))
    d(x)
    return 0 * g.bias.sum()
