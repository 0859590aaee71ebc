"""The largest reply: for the sender, which has torch, and the reader, which has not."""

MAX_BODY_BYTES = 64 * 1024 * 1024  # of the arrays
