"""Makes files without end."""

# expected: Z
# twin: right
# says: it made more than 2,000 files
def loss_nonsaturating_d(g, d, x_real, *, device):
    n = 0
    while True:
        n += 1
        open(f"small{n}", "w").close()
