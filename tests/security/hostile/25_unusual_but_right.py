"""Right, by way of views, strides and leaves that want gradients."""

# expected: F
# twin: right
import torch

right = loss_nonsaturating_d


def loss_nonsaturating_d(g, d, x_real, *, device):
    loss = right(g, d, x_real.flip(0).flip(0), device=device)
    return torch.stack([loss, loss]).reshape(2, 1).t()[:, ::2].squeeze()
