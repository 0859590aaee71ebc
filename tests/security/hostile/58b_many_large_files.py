"""Writes many files of the size that one may have."""

# expected: Z
# twin: right
# says: it wrote more than 128 MB of files
def loss_nonsaturating_d(g, d, x_real, *, device):
    n = 0
    while True:
        n += 1
        with open(f"large{n}", "wb") as file:
            file.write(b"x" * 15_000_000)
