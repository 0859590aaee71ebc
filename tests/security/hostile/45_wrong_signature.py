"""The function takes other arguments than it is given."""

# expected: Z
# twin: right
# says: cannot be called
def loss_nonsaturating_d(generator):
    return 0
