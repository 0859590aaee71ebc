"""A thread writes rubbish into the connection while the answer is sent."""

# expected: Z
# twin: right
# says: an invalid reply
import json
import os
import stat
import struct


def wire():
    """The descriptor of the connection to the judge."""
    for number in range(256):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                return number
        except OSError:
            continue
    raise OSError("no socket")


def frame(header, body=b""):
    text = json.dumps(header).encode()
    return struct.pack(">4sII", b"AGF1", len(text), len(body)) + text + body

import threading


def inject():
    while True:
        os.write(wire(), b"1 passed")


def loss_nonsaturating_d(g, d, x_real, *, device):
    thread = threading.Thread(target=inject, daemon=True)
    thread.start()
    thread.join(0.2)
    return d(x_real).mean()
