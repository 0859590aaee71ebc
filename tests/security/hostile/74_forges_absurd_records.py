"""Says that g and d were given numbers that overflow everything."""

# expected: Z
# twin: right
# says: absolute values above
import torch

right = loss_nonsaturating_d


def loss_nonsaturating_d(g, d, x_real, *, device):
    loss = right(g, d, x_real, device=device)
    g._seen.calls = [(z.double() * 1e300, labels) for z, labels in g._seen.calls]
    return loss
