"""Returns a sparse tensor."""

# expected: Z
# twin: right
# says: shape \(1,\); expected one
import torch

right = loss_nonsaturating_d


def loss_nonsaturating_d(g, d, x_real, *, device):
    return right(g, d, x_real, device=device).reshape(1).to_sparse()
