"""Writes one file without end."""

# expected: Z
# twin: right
# says: raised OSError
def loss_nonsaturating_d(g, d, x_real, *, device):
    with open("huge", "wb") as file:
        while True:
            file.write(b"x" * 1_000_000)
