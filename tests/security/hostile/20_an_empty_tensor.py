"""Returns an empty tensor, of which every comparison is true."""

# expected: Z
# twin: right
# says: shape \(0,\); expected one
import torch

right = loss_nonsaturating_d


def loss_nonsaturating_d(g, d, x_real, *, device):
    return torch.zeros(0)
