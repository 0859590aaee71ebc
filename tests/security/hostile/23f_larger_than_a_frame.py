"""Returns a tensor of 100 MB."""

# expected: Z
# twin: right
# says: shape \(25000000,\)
import torch

right = loss_nonsaturating_d


def loss_nonsaturating_d(g, d, x_real, *, device):
    return torch.zeros(25_000_000)
