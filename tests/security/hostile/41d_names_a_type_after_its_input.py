"""Returns an object whose type is named after what it was sent."""

# expected: Z
# twin: right
# says: a value of type of your own
def loss_nonsaturating_d(g, d, x_real, *, device):
    return type("CANARY_PLANTED", (), {})()
