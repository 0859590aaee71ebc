"""Returns a tensor on the meta device, which has no values."""

# expected: Z
# twin: right
# says: on the meta device
import torch

right = loss_nonsaturating_d


def loss_nonsaturating_d(g, d, x_real, *, device):
    return torch.zeros((), device="meta")
