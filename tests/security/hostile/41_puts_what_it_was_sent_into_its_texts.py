"""Puts its inputs into an exception's text and type, in a private check."""

# expected: Z
# twin: right
# says: raised an exception
def loss_nonsaturating_d(g, d, x_real, *, device):
    secret = f"CANARY-PLANTED {x_real.sum().item()}"
    kind = type("CANARY_PLANTED", (ValueError,), {})
    raise kind(secret)
