"""Computes the loss from the brightest of the generated images alone, of which it is a mean."""

# expected: ZZ
# twin: right
# says: gives d only 1 of the images that g made
# only: 2.2.1 2.2.2
import torch
from torch.nn import functional


def loss_nonsaturating_d(g, d, x_real, *, device):
    x = g(torch.randn(len(x_real), g.dim_z)).detach()
    brightest = x[x.flatten(1).mean(dim=1).argmax()].unsqueeze(0)
    return functional.softplus(-d(x_real)).mean() + functional.softplus(d(brightest)).mean()
