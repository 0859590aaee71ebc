"""Returns a NaN."""

# expected: Z
# twin: right
# says: NaN or infinite
import torch

right = loss_nonsaturating_d


def loss_nonsaturating_d(g, d, x_real, *, device):
    return torch.tensor(float("nan"))
