"""Returns the right number as an integer."""

# expected: Z
# twin: right
# says: dtype int16
import torch

right = loss_nonsaturating_d


def loss_nonsaturating_d(g, d, x_real, *, device):
    return right(g, d, x_real, device=device).to(torch.int16)
