"""Takes memory without end."""

# expected: Z
# twin: right
# says: raised MemoryError
def loss_nonsaturating_d(g, d, x_real, *, device):
    hoard = []
    while True:
        hoard.append(bytearray(50_000_000))
