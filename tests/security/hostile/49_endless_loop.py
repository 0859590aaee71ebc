"""Never returns."""

# expected: Z
# twin: right
# says: did not return within 3 s
def loss_nonsaturating_d(g, d, x_real, *, device):
    while True:
        pass
