"""Returns a quantised tensor."""

# expected: Z
# twin: right
# says: quantised
import torch

right = loss_nonsaturating_d


def loss_nonsaturating_d(g, d, x_real, *, device):
    return torch.quantize_per_tensor(torch.zeros(()), 0.1, 0, torch.qint8)
