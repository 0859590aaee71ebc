"""Returns a dtype that numpy's side of the wire does not take."""

# expected: Z
# twin: right
# says: dtype uint16
import torch

right = loss_nonsaturating_d


def loss_nonsaturating_d(g, d, x_real, *, device):
    return torch.zeros((), dtype=torch.uint16)
