"""Draws z, never shows d the images, and scales a parameter by zero."""

# expected: ZZ
# twin: right
# says: with respect to the generator is incorrect
# only: 2.2.4 2.2.3
import torch


def loss_nonsaturating_g(g, d, x_real, *, device):
    g(torch.randn(len(x_real), g.dim_z))
    return 0 * g.bias.sum()
