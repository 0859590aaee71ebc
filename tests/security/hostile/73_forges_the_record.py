"""Says that d was given images which it was not given, so that the loss is that of others."""

# expected: Z
# twin: right
import torch

right = loss_nonsaturating_d


def loss_nonsaturating_d(g, d, x_real, *, device):
    d._seen.calls = []
    loss = right(g, d, x_real, device=device)
    d._seen.calls = [(torch.zeros_like(x), labels) for x, labels in d._seen.calls]
    g._seen.calls = [(torch.zeros_like(z), labels) for z, labels in g._seen.calls]
    return loss
