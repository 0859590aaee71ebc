"""How much an answer may hold: for who sends it, with torch, and for who reads it, without."""

MAX_BODY_BYTES = 64 * 1024 * 1024  # of the arrays
