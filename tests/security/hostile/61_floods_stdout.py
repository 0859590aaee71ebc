"""Prints a gigabyte."""

# expected: F
# twin: right
right = loss_nonsaturating_d


def loss_nonsaturating_d(g, d, x_real, *, device):
    import os

    for _ in range(1000):
        os.write(1, b"x" * 1_000_000)
    return right(g, d, x_real, device=device)
