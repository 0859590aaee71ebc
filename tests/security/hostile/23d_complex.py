"""Returns a complex number."""

# expected: Z
# twin: right
# says: dtype complex64
import torch

right = loss_nonsaturating_d


def loss_nonsaturating_d(g, d, x_real, *, device):
    return torch.zeros((), dtype=torch.complex64)
