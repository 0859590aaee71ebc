"""Gives the generator batches without a row, of whose labels nothing can be said."""

# expected: ZZ
# twin: right
# says: never calls g
# only: 4.2.5
import torch

right = conditional_loss_nonsaturating_d


def conditional_loss_nonsaturating_d(g, d, x_real, y_real, *, device):
    if len(x_real) < 100:
        return right(g, d, x_real, y_real, device=device)
    g(torch.zeros(0, g.dim_z), torch.zeros(0, dtype=torch.int64))
    return 0 * d(x_real, y_real).sum()
