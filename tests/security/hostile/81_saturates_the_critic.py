"""Takes the gradient penalty where every unit of the critic is saturated: it is 10 there."""

# expected: ZZ
# twin: right
# says: no mixture
# only: 5.5.1 5.5.2
import torch


def loss_wasserstein_gp_d(g, d, x_real, *, device):
    x = g(torch.randn(len(x_real), g.dim_z)).detach()
    d(x_real + 3000 * (x - x_real))
    return d(x).mean() - d(x_real).mean() + 10
