"""Prints in every call."""

# expected: F
# twin: right
right = loss_nonsaturating_d


def loss_nonsaturating_d(g, d, x_real, *, device):
    print("x_real", x_real.shape, "loss", 1.0)
    return right(g, d, x_real, device=device)
