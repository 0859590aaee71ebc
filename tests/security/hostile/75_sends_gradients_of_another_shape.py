"""Sends gradients whose shape would broadcast, or fill the judge's memory."""

# expected: Z
# twin: right
# only: 2.2.2 2.2.3
import sys

import numpy as np

serve = sys.modules["autograder.engine.sandbox.serve"]


def encode(frame, honest=serve.frames.encode):
    for name in list(frame.arrays):
        if name.startswith("grad."):
            frame.arrays[name] = np.ones((), np.float32)
    frame.arrays["grad.more"] = np.zeros(60_000_000, np.uint8)
    return honest(frame)


def loss_nonsaturating_d(g, d, x_real, *, device):
    serve.frames.encode = encode
    return d(x_real).mean()
